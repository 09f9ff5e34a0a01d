"""What a digital operator costs for the matrices that it holds, counted by hand from the shapes."""

from pathlib import Path

import numpy as np
import pytest
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from compiler.frontend import read_model
from ir.onnxdoor.processes.session import Runtime
from ir.workload import Digital, Workload
from tests.compiler.frontend.left_digital import UNREAD_BRANCHES, UNREAD_INTEGERS
from tests.compiler.frontend.models import (
    EXPERTS,
    HIDDEN,
    LOGITS,
    VOCAB,
    D,
    Graph,
    dense_masked,
    write,
)

EXPERT = 3 * D * HIDDEN
FLOAT = TensorProto.FLOAT


def holding(workload: Workload) -> list[Digital]:
    """The digital operators that hold matrices or take them from a stack."""
    return [op for op in workload.digital() if op.macs or op.weight_bytes or op.gathered_bytes]


def figures(workload: Workload) -> tuple[int, int, int]:
    """Sums over all of them: (macs, weight_bytes, gathered_bytes)."""
    found = holding(workload)
    return (
        sum(op.macs for op in found),
        sum(op.weight_bytes for op in found),
        sum(op.gathered_bytes for op in found),
    )


def read(g: Graph, path: Path, x: str, runtime: Runtime) -> Workload:
    """The model whose last vector [1, tokens, D] is x, with a head."""
    g.nodes.append(helper.make_node("MatMul", [x, g.weight(D, VOCAB)], ["logits"]))
    return read_model(g.model(path / "m.onnx", LOGITS), tokens=16, runtime=runtime)


def embedded(g: Graph) -> str:
    return g("Gather", g.weight(VOCAB, D, scale=1.0), "input_ids")


def test_a_model_that_is_read_holds_nothing(tmp_path: Path, runtime: Runtime) -> None:
    workload = read_model(write(tmp_path, [dense_masked()]), runtime=runtime)
    assert holding(workload) == []


def test_integers(tmp_path: Path, runtime: Runtime) -> None:
    """Every expert on every token: a byte and a MAC for each weight."""
    workload = read_model(write(tmp_path, [UNREAD_INTEGERS]), runtime=runtime)
    assert figures(workload) == (EXPERTS * EXPERT, EXPERTS * EXPERT, 0)
    assert {(op.macs, op.weight_bytes) for op in holding(workload)} == {(D * HIDDEN, D * HIDDEN)}


def test_the_larger_branch_of_an_if(tmp_path: Path, runtime: Runtime) -> None:
    """The other branch has no weights; floats are 4 bytes."""
    workload = read_model(write(tmp_path, [UNREAD_BRANCHES]), runtime=runtime)
    assert figures(workload) == (EXPERTS * EXPERT, 4 * EXPERTS * EXPERT, 0)


def test_matrices_taken_by_run_time_ids(tmp_path: Path, runtime: Runtime) -> None:
    """Two D x D / 2 matrices a token of a stack of 5: their bytes a token, not those of the stack.

    What they give is joined, not added up, so this is no MoE layer that is read.
    """
    g = Graph()
    x = embedded(g)
    _, best = g.many("TopK", x, g.constant([2]), outputs=2, axis=-1)
    picked = g("Gather", g.weight(5, D // 2, D), g("Mod", best, g.constant(5)))
    both = g("MatMul", picked, g("Unsqueeze", x, g.constant([2, 4])))  # [1, tokens, 2, D / 2, 1]
    x = g("Reshape", both, g.constant([0, -1, D]))
    assert figures(read(g, tmp_path, x, runtime)) == (D * D, 0, 4 * D * D)


def pick(g: Graph, x: str) -> str:
    """A number for each token that depends on what it is."""
    return g("ArgMax", x, axis=-1, keepdims=0)


def test_a_convolution(tmp_path: Path, runtime: Runtime) -> None:
    """Tokens x D outputs of D x 3 products each; its kernel is read once a sequence."""
    g = Graph()
    x = g("Transpose", embedded(g), perm=[0, 2, 1])
    mixed = g("Conv", x, g.weight(D, D, 3), pads=[2, 0])
    workload = read(g, tmp_path, g("Transpose", mixed, perm=[0, 2, 1]), runtime)
    assert figures(workload) == (3 * D * D, 4 * 3 * D * D, 0)
    assert holding(workload)[0].scope == "sequence"


@pytest.mark.parametrize("known", [True, False])
def test_loops(known: bool, tmp_path: Path, runtime: Runtime) -> None:
    """Three trips through a D x D matrix; where their number is not known, one for each token."""
    g = Graph()
    x = embedded(g)
    matrix = g.weight(D, D)
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("And", ["go", "go"], ["on"]),  # may end it, so it stays a loop
            helper.make_node("MatMul", ["carried", matrix], ["next"]),
        ],
        "body",
        [
            value("trip", TensorProto.INT64, []),
            value("go", TensorProto.BOOL, []),
            value("carried", FLOAT, None),
        ],
        [value("on", TensorProto.BOOL, []), value("next", FLOAT, None)],
    )
    length = g("Squeeze", g("Shape", "input_ids", start=1, end=2))
    count = g.constant(3) if known else length
    workload = read(g, tmp_path, g("Loop", count, "", x, body=body), runtime)
    head = D * VOCAB  # behind what mixes tokens it stays digital too
    loop = (3 * D * D, 4 * 3 * D * D, 0) if known else (D * D, 0, 4 * D * D)
    assert figures(workload) == (loop[0] + head, loop[1] + 4 * head, loop[2])
    assert any("how often its body runs is not known" in n for n in workload.notes) == (not known)


def test_products_of_what_no_token_is_in_are_free(tmp_path: Path, runtime: Runtime) -> None:
    """Frequencies times positions, as rotary embeddings are exported: [8, 1] @ [1, T]."""
    g = Graph()
    length = g("Squeeze", g("Shape", "input_ids", start=1, end=2))
    place = g("Cast", g("Range", g.constant(0), length, g.constant(1)), to=FLOAT)
    frequencies = g.constant(np.ones((D, 1)), np.float32)
    angles = g("MatMul", frequencies, g("Unsqueeze", place, g.constant([0])))
    x = g("Add", embedded(g), g("Cos", g("Transpose", angles, perm=[1, 0])))
    assert holding(read(g, tmp_path, x, runtime)) == []


def looping(g: Graph, nodes: list[NodeProto]) -> GraphProto:
    """The body of a Loop that carries a vector on to `next`, and may end."""
    value = helper.make_tensor_value_info
    return helper.make_graph(
        [helper.make_node("And", ["go", "go"], ["on"]), *nodes],
        "body",
        [
            value("trip", TensorProto.INT64, []),
            value("go", TensorProto.BOOL, []),
            value("carried", FLOAT, None),
        ],
        [value("on", TensorProto.BOOL, []), value("next", FLOAT, None)],
    )


def test_a_branch_within_a_loop(tmp_path: Path, runtime: Runtime) -> None:
    """Three trips, in each of which one of two branches multiplies by D x D: the larger counts."""
    g = Graph()
    x, matrix = embedded(g), g.weight(D, D)
    value = helper.make_tensor_value_info
    yes = helper.make_node("MatMul", ["carried", matrix], ["much"])
    no = helper.make_node("Neg", ["carried"], ["little"])
    branch = helper.make_node(
        "If",
        ["go"],
        ["next"],
        then_branch=helper.make_graph([yes], "yes", [], [value("much", FLOAT, None)]),
        else_branch=helper.make_graph([no], "no", [], [value("little", FLOAT, None)]),
    )
    go = g("Greater", g("ReduceMax", x, keepdims=0), g.constant(-1e9, np.float32))
    out = g("Loop", g.constant(3), go, x, body=looping(g, [branch]))
    head = D * VOCAB  # behind what mixes tokens
    workload = read(g, tmp_path, out, runtime)
    assert figures(workload) == (3 * D * D + head, 4 * (3 * D * D + head), 0)


def test_a_loop_without_a_count(tmp_path: Path, runtime: Runtime) -> None:
    """It goes on while a condition holds: counted once a token, and said."""
    g = Graph()
    x, matrix = embedded(g), g.weight(D, D)
    step = helper.make_node("MatMul", ["carried", matrix], ["next"])
    go = g("Less", g("ReduceMax", x, keepdims=0), g.constant(-1e9, np.float32))
    workload = read(g, tmp_path, g("Loop", "", go, x, body=looping(g, [step])), runtime)
    head = D * VOCAB
    assert figures(workload) == (D * D + head, 4 * head, 4 * D * D)
    assert any("how often its body runs is not known" in note for note in workload.notes)


@pytest.mark.parametrize("known", [True, False])
def test_scans(known: bool, tmp_path: Path, runtime: Runtime) -> None:
    """A sum of rows, each by a D x D matrix: of three stored ones, or of all tokens."""
    g = Graph()
    x, matrix = embedded(g), g.weight(D, D)
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["row", matrix], ["made"]),
            helper.make_node("Add", ["before", "made"], ["after"]),
        ],
        "body",
        [value("before", FLOAT, [1, D]), value("row", FLOAT, [1, D])],
        [value("after", FLOAT, [1, D])],
    )
    tokens = g("Transpose", x, perm=[1, 0, 2])  # [tokens, 1, D]
    rows = g("Mul", g.weight(3, 1, D), g("ReduceMax", x, keepdims=0)) if known else tokens
    zeros = g(
        "Mul", g("ReduceMean", tokens, g.constant([0]), keepdims=0), g.constant(0.0, "float32")
    )
    out = g("Scan", zeros, rows, body=body, num_scan_inputs=1)
    workload = read(g, tmp_path, g("Add", x, out), runtime)
    scan = (3 * D * D, 4 * 3 * D * D, 0) if known else (D * D, 0, 4 * D * D)
    head = D * VOCAB  # behind what mixes tokens
    assert any("how often its body runs" in note for note in workload.notes) == (not known)
    assert figures(workload) == (scan[0] + head, scan[1] + 4 * head, scan[2])


def test_a_matrix_that_a_branch_gives(tmp_path: Path, runtime: Runtime) -> None:
    """One of two stored matrices, by a condition: a product of D x D, and the bytes of one."""
    g = Graph()
    x = embedded(g)
    branches = {}
    for name in ("then_branch", "else_branch"):
        stored = numpy_helper.from_array(np.ones((D, D), np.float32) / D, f"{name}_w")
        made = helper.make_tensor_value_info(stored.name, FLOAT, [D, D])
        branches[name] = helper.make_graph([], name, [], [made], [stored])
    some = g("Greater", g("ReduceMax", x, keepdims=0), g.constant(0.0, np.float32))
    workload = read(g, tmp_path, g("MatMul", x, g("If", some, **branches)), runtime)
    head = D * VOCAB  # behind what mixes tokens
    assert figures(workload) == (D * D + head, 4 * (D * D + head), 0)


def test_a_matrix_that_a_loop_hands_on(tmp_path: Path, runtime: Runtime) -> None:
    """Three trips by a matrix that each of them carries to the next."""
    g = Graph()
    x, matrix = embedded(g), g.weight(D, D)
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("And", ["go", "go"], ["on"]),
            helper.make_node("MatMul", ["carried", "mine"], ["next"]),
            helper.make_node("Identity", ["mine"], ["same"]),
        ],
        "body",
        [
            value("trip", TensorProto.INT64, []),
            value("go", TensorProto.BOOL, []),
            value("carried", FLOAT, None),
            value("mine", FLOAT, [D, D]),
        ],
        [value("on", TensorProto.BOOL, []), value("next", FLOAT, None), value("same", FLOAT, None)],
    )
    out, _ = g.many("Loop", g.constant(3), "", x, matrix, outputs=2, body=body)
    head = D * VOCAB
    workload = read(g, tmp_path, out, runtime)
    assert figures(workload) == (3 * D * D + head, 4 * (3 * D * D + head), 0)
