"""Inputs and models of odd forms: what is fed, or what is refused and why."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from compiler.frontend import read_model
from compiler.frontend.facts.graph import Graph
from compiler.profiling.feeds import Feeds
from compiler.profiling.profile import profile
from compiler.profiling.sides import side_of_inputs
from ir.errors import InputError
from ir.onnxdoor.load import open_model
from ir.onnxdoor.processes.session import Runtime
from ir.sides import Side
from tests.compiler.frontend import models as m
from tests.compiler.frontend.facts.test_patches import images, vision


def feeds(path: Path, inputs: dict[str, Any], tokens: int | None = None, batch: int = 1) -> Feeds:
    source = open_model(path)
    return Feeds(Graph.of(source), read_model(source, prove=False), inputs, tokens, batch)


def test_an_image_has_as_many_tokens_as_it_has_patches(tmp_path: Path) -> None:
    """16 patches and a class token are no 8 tokens: an image is not cut."""
    path = vision(tmp_path, [1, 3, 16, 16])
    with pytest.raises(InputError, match="become 17 tokens, asked for 8"):
        feeds(path, images(2), 8)


def test_sequences_with_an_axis_of_their_own_before_that_of_the_model(tmp_path: Path) -> None:
    """[3 sequences, 1, 7 tokens], two in a run: [2, 7], then [1, 7] of what is left."""
    path = batched(tmp_path)
    numbers = np.arange(21).reshape(3, 1, 7)
    found = feeds(path, {"input_ids": numbers}, batch=2)
    fed = [found.of(group)["input_ids"] for group in found.groups(3)]
    assert [array.tolist() for array in fed] == [
        numbers[:2, 0].tolist(),
        numbers[2:, 0].tolist(),
    ]


def batched(folder: Path, **more: tuple[int, m.Dims]) -> Path:
    """A norm and an MoE block of any number of sequences, with further inputs that are added."""
    g = m.Graph()
    x = g("Gather", g.weight(g.vocab, g.d, scale=1.0), "input_ids")
    for name, (kind, _) in more.items():
        number = g("Cast", name, to=1) if kind != 1 else name
        x = g("Add", x, g("ReduceSum", number, keepdims=0))
    x = m.dense_masked()(g, m.rms_norm(g, x))
    g.nodes.append(helper.make_node("MatMul", [x, g.weight(g.d, g.vocab)], ["logits"]))
    inputs: dict[str, tuple[int, m.Dims]] = {"input_ids": (7, ["batch", "tokens"]), **more}
    return g.model(folder / "m.onnx", {"logits": ["batch", "tokens", g.vocab]}, inputs)


def test_what_is_made_up_has_the_sizes_of_the_run(tmp_path: Path) -> None:
    """Of two sequences of 7: no past, with the head's size where the axis says it."""
    path = batched(
        tmp_path,
        past=(1, ["batch", 2, "past", 8]),
        some_mask=(7, ["batch", "tokens"]),
        position_ids=(7, ["tokens"]),
    )
    found = feeds(path, m.token_ids(7, 2), batch=2)
    fed = found.of(range(2))
    assert found.made == ["past", "some_mask", "position_ids"]
    assert fed["past"].shape == (2, 2, 0, 8)
    assert fed["some_mask"].tolist() == [[1] * 7] * 2
    assert fed["position_ids"].tolist() == [*range(7)]


@pytest.mark.parametrize(
    ("name", "dims"),
    [("position_bias", [1, "tokens", 4]), ("scale", ["batch"]), ("past", [1, 2, "past", 8])],
)
def test_what_does_not_follow_is_asked_for(name: str, dims: m.Dims, tmp_path: Path) -> None:
    """Not ids of positions, not a cache of any number of sequences: its array is missing."""
    path = batched(tmp_path, **{name: (1, dims)})
    with pytest.raises(InputError, match=f"no array '{name}' .*it does not follow from the others"):
        feeds(path, m.token_ids(7)).of(range(1))


def test_an_input_without_a_shape_takes_any(tmp_path: Path) -> None:
    path = batched(tmp_path, bias=(1, [1]))
    model = onnx.load(path)
    model.graph.input[1].type.tensor_type.ClearField("shape")
    onnx.save(model, path)
    fed = feeds(path, {**m.token_ids(7), "bias": np.ones((1, 5), dtype=np.float32)}).of(range(1))
    assert fed["bias"].shape == (1, 5)


def test_both_kinds_of_choice_in_one_model(tmp_path: Path, runtime: Runtime) -> None:
    path = m.write(tmp_path, [m.dense_masked(), m.expert_choice()])
    workload = read_model(path, runtime=runtime)
    with pytest.raises(InputError, match="token-choice and expert-choice layers in one model"):
        profile(path, workload, m.token_ids(), runtime=runtime)


def test_steps_of_expert_choice_need_a_length(tmp_path: Path, runtime: Runtime) -> None:
    path = m.write(tmp_path, [m.expert_choice()])
    workload = read_model(path, runtime=runtime)
    with pytest.raises(InputError, match="decode steps without a length; say how many tokens"):
        profile(path, workload, m.token_ids(), decode=2, runtime=runtime)


def test_a_traced_loop_that_fails_says_why(tmp_path: Path, runtime: Runtime) -> None:
    """One token hits two experts, the loop is of four: what the second layer reads is not made."""
    path = m.write(tmp_path, [m.traced_loop, m.dense_masked()])
    workload = read_model(path, runtime=runtime)
    with pytest.raises(InputError, match=r"sequence 0: .*the export recorded the routing of one"):
        profile(path, workload, m.token_ids(1), runtime=runtime)


SIDES = (Side(("input_ids",), 20), Side(("decoder_input_ids",), 12))


@pytest.mark.parametrize(
    ("name", "axis", "length", "side"),
    [
        ("attention_mask", "source", None, 0),  # by the name of its axis
        ("attention_mask", "target", None, 1),
        ("attention_mask", "other", 12, 1),  # by the length of its array
        ("attention_mask", "other", 20, 0),
        ("attention_mask", "other", 9, None),  # the past and the run: of neither alone
        ("attention_mask", "other", None, 0),  # by its name
        ("decoder_attention_mask", "other", None, 1),
    ],
)
def test_the_side_of_a_mask(
    name: str, axis: str, length: int | None, side: int | None, tmp_path: Path
) -> None:
    g = m.Graph()
    ids: dict[str, tuple[int, m.Dims]] = {
        "input_ids": (7, [1, "source"]),
        "decoder_input_ids": (7, [1, "target"]),
        name: (7, [1, axis]),
    }
    table = g.weight(g.vocab, g.d)
    sums = [g("ReduceSum", g("Gather", table, given), keepdims=0) for given in [*ids][:2]]
    sums.append(g("Cast", g("ReduceSum", name, keepdims=0), to=1))
    g.nodes.append(helper.make_node("Sum", sums, ["y"]))
    graph = Graph.of(open_model(g.model(tmp_path / "m.onnx", {"y": []}, ids)))
    arrays = {"input_ids": np.zeros((3, 20)), "decoder_input_ids": np.zeros((3, 12))}
    arrays |= {} if length is None else {name: np.zeros((3, length))}
    assert side_of_inputs(graph, SIDES, arrays).get(name) == side
