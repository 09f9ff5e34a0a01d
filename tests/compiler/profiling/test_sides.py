"""An encoder and a decoder: both sides with as many tokens, or a reason why not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiler.frontend import read_model
from compiler.profiling.profile import profile
from ir.errors import InputError
from ir.onnxdoor.session import Runtime
from tests.compiler.frontend import models as m


def two_sided(folder: Path, source: int | str, target: int | str) -> Path:
    """A layer of experts on either side; the decoder looks at the mean of the encoder."""
    g = m.Graph()
    table = g.weight(m.VOCAB, m.D, scale=1.0)
    encoded = m.dense_masked()(g, g("Gather", table, "input_ids"))
    mean = g("ReduceMean", encoded, g.constant([1]), keepdims=1)
    x = g("Add", g("Gather", table, "decoder_input_ids"), mean)
    g("Add", x, m.dense_masked()(g, x))
    g.nodes[-1].output[0] = "y"
    inputs: dict[str, tuple[int, m.Dims]] = {
        "input_ids": (7, [1, source]),
        "decoder_input_ids": (7, [1, target]),
    }
    return g.model(folder / "m.onnx", {"y": [1, target, m.D]}, inputs)


def ids(source: int, target: int) -> dict[str, Any]:
    first, second = (m.token_ids(n, 3, seed=n)["input_ids"] for n in (source, target))
    return {"input_ids": first, "decoder_input_ids": second}


@pytest.mark.parametrize("tokens", [None, 8, 12])
def test_sides_of_different_lengths(tokens: int | None, tmp_path: Path, runtime: Runtime) -> None:
    """Cutting the source of 20 tokens to 12 would be another translation."""
    path = two_sided(tmp_path, "source", "target")
    workload = read_model(path, runtime=runtime)
    assert len(workload.moe_layers) == 2
    told = "'input_ids' has 20, 'decoder_input_ids' has 12; a program has one number"
    with pytest.raises(InputError, match=told):
        profile(path, workload, ids(20, 12), tokens=tokens, runtime=runtime)


def test_sides_of_one_length(tmp_path: Path, runtime: Runtime) -> None:
    path = two_sided(tmp_path, "source", "target")
    routing = profile(path, read_model(path, runtime=runtime), ids(12, 12), runtime=runtime)
    assert routing.tokens == 36
    assert np.array_equal(routing.layer, [0, 1])


def test_sides_exported_for_different_lengths(tmp_path: Path) -> None:
    """No --prefill is right for both: said, instead of each side asking for its own."""
    path = two_sided(tmp_path, 20, 12)
    with pytest.raises(InputError, match="as exported: 'input_ids' 20, 'decoder_input_ids' 12"):
        read_model(path, tokens=12, prove=False)
