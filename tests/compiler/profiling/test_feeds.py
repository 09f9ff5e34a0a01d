"""What a model is fed with, for every shape that its inputs can have."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiler.frontend import read_model
from compiler.frontend.facts.graph import Graph
from compiler.profiling.feeds import Feeds, sequences_given
from compiler.profiling.profile import profile
from ir.errors import InputError
from ir.onnxdoor.load import open_model
from ir.onnxdoor.processes.session import Runtime
from tests.compiler.frontend import models as m


def rows_model(folder: Path, rows: int | str = "rows") -> Path:
    """An MoE block on vectors [rows, d], with a bias per row that is an input too."""
    g = m.Graph()
    out = g("Add", m.dense_masked()(g, "x"), "shift")
    g.nodes[-1].output[0] = "y"
    del out
    shape: m.Dims = [rows, m.D]
    inputs = dict.fromkeys(("x", "shift"), (1, shape))
    return g.model(folder / "m.onnx", {"y": shape}, inputs)


def rows_of(count: int) -> dict[str, Any]:
    """Row i of `x` holds i, of `shift` 100 + i."""
    numbers = np.arange(count, dtype=np.float32)[:, None] * np.ones(m.D, dtype=np.float32)
    return {"x": numbers, "shift": 100 + numbers}


def feeds_of(path: Path, inputs: dict[str, Any], tokens: int | None, **options: Any) -> Feeds:
    source = open_model(path)
    return Feeds(Graph.of(source), read_model(source, prove=False), inputs, tokens, **options)


def test_rows_are_cut_into_sequences(tmp_path: Path) -> None:
    """23 rows are 3 sequences of 7, and 2 rows are left out; sequence 1 is rows 7 to 13."""
    feeds = feeds_of(rows_model(tmp_path), rows_of(23), 7)
    assert (feeds.sequences, feeds.left_out) == (3, 2)
    second = feeds.of(range(1, 2))
    assert second["x"][:, 0].tolist() == [7, 8, 9, 10, 11, 12, 13]
    assert second["shift"][:, 0].tolist() == [107, 108, 109, 110, 111, 112, 113]
    assert feeds.length(second) == 7


def test_a_shorter_run_starts_where_its_sequence_does(tmp_path: Path) -> None:
    """The first 3 of the 7 rows of sequence 2: 14, 15 and 16, not 6, 7 and 8."""
    feeds = feeds_of(rows_model(tmp_path), rows_of(23), 3, each=7)
    assert feeds.sequences == 3
    assert feeds.of(range(2, 3))["x"][:, 0].tolist() == [14, 15, 16]
    assert feeds.of(range(2, 3))["shift"][:, 0].tolist() == [114, 115, 116]


def test_rows_without_a_length_are_one_sequence(tmp_path: Path) -> None:
    feeds = feeds_of(rows_model(tmp_path), rows_of(23), None)
    assert (feeds.sequences, feeds.left_out) == (1, 0)
    assert feeds.of(range(1))["x"].shape == (23, m.D)


def test_rows_of_a_fixed_length(tmp_path: Path) -> None:
    """A file for exactly 8 rows takes 23 of them as two sequences."""
    feeds = feeds_of(rows_model(tmp_path, 8), rows_of(23), None)
    assert (feeds.sequences, feeds.left_out) == (2, 7)


def test_rows_with_an_axis_of_sequences(tmp_path: Path) -> None:
    inputs = {name: array.reshape(3, 8, m.D) for name, array in rows_of(24).items()}
    feeds = feeds_of(rows_model(tmp_path), inputs, 5)
    assert (feeds.sequences, feeds.left_out) == (3, 0)
    assert feeds.of(range(1, 2))["x"][:, 0].tolist() == [8, 9, 10, 11, 12]


def test_fewer_rows_than_a_sequence_has(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'x': sequences of 23 tokens, asked for 24"):
        feeds_of(rows_model(tmp_path), rows_of(23), 24)


def test_rows_that_are_left_out_are_said(tmp_path: Path, runtime: Runtime) -> None:
    """As many experts a row as the router takes, for the 21 rows of 3 sequences."""
    path, told = rows_model(tmp_path), list[str]()
    source = open_model(path)
    workload = read_model(source, tokens=7, runtime=runtime)
    (layer,) = workload.moe_layers
    assert layer.d_model == m.D
    routing = profile(source, workload, rows_of(23), tokens=7, say=told.append, runtime=runtime)
    assert told == ["left out the last 2 rows: they fill no sequence"]
    assert routing.sequence.tolist() == [0] * 7 + [1] * 7 + [2] * 7
    assert sequences_given(source, rows_of(23), 7) == 3
    assert sequences_given(source, {}, 7) == 0


def test_an_input_of_every_sequence(tmp_path: Path) -> None:
    """What has exactly the shape that the model wants goes to each sequence as it is."""
    g = m.Graph()
    g("Add", m.dense_masked()(g, "x"), "goal")
    g.nodes[-1].output[0] = "y"
    shape: m.Dims = [1, "tokens", m.D]
    inputs: dict[str, tuple[int, m.Dims]] = {"x": (1, shape), "goal": (1, [1, m.D])}
    path = g.model(tmp_path / "m.onnx", {"y": shape}, inputs)
    x = np.zeros((4, 9, m.D), dtype=np.float32)
    goal = np.arange(m.D, dtype=np.float32)[None]
    fed = feeds_of(path, {"x": x, "goal": goal}, 5).of(range(2, 3))
    assert fed["x"].shape == (1, 5, m.D)
    assert np.array_equal(fed["goal"], goal)
    with pytest.raises(InputError, match=r"'goal': shape \[\], expected 4 sequences of 2 axes"):
        feeds_of(path, {"x": x, "goal": np.float32(3)}, 5).of(range(1))
