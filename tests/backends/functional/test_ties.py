"""Where rounding decides a router's selection, the program may have taken either side.

What the recorded run of the model took is made up here by other scores in the routing trace.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from backends.functional import Case, Comparison, Run, compare, execute
from backends.functional.crossbars import Crossbars
from backends.functional.ties import UNIT, gamma
from compiler.frontend import read_model
from compiler.frontend.facts.graph import Graph
from compiler.profiling.feeds import Feeds
from compiler.profiling.profile import profile
from ir.errors import CheckError
from ir.mapping import RoutedOwner
from ir.onnxdoor.load import open_model
from ir.onnxdoor.processes.session import Runtime
from ir.program import Opcode
from ir.routing import Routing
from ir.schedule import Caches
from tests.backends.functional.small import case_of, run_case
from tests.compiler.frontend import models as m
from tests.make import small_chip

Router = Callable[[m.Graph, str], tuple[str, str]]
ONE = m.expert_choice(constant=1)
BEGUN_EQUAL = [7, 7, 7, 3, 5, 2, 9, 11]
CROSSBAR = small_chip(digital={"router_on": "crossbar"})


def best(token: int) -> Callable[[Routing], Routing]:
    """The trace in which all experts score `token` highest, by a little."""

    def reroute(recorded: Routing) -> Routing:
        assert recorded.scores is not None
        scores = recorded.scores.copy()
        scores[0, token] = np.nextafter(scores[0].max(axis=0), np.float32(2))
        return replace(recorded, scores=scores)

    return reroute


def chosen_case(
    runtime: Runtime,
    folder: Path,
    ids: list[int],
    reroute: Callable[[Routing], Routing],
    *,
    decode: int = 0,
    **options: Any,
) -> Case:
    """Experts that take one token each of a sequence, and a layer after them."""
    path = m.write(folder, [ONE, m.gated])
    inputs = {"input_ids": np.array([ids])}
    chip = options.pop("chip", None)
    return case_of(runtime, path, inputs, chip, 1, len(ids), decode, reroute, **options)


def experts_of(case: Case) -> list[int]:
    """How many experts each token has in the program."""
    p, op = case.program, case.workload.moe_layers[0]
    node = case.workload.operators.index(op)
    stores = (p.node == node) & (p.opcode == Opcode.STORE) & (p.expert >= 0)
    return [int((p.token[stores] == token).sum()) for token in range(len(case.sequence))]


def right(done: Comparison) -> bool:
    return done.culprit == -1 and done.first is None and done.worst < 1e-5


@pytest.mark.parametrize("chip", [None, CROSSBAR])
@pytest.mark.parametrize("token", [0, 1, 2])
def test_equal_tokens_at_the_begin_of_a_sequence(
    runtime: Runtime, tmp_path: Path, token: int, chip: Any
) -> None:
    """Three tokens have one vector each, and it is the same: all four experts take either.

    The model's own rounding gives them different tokens, so for each token it is near for some.
    """
    case = chosen_case(runtime, tmp_path, [7, 7, 7], best(token), chip=chip)
    assert experts_of(case) == [m.EXPERTS if t == token else 0 for t in range(3)]
    done = run_case(runtime, case)
    assert right(done)
    assert done.near_ties > 0


def test_only_the_experts_with_a_tie_may_take_either(runtime: Runtime, tmp_path: Path) -> None:
    """Of 7, 7, 3 two experts have 3 as their best, by far: one of the others is wrong there."""
    case = chosen_case(runtime, tmp_path, [7, 7, 3], best(1))
    wrong = r"token 1 on .* sums experts 0, 1, 2, 3, where the router of layer 0 selects 0, 2$"
    with pytest.raises(CheckError, match=wrong):
        execute(case, runtime)


@pytest.mark.parametrize("token", [0, 1])
def test_tokens_that_differ_are_not_tied(runtime: Runtime, tmp_path: Path, token: int) -> None:
    """Each of two unlike tokens is the best of some expert: the other is refused."""
    case = chosen_case(runtime, tmp_path, [7, 3], best(token))
    with pytest.raises(CheckError, match=r"sums experts .* where the router of layer 0 selects"):
        execute(case, runtime)


@pytest.mark.parametrize("go", [True, False])
@pytest.mark.parametrize("newest", [True, False])
def test_a_newcomer_equal_to_a_token_before(
    runtime: Runtime, tmp_path: Path, newest: bool, go: bool
) -> None:
    """Each expert has the first; the newcomer is taken too where it scores more, by rounding.

    The model run anew on both gives either to some expert: that is no error, and told.
    """
    reroute, ids, caches = best(1 if newest else 0), [7, 7], Caches(kv=True, go=go)
    case = chosen_case(runtime, tmp_path, ids, reroute, decode=1, caches=caches)
    assert experts_of(case) == [m.EXPERTS, m.EXPERTS * newest]
    graph, again = Graph.of(case.source), list[list[Run]]()
    for length in (1, 2):
        feeds = Feeds(graph, case.workload, {"input_ids": np.array([ids])}, length)
        again.append([Run(feeds.of(range(1)), np.arange(length)[None])])
    assert right(run_case(runtime, replace(case, again=again)))


@pytest.mark.parametrize("go", [True, False])
def test_newcomers_that_score_more_one_after_the_other(
    runtime: Runtime, tmp_path: Path, go: bool
) -> None:
    """Of four equal tokens the prefill's second and the first newcomer are taken, the last is not.

    Without a cache every step runs all tokens again: each is held against those it was.
    """
    ulps = np.array([0, 1, 2, 0])

    def reroute(recorded: Routing) -> Routing:
        assert recorded.scores is not None
        scores = np.tile(recorded.scores[:, :1], (1, 4, 1)) * (1 + ulps * 2**-22)[:, None]
        return replace(recorded, scores=scores.astype(np.float32))

    caches = Caches(kv=go, go=go)
    case = chosen_case(runtime, tmp_path, [7] * 4, reroute, decode=2, caches=caches)
    assert (np.array(experts_of(case)) > 0).tolist() == [False, True, True, False]
    assert right(run_case(runtime, case))


def rounded_otherwise(
    path: Path, tokens: int, decode: int, seed: int, runtime: Runtime
) -> Callable[[Routing], Routing]:
    """The trace of a run whose first router's weights are one float32 beside: within gamma_16."""
    model, random = onnx.load(path), np.random.default_rng(seed)
    router = next(t for t in model.graph.initializer if list(t.dims) == [m.D, m.EXPERTS])
    weights = onnx.numpy_helper.to_array(router)
    ways = random.choice(np.array([-np.inf, np.inf], dtype=np.float32), weights.shape)
    moved = np.nextafter(weights, ways)
    router.CopyFrom(onnx.numpy_helper.from_array(moved, router.name))
    other = path.with_name("other.onnx")
    onnx.save(model, other)
    source = open_model(other)
    workload = read_model(source, runtime=runtime)

    def reroute(_: Routing) -> Routing:
        inputs = {"input_ids": np.array([BEGUN_EQUAL])}
        return profile(source, workload, inputs, tokens=tokens, decode=decode, runtime=runtime)

    return reroute


@pytest.mark.parametrize("decode", [0, 4])
@pytest.mark.parametrize("seed", range(4))
def test_layers_after_a_tie(runtime: Runtime, tmp_path: Path, seed: int, decode: int) -> None:
    """Each side of a tie gives the second layer of experts other vectors, and other selections."""
    path = m.write(tmp_path, [m.expert_choice(), m.expert_choice()])
    tokens, inputs = len(BEGUN_EQUAL), {"input_ids": np.array([BEGUN_EQUAL])}
    reroute = rounded_otherwise(path, tokens, decode, seed, runtime)
    case = case_of(runtime, path, inputs, None, 1, tokens, decode, reroute)
    assert right(run_case(runtime, case))


def pairs(apart: float) -> Router:
    """The best of four experts, of which two and two score the same but for a share."""

    def router(g: m.Graph, x: str) -> tuple[str, str]:
        columns = (g.random.standard_normal((g.d, 4)) * g.d**-0.5).astype(np.float32)
        columns[:, 1::2] = columns[:, ::2] * np.float32(1 + apart)
        logits = g("MatMul", x, g.constant(columns, np.float32))
        best, ids = g.many("TopK", logits, g.constant([1]), outputs=2, axis=-1)
        return ids, g("Softmax", best, axis=-1)

    return router


def to_partners(tokens: Sequence[int]) -> Callable[[Routing], Routing]:
    """The trace in which these tokens go to the expert with the nearest score."""

    def reroute(recorded: Routing) -> Routing:
        assert recorded.choices is not None
        choices = recorded.choices.copy()
        choices[0, tokens] ^= 1
        return replace(recorded, choices=choices)

    return reroute


def paired_case(
    runtime: Runtime, folder: Path, apart: float, tokens: Sequence[int], **options: Any
) -> Case:
    """Nine tokens, of which some go to the partner of their best expert; a layer after them."""
    path = m.write(folder, [m.dense_masked(pairs(apart)), m.gated])
    chip = options.pop("chip", None)
    return case_of(runtime, path, m.token_ids(9), chip, 1, 9, 0, to_partners(tokens), **options)


@pytest.mark.parametrize("chip", [None, CROSSBAR])
@pytest.mark.parametrize("tokens", [[], [3], range(9)])
@pytest.mark.parametrize("apart", [0.0, 1e-7])
def test_experts_with_equal_scores(
    runtime: Runtime, tmp_path: Path, apart: float, tokens: Sequence[int], chip: Any
) -> None:
    """Their weights are others, so each is held against the definition with that expert."""
    done = run_case(runtime, paired_case(runtime, tmp_path, apart, tokens, chip=chip))
    assert right(done)
    assert done.near_ties >= len(tokens)


def test_experts_further_apart_than_rounding(runtime: Runtime, tmp_path: Path) -> None:
    """Scores 1e-4 apart are of no rounding: 2 gamma_8 is 1e-6 of the sum of magnitudes."""
    case = paired_case(runtime, tmp_path, 1e-4, [3])
    with pytest.raises(CheckError, match=r"token 3 on .* where the router of layer 0 selects"):
        execute(case, runtime)


def test_a_wrong_expert_behind_a_tie(runtime: Runtime, tmp_path: Path) -> None:
    """A tie accepts the partner's selection, not another expert's output under its name."""
    case = paired_case(runtime, tmp_path, 0.0, [3])
    crossbars = Crossbars(case.mapping, case.chip, case.source)
    p = case.program
    chosen = (p.token == 3) & (p.opcode == Opcode.STORE) & (p.expert >= 0)
    expert = int(p.expert[chosen][0])
    owner = RoutedOwner(expert)
    tiles = next(t for t in crossbars.tiles if (t.block.role, t.block.owner) == ("down", owner))
    crossbars.cells[int(tiles.pg[0, 0]), int(tiles.spot[0, 0, 0])][0, 0] += 3
    done = compare(execute(case, runtime, crossbars))
    assert p.opcode[done.culprit] == Opcode.MVM
    assert p.expert[done.culprit] == expert


@pytest.mark.parametrize("terms", [2, 8, 300])
def test_the_bound_holds_in_any_order(terms: int) -> None:
    """Sums of float32 products one after the other and in pairs, of numbers that cancel."""
    random = np.random.default_rng(terms)
    for _ in range(200):
        x, w = random.standard_normal((2, terms)).astype(np.float32)
        w[-1] -= (x.astype(np.float64) @ w) / x[-1]  # the sum is far smaller than its terms
        exact, size = x.astype(np.float64) @ w, np.abs(x.astype(np.float64)) @ np.abs(w)
        for order in (np.arange(terms), random.permutation(terms)):
            products = x[order] * w[order]
            for found in (np.cumsum(products)[-1], products.sum(), products[::-1].cumsum()[-1]):
                assert abs(float(found) - exact) <= gamma(terms) * size
    assert gamma(1) == pytest.approx(UNIT)
