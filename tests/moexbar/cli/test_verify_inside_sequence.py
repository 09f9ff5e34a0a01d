"""A window that starts inside a sequence: its attention sees tokens that the program does not have.

A trace of one sequence of 48 tokens, of which the second half is scored: 24 come before the window.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import moexbar as mx
from moexbar.__main__ import main
from tests.compiler.frontend import models


def compiled(folder: Path, block: models.Ffn, length: int, *more: str) -> list[str]:
    """A model compiled from its trace; the words that verify it."""
    model, inputs, trace, out = (str(folder / n) for n in ("model.onnx", "x.npz", "r.npz", "out"))
    models.write(folder, [block] * 2)
    np.savez(inputs, **models.token_ids(48))
    assert main(["profile", model, "--inputs", inputs, "-o", trace]) == 0
    words = ["compile", model, "--chip", "tiny", "--routing", trace, "--prefill", str(length)]
    words += ["--no-baselines", "--grouping", "sorted", "--fit", "0:0.5", "--score", "0.5:1"]
    assert main([*words, *more, "-o", out]) == 0
    return ["verify", out, "--inputs", inputs]


def verified(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


BLOCKS: dict[str, Callable[[], models.Ffn]] = {
    "each token alone": models.dense_masked,
    "positions in an expert counted from the first token": lambda: models.switch,
}


@pytest.mark.parametrize("name", BLOCKS)
def test_prefill(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = compiled(tmp_path, BLOCKS[name](), 12)
    found = verified(words, capsys)
    assert (found["tokens_before_window"], found["first_wrong_instruction"]) == (24, -1)
    assert found["worst"] < 2e-6
    assert main(words) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "takes the 24 tokens before it from the model's own run" in told


@pytest.mark.parametrize("kv", ["on", "off"])
def test_decode_steps(kv: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = compiled(tmp_path, models.dense_masked(), 9, "--decode", "3", "--kv", kv)
    found = verified(words, capsys)
    assert found["first_wrong_instruction"] == -1
    assert found["worst"] < 2e-6


def test_a_window_at_the_start_has_nothing_before_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = compiled(tmp_path, models.dense_masked(), 12, "--score", "0:0.5")
    assert verified(words, capsys)["tokens_before_window"] == 0


def test_experts_that_choose_among_whole_sequences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`compile` takes whole sequences there; a report that says otherwise is refused."""
    words = compiled(tmp_path, models.expert_choice(), 48, "--score", "0:1", "--fit", "0:1")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    report["window"]["first_token"] = 5
    (tmp_path / "out" / "report.json").write_text(json.dumps(report))
    assert main([*words, "--unchecked"]) == 2
    assert "window.first_token: 5, but the routing trace gives 0" in capsys.readouterr().err
    read = mx.read_compiled(tmp_path / "out", inputs=tmp_path / "x.npz", unchecked=True)
    with pytest.raises(mx.InputError, match="starts at token 5, inside a sequence"):
        read.execute()
