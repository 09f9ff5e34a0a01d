"""The annotated graph: every node says what it is of, and costs add up to the program's."""

from pathlib import Path

import numpy as np
import onnx
import pytest

import moexbar as mx
from ir.program import Opcode
from moexbar.annotated import FEW, Notes, notes
from moexbar.compilation import Compilation
from tests.paths import MODELS

INPUTS = MODELS / "heldout.npz"


@pytest.fixture(scope="module")
def done() -> Compilation:
    """Stacked, so that all that can be said of a node is."""
    return mx.compile(
        MODELS / "token_choice.onnx",
        inputs=INPUTS,
        prefill=16,
        placement=mx.PlacementOptions(stacks=mx.StackOptions("apart")),
        baselines="none",
        execute=False,
    )


@pytest.fixture(scope="module")
def said(done: Compilation) -> Notes:
    return notes(done.compiled, done.model.source)


def test_every_node_of_every_operator_is_noted(done: Compilation, said: Notes) -> None:
    nodes = {node for op in done.compiled.workload.operators for node in op.nodes}
    assert nodes == set(said)
    names = {node.name for node in done.model.source.nodes}
    assert set(said) <= names


def test_costs_of_operators_add_up_to_the_program(done: Compilation, said: Notes) -> None:
    """Of each operator one node: every instruction is of one operator."""
    program = done.program
    firsts = [op.nodes[0] for op in done.compiled.workload.operators if op.nodes]
    energy = sum(float(said[node].get("moexbar.energy_uj", 0)) for node in firsts)
    assert energy == pytest.approx(program.energy_fj.sum() / 1e9, abs=0.0005 * len(firsts))
    assert sum(int(said[node]["moexbar.instructions"]) for node in firsts) == len(program)


def test_a_matrix_of_one_expert_says_its_own_group_and_products(
    done: Compilation, said: Notes
) -> None:
    program, [layer] = done.program, done.compiled.mapping.grouping.layers[:1]
    for expert in range(layer.experts):
        mine = (program.opcode == Opcode.MVM) & (program.expert == expert)
        mine &= (program.layer == layer.layer) & (program.stage == 1)
        found = said[f"layers.{layer.layer}.moe.experts.{expert}.down/MatMul"]
        [group] = [n for n, g in enumerate(layer.groups) if expert in g]
        assert found["moexbar.group"].startswith(f"group {group}: experts ")
        assert str(expert) in found["moexbar.group"].split(": ")[1]
        assert found["moexbar.block"].startswith(f"down of expert {expert}: ")
        many = np.count_nonzero(mine)
        assert found["moexbar.mvm"].startswith(f"{many} products, " if many else "none")


def test_a_stack_names_all_that_share_its_peripheral_groups(done: Compilation, said: Notes) -> None:
    stacks = done.compiled.mapping.stacks.stacks
    told = {text for note in said.values() if (text := note.get("moexbar.stack"))}
    assert told  # the model has layers that are never at work together
    for text in told:
        number, members = text.removeprefix("stack ").split(": ", 1)
        assert members == "; ".join(map(str, stacks[int(number)]))


def test_what_reads_no_matrix_on_crossbars_says_so_by_silence(said: Notes) -> None:
    attention = said["layers.0.attn/Softmax"]
    assert attention["moexbar.operator"] == "L0.attention"
    assert not {"moexbar.block", "moexbar.mvm", "moexbar.die"} & set(attention)


def test_the_file_has_every_node_and_no_weights(done: Compilation, tmp_path: Path) -> None:
    done.save(tmp_path / "out", ("report", "annotated"))
    file = tmp_path / "out" / "annotated.onnx"
    model = onnx.load(file, load_external_data=False)
    metadata = {n.name: {p.key: p.value for p in n.metadata_props} for n in model.graph.node}
    assert set(metadata) == {node.name for node in done.model.source.nodes}
    assert metadata["layers.0.attn/Softmax"]["moexbar.operator"] == "L0.attention"
    large = [t for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    assert {t.name for t in large} >= {"layers.0.attn.q.weight", "embed.weight"}
    assert file.stat().st_size < 400_000  # the model has 11 MB, of 5.3 million weights
    again = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    assert again.graph.output[0].name == done.model.source.graph.outputs[0].name


def test_a_shape_without_weights_is_annotated_too(tmp_path: Path) -> None:
    config = '{"model_type": "mixtral", "hidden_size": 64, "intermediate_size": 64'
    config += ', "vocab_size": 64, "num_hidden_layers": 2'
    config += ', "num_attention_heads": 4, "num_key_value_heads": 4'
    config += ', "num_local_experts": 4, "num_experts_per_tok": 2, "max_position_embeddings": 64}'
    (tmp_path / "config.json").write_text(config)
    found = mx.compile(tmp_path / "config.json", routing="synthetic", prefill=8, baselines="none")
    found.save(tmp_path / "out", ("annotated",))
    model = onnx.load(tmp_path / "out" / "annotated.onnx", load_external_data=False)
    keys = {p.key for node in model.graph.node for p in node.metadata_props}
    assert {"moexbar.operator", "moexbar.block", "moexbar.group", "moexbar.mvm"} <= keys


def test_many_things_are_counted_instead_of_named(done: Compilation) -> None:
    """One node that reads all experts' matrices, as a fused layer's, names but a few."""
    from moexbar.annotated import _some

    assert _some(["a", "b"]) == "a; b"
    assert _some(list("abcdefghij")) == "a; b; c; d; e; f; g; h and 2 more"
    assert FEW == 8
