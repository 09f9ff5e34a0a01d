"""Which attention is seen to be causal by running it, whatever its mask compares.

Masks are written [T, T], rows queries and columns keys, from positions counted at run time.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper

from compiler.frontend import read_model
from compiler.frontend.proof.causal import starts
from ir.onnxdoor.processes.session import Runtime
from ir.workload import Attention, Workload
from tests.compiler.frontend import models as m

Mask = Callable[[m.Graph], str]


def places(g: m.Graph) -> tuple[str, str]:
    """Positions of keys [1, T] and of queries [T, 1]."""
    length = g("Squeeze", g("Shape", "input_ids", start=1, end=2))
    place = g("Range", g.constant(0), length, g.constant(1))
    return g("Unsqueeze", place, g.constant([0])), g("Unsqueeze", place, g.constant([1]))


def back(g: m.Graph) -> str:
    """All up to its own."""
    return g("LessOrEqual", *places(g))


def sliding(g: m.Graph) -> str:
    """Its own and two before."""
    key, query = places(g)
    near = g("Greater", key, g("Sub", query, g.constant(3)))
    return g("And", g("LessOrEqual", key, query), near)


def window(g: m.Graph) -> str:
    """Two on either side."""
    return g("LessOrEqual", g("Abs", g("Sub", *places(g))), g.constant(2))


def chunks(g: m.Graph) -> str:
    """All of its own four, and of those before."""
    key, query = (g("Div", place, g.constant(4)) for place in places(g))
    return g("LessOrEqual", key, query)


def but_the_first(g: m.Graph) -> str:
    """The first token sees itself, the others everything: only changes after token 1 tell."""
    key, query = places(g)
    return g("Or", g("LessOrEqual", key, query), g("GreaterOrEqual", query, g.constant(1)))


def read(path: Path, runtime: Runtime) -> tuple[Attention, Workload]:
    workload = read_model(path, runtime=runtime)
    (found,) = workload.attentions()
    return found, workload


def static(folder: Path, tokens: int, mask: Mask) -> Path:
    g = m.transformer(m.Graph(), [m.gated], mask=mask)
    shape: dict[str, m.Dims] = {"logits": [1, tokens, m.VOCAB]}
    return g.model(folder / "static.onnx", shape, {"input_ids": (7, [1, tokens])})


@pytest.mark.parametrize("mask", [back, sliding])
def test_causal(mask: Mask, tmp_path: Path, runtime: Runtime) -> None:
    """Queries are its first input's alone: keys, values and the mask's length are kept."""
    found, workload = read(m.write(tmp_path, [m.gated], mask=mask), runtime)
    assert (found.causal, found.proven) == (True, True)
    assert len(found.queries) == 1
    assert "input_ids" in found.kept
    assert len(found.kept) == 3
    assert not [note for note in workload.notes if "attention" in note]


@pytest.mark.parametrize("mask", [window, chunks, but_the_first])
def test_looks_ahead(mask: Mask, tmp_path: Path, runtime: Runtime) -> None:
    found, workload = read(m.write(tmp_path, [m.gated], mask=mask), runtime)
    assert (found.causal, found.proven) == (False, False)
    (note,) = (note for note in workload.notes if "attention" in note)
    assert note.endswith(
        "its mask compares positions, but tokens look ahead: it waits for all tokens"
    )


@pytest.mark.parametrize(
    ("tokens", "mask", "causal"),
    [
        (1, window, True),  # a token alone has none ahead
        (2, back, True),
        (2, window, False),
        (3, but_the_first, False),
        (5, back, True),
        (5, sliding, True),
        (5, but_the_first, False),
        (9, but_the_first, False),
    ],
)
def test_static_export(
    tokens: int, mask: Mask, causal: bool, tmp_path: Path, runtime: Runtime
) -> None:
    """It is run on its own number of tokens."""
    found, _ = read(static(tmp_path, tokens, mask), runtime)
    assert (found.causal, found.proven) == (causal, causal)


def test_every_token_is_replaced_first_once() -> None:
    """All of 11 but token 0, which has none before; of more, ten from the second to the last."""
    assert [starts(n) for n in (1, 2, 3)] == [[], [1], [1, 2]]
    assert starts(11) == list(range(1, 11))
    assert starts(64) == [1, 7, 14, 21, 28, 35, 42, 49, 56, 63]


def test_it_is_not_run_where_nothing_is_proven(tmp_path: Path) -> None:
    """Reading alone, without ONNX Runtime, takes a mask that compares positions at its word."""
    (found,) = read_model(m.write(tmp_path, [m.gated]), prove=False).attentions()
    assert (found.causal, found.proven) == (True, False)


def grouped(folder: Path, *, mean: bool = False) -> Path:
    """GroupQueryAttention with its caches as inputs; mean: keys less their mean over all tokens."""
    g = m.Graph()
    x = g("Gather", g.weight(g.vocab, g.d, scale=1.0), "input_ids")
    h = m.rms_norm(g, x)
    q, k, v = (m.linear(g, h, g.d, 2 * m.HEAD) for _ in range(3))
    if mean:
        k = g("Sub", k, g("ReduceMean", k, g.constant([1]), keepdims=1))
    length = g("Shape", "input_ids", start=1, end=2)
    total = g("Cast", g("Squeeze", length), to=TensorProto.INT32)
    last = g("Cast", g("Sub", length, g.constant([1])), to=TensorProto.INT32)
    made = ["mixed", "present_key", "present_value"]
    kinds: dict[str, Any] = {"domain": "com.microsoft", "num_heads": 2, "kv_num_heads": 2}
    given = [q, k, v, "past_key", "past_value", last, total]
    g.nodes.append(helper.make_node("GroupQueryAttention", given, made, **kinds))
    x = g("Add", x, m.linear(g, "mixed", 2 * m.HEAD, g.d))
    x = g("Add", x, m.dense_masked()(g, m.rms_norm(g, x)))
    g.nodes.append(helper.make_node("MatMul", [x, g.weight(g.d, g.vocab)], ["logits"]))
    past: m.Dims = [1, 2, "past", m.HEAD]
    inputs: Any = {"input_ids": (7, [1, "tokens"]), "past_key": (1, past), "past_value": (1, past)}
    return g.model(
        folder / "m.onnx", {**m.LOGITS, "present_key": past, "present_value": past}, inputs
    )


def test_an_operator_that_takes_its_past(tmp_path: Path, runtime: Runtime) -> None:
    """It is causal by its definition, and so it need not be run."""
    found, workload = read(grouped(tmp_path), runtime)
    assert (found.causal, found.proven) == (True, True)
    assert len(found.queries) == 1
    assert not [note for note in workload.notes if "attention" in note]


def test_an_operator_behind_a_mean_over_all_tokens(tmp_path: Path, runtime: Runtime) -> None:
    """Its definition says nothing of what keys are made of, which are in the attention too."""
    found, workload = read(grouped(tmp_path, mean=True), runtime)
    assert (found.causal, found.proven) == (False, False)
    assert any("tokens look ahead" in note for note in workload.notes)


def test_packed_queries_are_kept(tmp_path: Path, runtime: Runtime) -> None:
    """One matrix makes queries, keys and values: all of it is looked at by later tokens."""
    found, _ = read(m.with_past(tmp_path), runtime)
    assert found.proven
    assert found.queries == ()
    assert found.kept == found.inputs
