"""Every stored number is on crossbars, digital, folded or unused: counted here by hand."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from compiler.frontend import read_model
from compiler.frontend.account.tensors import covered
from ir.account import WeightAccount
from ir.onnxdoor.processes.session import Runtime
from ir.workload import Weight
from tests.compiler.frontend.left_digital import UNREAD_BRANCHES, UNREAD_INTEGERS, stored_elements
from tests.compiler.frontend.models import (
    EXPERTS,
    HIDDEN,
    LOGITS,
    VOCAB,
    D,
    Ffn,
    Graph,
    dense_masked,
    gather_batched,
    linear,
    quantised_contract,
    rms_norm,
    transformer,
    write,
)
from tests.paths import MODELS

ATTENTION = 4 * D * D  # q, k, v and the out-projection
EXPERT = 3 * D * HIDDEN
EXPERTS_OF_LAYER = EXPERTS * EXPERT
ROUTER = D * EXPERTS
TABLE = VOCAB * D  # the embedding, and the head


def groups(account: WeightAccount) -> dict[tuple[str, str], tuple[int, int]]:
    """Nodes and elements by operator and by how they are held."""
    return {(g.operator, g.held): (g.nodes, g.elements) for g in account.groups}


def account_of(path: Path, runtime: Runtime) -> WeightAccount:
    return read_model(path, runtime=runtime).account


def test_a_model_that_is_read(tmp_path: Path, runtime: Runtime) -> None:
    found = account_of(write(tmp_path, [dense_masked()]), runtime)
    assert found.crossbar == ATTENTION + EXPERTS_OF_LAYER + TABLE
    assert groups(found) == {
        ("Gather", "table"): (1, TABLE),
        ("router", "matrix"): (1, ROUTER),
        ("Mul", "other"): (4, 3 * D + 4),  # three norms, and 4 frequencies of the positions
    }
    assert found.unused == 0
    assert found.matrices == found.crossbar + TABLE + ROUTER
    outside = found.crossbar + ROUTER
    assert found.placed_percent_outside_tables == 100 * found.crossbar / outside


@pytest.mark.parametrize(
    ("block", "operator", "nodes"),
    [(UNREAD_INTEGERS, "MatMulInteger", 3 * EXPERTS), (UNREAD_BRANCHES, "If", EXPERTS)],
)
def test_experts_that_are_not_read(
    block: Ffn, operator: str, nodes: int, tmp_path: Path, runtime: Runtime
) -> None:
    """All that the experts hold is said to be digital, with the operator and how much it is."""
    workload = read_model(write(tmp_path, [block]), runtime=runtime)
    found = workload.account
    assert not workload.moe_layers
    assert groups(found)[operator, "matrix"] == (nodes, EXPERTS_OF_LAYER)
    assert found.crossbar == ATTENTION + TABLE + ROUTER  # the router is a product like any other
    share = 100 * EXPERTS_OF_LAYER / (EXPERTS_OF_LAYER + found.crossbar)
    (note,) = (n for n in workload.notes if operator in n)
    assert f"({operator}) and {nodes - 1} more stays digital, with {share:.1f} % of" in note


@pytest.mark.parametrize(("bits", "block"), [(4, 0), (4, 16), (8, 0)])
def test_packed_bytes_count_one_by_one(
    bits: int, block: int, tmp_path: Path, runtime: Runtime
) -> None:
    """4 bits: a byte is two elements. Scales are folded: 2 h + d a row, or for each 16 of one."""
    path = write(tmp_path, [quantised_contract(bits, block)])
    found = account_of(path, runtime)
    assert found.crossbar == ATTENTION + EXPERTS_OF_LAYER + TABLE
    assert found.elements == stored_elements(path)


def test_tied_embedding_is_on_crossbars_and_listed(tmp_path: Path, runtime: Runtime) -> None:
    """The head is the table turned: its elements count once, for the product."""
    g = Graph()
    table = g.weight(VOCAB, D, scale=1.0)
    x = g("Gather", table, "input_ids")
    x = g("Add", x, dense_masked()(g, rms_norm(g, x)))
    g.nodes.append(helper.make_node("MatMul", [x, g("Transpose", table, perm=[1, 0])], ["logits"]))
    found = account_of(g.model(tmp_path / "tied.onnx", LOGITS), runtime)
    assert found.crossbar == EXPERTS_OF_LAYER + TABLE
    (shared,) = found.shared
    assert (shared.tensor, shared.elements, shared.copies) == (table, TABLE, 1)
    assert [name.rpartition(".")[2] for name in shared.operators] == ["dense", "embed"]


def test_layers_that_share_a_matrix(tmp_path: Path, runtime: Runtime) -> None:
    g = Graph()
    x = g("Gather", g.weight(VOCAB, D, scale=1.0), "input_ids")
    matrix = g.weight(D, D)
    for _ in range(2):
        x = g("Relu", g("MatMul", x, matrix))
    g.nodes.append(helper.make_node("MatMul", [x, g.weight(D, VOCAB)], ["logits"]))
    workload = read_model(g.model(tmp_path / "shared.onnx", LOGITS), runtime=runtime)
    assert workload.account.crossbar == D * D + TABLE
    (shared,) = workload.account.shared
    assert (shared.tensor, shared.copies, len(shared.operators)) == (matrix, 1, 2)
    assert workload.notes == ()


def test_halves_of_a_tensor_are_no_repetition(tmp_path: Path, runtime: Runtime) -> None:
    """Gate and up stand in one tensor; each is a matrix of its own."""
    found = account_of(write(tmp_path, [gather_batched()]), runtime)
    assert found.crossbar == ATTENTION + EXPERTS_OF_LAYER + TABLE
    assert found.shared == ()


def test_bias_of_a_product_is_folded(tmp_path: Path, runtime: Runtime) -> None:
    """D numbers more are folded with a bias than without; no more are digital."""

    def account(biased: bool) -> WeightAccount:
        g = Graph()
        x = g("Gather", g.weight(VOCAB, D, scale=1.0), "input_ids")
        g.biased = biased
        x = linear(g, x, D, D)
        g.biased = False
        g.nodes.append(helper.make_node("MatMul", [x, g.weight(D, VOCAB)], ["logits"]))
        return account_of(g.model(tmp_path / f"{biased}.onnx", LOGITS), runtime)

    with_it, without = account(True), account(False)
    assert with_it.folded - without.folded == D
    assert with_it.digital == without.digital


def test_functions_convolutions_and_what_nobody_reads(tmp_path: Path, runtime: Runtime) -> None:
    """A function's constant counts once for its two calls; one that is never called is unused."""
    g = Graph()
    g.constant(np.zeros((3, 5)), np.float32)
    x = g("Gather", g.weight(VOCAB, D, scale=1.0), "input_ids")
    x = g("Call", x, domain="own")
    x = g("Call", x, domain="own")
    x = g("MatMul", x, g("Constant", value=helper.make_tensor("w", 1, [D, D], [0.1] * D * D)))
    mixed = g("Conv", g("Transpose", x, perm=[0, 2, 1]), g.weight(D, D, 3), pads=[2, 0])
    x = g("Transpose", mixed, perm=[0, 2, 1])
    g.nodes.append(helper.make_node("MatMul", [x, g.weight(D, VOCAB)], ["logits"]))
    path = g.model(tmp_path / "functions.onnx", LOGITS)
    model = onnx.load(path)
    for name in ("Call", "NeverCalled"):
        weight = helper.make_tensor("w", TensorProto.FLOAT, [D, D], [0.1] * D * D)
        nodes = [
            helper.make_node("Constant", [], ["w"], value=weight),
            helper.make_node("MatMul", ["x", "w"], ["y"]),
        ]
        opsets = [helper.make_opsetid("", 18)]
        model.functions.append(helper.make_function("own", name, ["x"], ["y"], nodes, opsets))
    model.opset_import.append(helper.make_opsetid("own", 1))
    onnx.save(model, path)
    found = account_of(path, runtime)
    assert found.elements == stored_elements(path)
    assert found.unused == D * D + 3 * 5
    assert groups(found)["Conv", "matrix"] == (1, 3 * D * D)
    assert found.crossbar == D * D + D * D + TABLE
    (called,) = found.shared
    assert (called.elements, called.copies) == (D * D, 2)


def test_a_scale_of_a_matrix_is_folded(tmp_path: Path, runtime: Runtime) -> None:
    """[D, D] times one scale a column: the larger side is the matrix, whether it is read or not."""
    g = Graph()
    x = g("Gather", g.weight(VOCAB, D, scale=1.0), "input_ids")
    scaled = g("Mul", g.weight(D, D), g.weight(1, D, scale=1.0))
    x = g("MatMul", x, scaled)
    g.nodes.append(helper.make_node("MatMul", [x, g.weight(D, VOCAB)], ["logits"]))
    found = account_of(g.model(tmp_path / "scaled.onnx", LOGITS), runtime)
    held = groups(found).get(("MatMul", "matrix"), (0, 0))[1]
    assert held + found.crossbar == D * D + TABLE
    assert found.folded == D


def test_routed_stack_is_a_matrix_and_its_bias_is_not(tmp_path: Path, runtime: Runtime) -> None:
    """Matrices taken by the ids of a selection are no table, though a Gather reads them.

    What two of them give is joined, not added up, so this is no MoE layer that is read.
    """
    g = Graph()
    x = g("Gather", g.weight(VOCAB, D, scale=1.0), "input_ids")
    _, pick = g.many("TopK", g("Tanh", x), g.constant([2]), outputs=2, axis=-1)
    stack, bias = g.weight(D, D, D), g.weight(D, D, scale=0.1)
    column = g("Unsqueeze", x, g.constant([2, 4]))
    product = g("MatMul", g("Gather", stack, pick), column)  # [1, tokens, 2, D, 1]
    both = g("Add", g("Squeeze", product, g.constant([-1])), g("Gather", bias, pick))
    x = g("Reshape", both, g.constant([0, -1, 2 * D]))
    g.nodes.append(helper.make_node("MatMul", [x, g.weight(2 * D, VOCAB)], ["logits"]))
    found = account_of(g.model(tmp_path / "picked.onnx", LOGITS), runtime)
    assert groups(found)["MatMul", "matrix"] == (1, D * D * D)
    assert groups(found)["Add", "other"] == (1, D * D)
    assert found.tables == TABLE


def test_attention_masks_and_positions_are_no_matrices(tmp_path: Path, runtime: Runtime) -> None:
    """A stored lower triangle [64, 64] is held, but nothing is multiplied with it."""

    def mask(g: Graph) -> str:
        stored = g.constant(np.tril(np.ones((64, 64))), np.bool_)
        length = g("Shape", "input_ids", start=1, end=2)
        ends = g("Concat", length, length, axis=0)
        return g("Slice", stored, g.constant([0, 0]), ends, g.constant([0, 1]))

    g = transformer(Graph(), [dense_masked()], mask=mask)
    found = account_of(g.model(tmp_path / "mask.onnx", LOGITS), runtime)
    assert groups(found)["Where", "other"] == (1, 64 * 64)
    assert found.placed_percent_outside_tables > 90


def test_what_matrices_cover() -> None:
    """4 x 6: rows 0..5 as columns 0, 2, 4 (12), and turned, rows 1 and 2 (12): 6 are in both."""
    every_other = Weight("w", rows=4, columns=3, step=2)
    turned = Weight("w", rows=6, columns=2, start=1, transposed=True)
    assert covered([every_other]) == 12
    assert covered([every_other, every_other]) == 12
    assert covered([every_other, turned]) == 12 + 12 - 3 * 2
    assert covered([Weight("w", 4, 6, index=0), Weight("w", 4, 6, index=1)]) == 48


@pytest.mark.parametrize("name", ["token_choice", "expert_choice"])
def test_shipped_models_are_placed(name: str, runtime: Runtime) -> None:
    path = MODELS / f"{name}.onnx"
    found = account_of(path, runtime)
    assert found.elements == stored_elements(path)
    assert found.placed_percent_outside_tables > 99.9
