"""Packed weights: routing is recorded by the arithmetic that an execution is held against.

ONNX Runtime rounds the vectors that meet weights of 8 bits in blocks to 8 bits. After the first
layer such vectors are 1e-3 and more from the definition's, and some of 40 tokens go elsewhere.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from compiler.frontend import read_model
from compiler.profiling.profile import profile
from ir.onnxdoor import unpack
from ir.onnxdoor.extract import with_outputs
from ir.onnxdoor.load import open_model
from ir.onnxdoor.processes.session import Runtime
from tests.backends.functional.small import case_of, run_case
from tests.compiler.frontend import models as m
from tests.compiler.frontend.packed import pack_products
from tests.make import small_chip

TOKENS, D = 40, 32
QMOE = {bits: m.quantised_contract(bits, 16) for bits in (4, 8)}


def three_layers(folder: Path, block: m.Ffn) -> Path:
    """Three layers of 8 experts, two a token, of any number of tokens and sequences."""
    g = m.Graph(d=D)
    g.experts, g.top, g.hidden = 8, 2, 16
    m.transformer(g, [block] * 3)
    axes: list[int | str] = ["batch", "tokens"]
    ids: tuple[int, m.Dims] = (TensorProto.INT64, axes)
    return g.model(folder / "m.onnx", {"logits": [*axes, g.vocab]}, {"input_ids": ids})


@pytest.fixture
def too_many(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Says, when called, that any model's unpacked weights are too many to be held at once."""
    return lambda: monkeypatch.setattr(unpack, "MAX_BYTES", 1)


@pytest.mark.parametrize("decode", [0, 5])
@pytest.mark.parametrize("bits", [4, 8])
def test_execution_agrees_above_the_limit(
    bits: int, decode: int, tmp_path: Path, runtime: Runtime, too_many: Any
) -> None:
    path = three_layers(tmp_path, QMOE[bits])
    too_many()
    case = case_of(runtime, path, m.token_ids(TOKENS, 3), small_chip(), 3, TOKENS, decode)
    done = run_case(runtime, case)
    assert done.culprit == -1
    assert done.worst < 2e-6


def test_the_limit_and_the_batch_change_nothing(
    tmp_path: Path, runtime: Runtime, too_many: Any
) -> None:
    """The same selections and the same bits of every weight, and ONNX Runtime's are others."""
    path, inputs = three_layers(tmp_path, QMOE[8]), m.token_ids(TOKENS, 4)
    source = open_model(path)
    workload = read_model(source, runtime=runtime)
    held = profile(source, workload, inputs, runtime=runtime)
    together = profile(source, workload, inputs, runtime=runtime, batch=4)
    too_many()
    told = list[str]()
    large = profile(source, workload, inputs, runtime=runtime, say=told.append)
    assert not told
    assert held.choices is not None
    assert held.weights is not None
    for other in (together, large):
        assert other.choices is not None
        assert other.weights is not None
        np.testing.assert_array_equal(other.choices, held.choices)
        np.testing.assert_array_equal(other.weights, held.weights)
    (name,) = workload.moe_layers[2].router.exposed
    model = runtime.load(with_outputs(source, [name]))
    ids = {"input_ids": inputs["input_ids"].reshape(4, TOKENS)}
    own = np.argsort(-model.run(ids, [name])[name].reshape(4 * TOKENS, 8), axis=1)[:, :2]
    model.drop()
    assert (np.sort(own, axis=1) != np.sort(held.choices[2], axis=1)).any()


@pytest.mark.parametrize("form", ["gather batched", "expert choice"])
@pytest.mark.parametrize("limited", [False, True])
def test_products_of_routers_and_attention(
    limited: bool, form: str, tmp_path: Path, runtime: Runtime, too_many: Any
) -> None:
    """Every matrix that is not an expert's is a MatMulNBits, those of the routers too.

    Experts that choose tokens choose step by step.
    """
    block = m.gather_batched() if form == "gather batched" else m.expert_choice(stacked=True)
    path = pack_products(three_layers(tmp_path, block))
    if limited:
        too_many()
    case = case_of(runtime, path, m.token_ids(TOKENS, 1), small_chip(), 1, TOKENS, decode=5)
    assert len(case.executable.workload.moe_layers) == 3
    done = run_case(runtime, case)
    assert done.culprit == -1
    assert done.worst < 2e-6
