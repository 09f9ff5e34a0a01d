"""Damaged models: every command gives an answer or a reason, whatever was changed."""

import random
from pathlib import Path

import numpy as np
import onnx
import pytest

from moexbar.__main__ import main
from tests.compiler.frontend import models as m
from tests.compiler.frontend import places as p
from tests.compiler.frontend.damage import DAMAGES, other_attribute, without_a_node

BLOCKS: tuple[m.Ffn, ...] = (
    m.dense_masked(),
    m.gather_batched(),
    m.grouped,
    p.gshard,
    m.einsum_choice,
    m.contract(),
    m.quantised_contract(4),
    m.expert_choice(),
    m.gated,
)
ANSWERS = (0, 2, 4, 5)  # done; unusable; wrong; does not fit


def answers(folder: Path, model: onnx.ModelProto) -> list[int]:
    """What `model` and `compile` exit with."""
    path, inputs = folder / "damaged.onnx", folder / "ids.npz"
    path.write_bytes(model.SerializeToString())
    np.savez(inputs, **m.token_ids(12, 3))
    given = ["--inputs", str(inputs), "--prefill", "9", "--least-placed", "0", "--time", "0.05"]
    asked = ["compile", str(path), *given, "--no-baselines", "-o", str(folder / "out")]
    return [main(["model", str(path)]), main(asked)]


@pytest.mark.parametrize("seed", range(12))
def test_damaged(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)  # noqa: S311 (any damage will do, the same every time)
    model = onnx.load(m.write(tmp_path, [BLOCKS[seed % len(BLOCKS)]]))
    told = [draw.choice(DAMAGES)(model, draw) for _ in range(draw.randint(1, 2))]
    assert set(answers(tmp_path, model)) <= set(ANSWERS), told


@pytest.mark.parametrize("seed", range(4))
def test_mild_damage(seed: int, tmp_path: Path) -> None:
    """Most of these still run: what they compute is another thing, in which numbers may be NaN."""
    draw = random.Random(100 + seed)  # noqa: S311
    model = onnx.load(m.write(tmp_path, [BLOCKS[(0, 4, 7, 8)[seed]]]))
    damage = draw.choice([without_a_node, other_attribute])
    told = damage(model, draw)
    assert set(answers(tmp_path, model)) <= set(ANSWERS), told
