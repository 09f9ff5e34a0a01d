"""Several sequences in one run: a free batch axis, or one that the file fixes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from compiler.frontend import read_model
from compiler.profiling.profile import profile
from ir.errors import InputError
from ir.onnxdoor.processes.session import Runtime
from ir.workload import Attention
from tests.compiler.frontend import models as m
from tests.compiler.frontend.execute import compare

FORMS = {
    "masked": m.dense_masked(),
    "gathered": m.gather_batched(),
    "sorted": m.grouped,
    "per expert": m.per_expert_gather,
    "operator": m.contract(),
}


def batched(folder: Path, shape: Sequence[int | str], block: m.Ffn) -> Path:
    g = m.transformer(m.Graph(), [block])
    return g.model(folder / "m.onnx", {"logits": [*shape, m.VOCAB]}, {"input_ids": (7, shape)})


@pytest.mark.parametrize("block", FORMS.values(), ids=FORMS.keys())
def test_file_exported_for_three_sequences(block: m.Ffn, tmp_path: Path, runtime: Runtime) -> None:
    """All widths are those of one token, whatever the batch: 3 x 8 tokens are 24, not 8."""
    path = batched(tmp_path, [3, 8], block)
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.proof, layer.d_model, layer.width) == ("run", m.D, m.D)
    (attention,) = [op for op in workload.operators if isinstance(op, Attention)]
    assert (attention.heads, attention.kv_heads, attention.width) == (m.HEADS, m.HEADS, m.D)
    assert workload.notes == ()
    # four projections and the head are dense matrices, as with one sequence
    assert [d.weight.columns for d in workload.dense()] == [m.D, m.D, m.D, m.D, m.VOCAB]
    # 7 sequences fill two runs; the seventh is left out, and the caller is told
    told: list[str] = []
    routing = profile(
        path, workload, m.token_ids(tokens=8, sequences=7), say=told.append, runtime=runtime
    )
    assert routing.sequence.tolist() == [s for s in range(6) for _ in range(8)]
    assert told == ["left out the last 1 sequences: 3 run together"]


def test_whole_graph_with_a_fixed_batch(tmp_path: Path, runtime: Runtime) -> None:
    """Operator by operator, two sequences at once give what the whole model gives."""
    path = batched(tmp_path, [2, 8], m.dense_masked())
    assert compare(runtime, path, m.token_ids(tokens=8, sequences=2)) < 1e-5


@pytest.mark.parametrize("batch", [2, 3, 5, 8])
def test_a_free_batch_axis_changes_nothing(batch: int, tmp_path: Path, runtime: Runtime) -> None:
    """Five sequences one by one, or 2 + 2 + 1, 3 + 2, 5 at once: the same routing."""
    path = batched(tmp_path, ["batch", "tokens"], m.dense_masked())
    workload, inputs = (
        read_model(path, batch=batch, runtime=runtime),
        m.token_ids(tokens=9, sequences=5),
    )
    alone = profile(path, workload, inputs, runtime=runtime)
    if batch > 5:
        with pytest.raises(InputError, match="5 sequences, expected at least the 8 that run"):
            profile(path, workload, inputs, batch=batch, runtime=runtime)
        return
    together = profile(path, workload, inputs, batch=batch, runtime=runtime)
    assert np.array_equal(alone.sequence, together.sequence)
    assert alone.choices is not None
    assert together.choices is not None
    assert np.array_equal(alone.choices, together.choices)
    # a wrong split into sequences would show here: token 0 of a sequence sees only itself
    first = {tuple(i) for i in together.choices[0, ::9].tolist()}
    assert len(first) > 1


def test_other_batch_than_exported(tmp_path: Path, runtime: Runtime) -> None:
    path = batched(tmp_path, [3, 8], m.dense_masked())
    with pytest.raises(InputError, match=r"axis 0 \(batch\): exported for exactly 3 sequences"):
        read_model(path, batch=2, runtime=runtime)
    with pytest.raises(InputError, match=r"axis 1 \(tokens\): exported for exactly 8, asked"):
        read_model(path, tokens=9, batch=3, runtime=runtime)
    assert len(read_model(path, tokens=8, batch=3, runtime=runtime).moe_layers) == 1


def test_experts_that_choose_need_one_sequence(tmp_path: Path, runtime: Runtime) -> None:
    """Sixteen tokens of two sequences in one choice: not what the layer means."""
    workload = read_model(batched(tmp_path, [2, 8], m.expert_choice()), runtime=runtime)
    assert workload.moe_layers == ()
    assert "exported for 2 sequences" in workload.suspects[0].reason


def test_masks_for_several_sequences(tmp_path: Path, runtime: Runtime) -> None:
    """What is made up has a row for each sequence."""
    g = m.transformer(m.Graph(), [m.dense_masked()])
    mask = g("Cast", g("ReduceSum", "attention_mask", g.constant([1])), to=1)
    place = g("Cast", g("ReduceSum", "position_ids", g.constant([1])), to=1)
    g("Add", mask, place)
    g.nodes[-1].output[0] = "total"
    shape: m.Dims = ["batch", "tokens"]
    inputs = dict.fromkeys(("input_ids", "attention_mask", "position_ids"), (7, shape))
    outputs: dict[str, m.Dims] = {"logits": [*shape, m.VOCAB], "total": ["batch", 1]}
    path = g.model(tmp_path / "m.onnx", outputs, inputs)
    routing = profile(
        path, read_model(path, runtime=runtime), m.token_ids(tokens=5, sequences=4), batch=2
    )
    assert routing.tokens == 20
