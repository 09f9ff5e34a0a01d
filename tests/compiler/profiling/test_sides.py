"""An encoder and a decoder: the tokens of each side are routed, or there is a reason why not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiler.frontend import read_model
from compiler.frontend.facts.graph import Graph
from compiler.profiling.feeds import Feeds
from compiler.profiling.profile import profile
from compiler.profiling.rows import ShortSequencesError
from ir.errors import InputError
from ir.onnxdoor.load import open_model
from ir.onnxdoor.processes.session import Runtime
from tests.compiler.frontend import models as m
from tests.compiler.frontend.sides import SOURCE, TARGET, two_sided


def ids(source: int, target: int) -> dict[str, Any]:
    first, second = (m.token_ids(n, 3, seed=n)["input_ids"] for n in (source, target))
    return {SOURCE: first, TARGET: second}


@pytest.mark.parametrize("tokens", [None, 8, 12])
def test_sides_of_different_lengths(tokens: int | None, tmp_path: Path, runtime: Runtime) -> None:
    """Cutting the source of 20 tokens to 12 would be another translation."""
    path = two_sided(tmp_path, "source", "target")
    workload = read_model(path, runtime=runtime)
    assert len(workload.moe_layers) == 2
    told = "'input_ids' has 20, 'decoder_input_ids' has 12; one number .* each side: 20,12"
    with pytest.raises(InputError, match=told):
        profile(path, workload, ids(20, 12), tokens=tokens, runtime=runtime)


def test_sides_of_one_length(tmp_path: Path, runtime: Runtime) -> None:
    path = two_sided(tmp_path, "source", "target")
    routing = profile(path, read_model(path, runtime=runtime), ids(12, 12), runtime=runtime)
    assert routing.tokens == 36
    assert np.array_equal(routing.layer, [0, 1])


def test_sides_exported_for_different_lengths(tmp_path: Path) -> None:
    """No one number is right for both: said, instead of each side asking for its own."""
    path = two_sided(tmp_path, 20, 12)
    told = "as exported: 'input_ids' 20, 'decoder_input_ids' 12; asked for 12 .* --prefill 20,12"
    with pytest.raises(InputError, match=told):
        read_model(path, tokens=12, prove=False)


def test_each_side_routes_its_own_tokens(tmp_path: Path, runtime: Runtime) -> None:
    """Three sequences of 20 and 12 tokens, top 2: 60 tokens x 2 pairs, 36 x 2.

    A token of either side goes where it goes alone: the first 12 of the encoder as in sequences of
    12, where no token looks at another before its experts.
    """
    path = two_sided(tmp_path, "source", "target")
    given = ids(20, 12)
    routing = profile(path, read_model(path, (20, 12), runtime=runtime), given, runtime=runtime)
    assert routing.choices is not None
    assert routing.weights is not None
    assert routing.sequence.tolist() == [0] * 20 + [1] * 20 + [2] * 20
    routed = routing.choices[..., 0].reshape(2, 3, 20) >= 0
    assert routed[0].all()
    assert np.array_equal(routed[1], np.tile(np.arange(20) < 12, (3, 1)))
    assert [(layer >= 0).sum() for layer in routing.choices] == [120, 72]
    short = {SOURCE: given[SOURCE][:, :12], TARGET: given[TARGET]}
    alike = profile(path, read_model(path, runtime=runtime), short, runtime=runtime)
    assert alike.choices is not None
    first = routing.choices[0].reshape(3, 20, 2)[:, :12]
    assert np.array_equal(first, alike.choices[0].reshape(3, 12, 2))


def test_a_mask_hides_tokens_of_its_side(tmp_path: Path, runtime: Runtime) -> None:
    """Of 6 source tokens the last two are padding; the decoder's 9 are all routed."""
    path = two_sided(tmp_path, "source", "target", masked=True)
    workload = read_model(path, (6, 9), runtime=runtime)
    mask = np.ones((3, 6), dtype=np.int64)
    mask[1, 4:] = 0
    told: list[str] = []
    given = {**ids(6, 9), "attention_mask": mask}
    routing = profile(path, workload, given, say=told.append, runtime=runtime)
    assert routing.choices is not None
    routed = routing.choices[..., 0].reshape(2, 3, 9) >= 0
    assert routed[0].sum(axis=1).tolist() == [6, 4, 6]
    assert routed[1].sum(axis=1).tolist() == [9, 9, 9]
    assert told == ["2 tokens that the attention mask hides are not routed"]


def test_inputs_are_cut_to_their_side(tmp_path: Path, runtime: Runtime) -> None:
    """The mask that is missing has the encoder's length, as its axis has that name."""
    path = two_sided(tmp_path, "source", "target", masked=True)
    workload = read_model(path, (6, 9), prove=False, runtime=runtime)
    graph = Graph.of(open_model(path))
    fed = Feeds(graph, workload, ids(8, 10), None).of(range(1))
    lengths = {name: array.shape[1] for name, array in fed.items()}
    assert lengths == {SOURCE: 6, TARGET: 9, "attention_mask": 6}
    with pytest.raises(
        ShortSequencesError, match="'input_ids': sequences of 5 tokens, asked for 6"
    ):
        Feeds(graph, workload, ids(5, 10), None).of(range(1))
