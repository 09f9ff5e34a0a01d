"""Expert choice in decode steps: the exact checks (a) to (c) of the cached semantics.

(a) the program equals an independent reference; (b) with and without a GO cache a newcomer gets
the same, since both see the same scores; (c) the first MoE layer equals the uncached model on the
grown sequence. From the second on that model is another function: a newcomer evicts an earlier
token there, whose output then changes what later layers see.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.functional import Case, Comparison, Run, compare, execute
from backends.functional.choice import admitted, best_of
from compiler.frontend.facts.graph import Graph
from compiler.profiling.feeds import Feeds
from compiler.profiling.profile import load_inputs
from ir.errors import CheckError, InputError
from ir.onnxdoor.processes.session import Runtime
from ir.program import Opcode
from ir.routing import top_tokens
from ir.schedule import Caches
from ir.selection import Capacity
from moexbar.chips import load_chip
from tests.backends.functional import mutate
from tests.backends.functional.arriving import Arriving
from tests.backends.functional.small import case_of, run_case, small_case
from tests.compiler.frontend import models as m
from tests.make import small_chip
from tests.paths import MODELS

MODEL = MODELS / "expert_choice.onnx"
MODES = [Caches(kv=kv, go=go) for kv in (True, False) for go in (True, False)]
GROWING = Capacity(numerator=1, denominator=2)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory, runtime: Runtime) -> Case:
    """Both caches on; nine tokens, the last three one by one."""
    return small_case(
        runtime, tmp_path_factory.mktemp("model"), m.expert_choice(), tokens=9, decode=3
    )


def with_runs_anew(case: Case, inputs: dict[str, np.ndarray], tokens: int, decode: int) -> Case:
    """The case with the model run again on the tokens so far, for every step."""
    graph = Graph.of(case.source)
    again = []
    for length in range(tokens - decode, tokens + 1):
        feeds = Feeds(graph, case.workload, inputs, length).of(range(1))
        again.append([Run(feeds, np.arange(length)[None])])
    return replace(case, again=again)


@pytest.mark.parametrize("caches", MODES, ids=str)
@pytest.mark.parametrize("constant", [0, 3])
def test_small_models(tmp_path: Path, caches: Caches, constant: int, runtime: Runtime) -> None:
    block = m.expert_choice(constant=constant)
    done = run_case(
        runtime,
        small_case(
            runtime, tmp_path, block, layers=2, sequences=2, tokens=9, decode=3, caches=caches
        ),
    )
    assert (done.culprit, done.near_ties) == (-1, 0)
    assert done.worst < 2e-6
    assert len([d for d in done.operators if d.name == "logits"]) == 4


def shipped(caches: Caches, prefill: int, decode: int, runtime: Runtime) -> tuple[Case, list[int]]:
    ids = load_inputs(MODEL.with_name("heldout.npz"))["input_ids"][:1, : prefill + decode]
    chip, inputs = load_chip("hermes-mux2"), {"input_ids": ids}
    case = case_of(runtime, MODEL, inputs, chip, 1, prefill + decode, decode, caches=caches)
    return with_runs_anew(case, inputs, prefill + decode, decode), ids[0].tolist()


def arrived(ids: list[int], prefill: int) -> Arriving:
    """The shipped model in plain numpy, after its prefill and every token after it."""
    plain = Arriving(MODEL)
    plain.together(ids[:prefill])
    for token in ids[prefill:]:
        plain.arrive(token)
    return plain


@pytest.mark.slow
def test_against_plain_numpy(runtime: Runtime) -> None:
    """(a) and (b): four steps in all four cache modes, every layer and the logits."""
    prefill, decode = 20, 4
    plain: Arriving | None = None
    for caches in MODES:
        case, ids = shipped(caches, prefill, decode, runtime)
        plain = plain or arrived(ids, prefill)
        machine = execute(case, runtime)
        for index, op in enumerate(case.workload.operators):
            if op.outputs[0] == "logits":
                wanted = np.array(plain.logits)
            elif op in case.workload.moe_layers:
                wanted = np.array(plain.experts[op.layer])
            else:
                continue
            for step in range(decode + 1):
                made = machine.made[step, index]
                tokens = np.flatnonzero(made >= 0)
                rows = machine.values.rows(made[tokens], made[tokens], op.outputs[0], tokens)
                error = np.abs(rows.reshape(len(tokens), -1) - wanted[tokens]).max()
                assert error < 1e-5 * np.abs(wanted).max()
        check_anew(compare(machine))


def check_anew(done: Comparison) -> None:
    """(c), and the deviation of the layers after it: real, but no rounding."""
    assert done.first is None
    assert [d.layer for d in done.anew] == [1, 3, 3]  # the prefill of layer 3 and of the logits too
    assert max(d.relative for d in done.anew) < 2e-6
    assert [(d.layer, d.name) for d in done.deviation][-1] == (3, "logits")
    assert all(1e-5 < d.relative < 1 for d in done.deviation)


def test_a_first_layer_unlike_the_model_run_anew(case: Case, runtime: Runtime) -> None:
    """Another last token in the run anew than in the program: (c) is what notices."""
    run = case.runs[0]
    ids = run.feeds["input_ids"].copy()
    ids[0, -1] = (ids[0, -1] + 1) % m.VOCAB
    cases = with_runs_anew(case, {"input_ids": ids}, 9, 3)
    done = compare(execute(cases, runtime))
    assert done.culprit == -1
    assert done.first is not None
    assert done.first.layer == 0


def test_the_reference_accounting_is_refused(tmp_path: Path, runtime: Runtime) -> None:
    """On chip `paper` writes to caches are no instructions, so a later step has nothing to read."""
    chip = small_chip(memory={"accounting": "reference"})
    case = small_case(runtime, tmp_path, m.expert_choice(), tokens=9, decode=3, chip=chip)
    with pytest.raises(InputError, match=r"memory\.accounting 'reference'"):
        execute(case, runtime)


# --- programs that are wrong ------------------------------------------------------------------


def test_forgotten_scores(case: Case, runtime: Runtime) -> None:
    """A step that does not read what the step before kept has no scores of that token."""
    p = case.program
    read = mutate.rows(p, Opcode.GO_RD, step=2)[0]
    kept = p.reads[read].tolist()
    assert len(kept) == 2
    with pytest.raises(CheckError, match="has scores of 7 tokens, expected 8"):
        execute(case.running(mutate.reads(p, read, kept[:1])), runtime)


def test_outputs_of_another_step(tmp_path: Path, runtime: Runtime) -> None:
    """Without keys earlier outputs come from the GO cache: one write fewer, and they are zeros."""
    caches = Caches(kv=False)
    case = small_case(runtime, tmp_path, m.expert_choice(), tokens=9, decode=3, caches=caches)
    p = case.program
    reads = mutate.rows(p, Opcode.GO_RD, step=3)
    combined = {r for r in reads for w in p.reads[r] if p.opcode[p.reads[w][0]] == Opcode.COMBINE}
    read = next(iter(combined))
    changed = case.running(mutate.reads(p, read, p.reads[read].tolist()[1:]))
    assert compare(execute(changed, runtime)).culprit >= 0


def test_inputs_of_another_token(tmp_path: Path, runtime: Runtime) -> None:
    """Without a GO cache the router scores kept inputs again: one write fewer is noticed."""
    caches = Caches(go=False)
    case = small_case(runtime, tmp_path, m.expert_choice(), tokens=9, decode=3, caches=caches)
    p, moe = case.program, case.workload.operators.index(case.workload.moe_layers[0])
    read = mutate.rows(p, Opcode.KV_RD, step=3, node=moe)[0]
    changed = case.running(mutate.reads(p, read, p.reads[read].tolist()[1:]))
    try:
        assert compare(execute(changed, runtime)).culprit >= 0
    except CheckError as error:
        assert error.check == "execution"


# --- what an expert takes -----------------------------------------------------------------------


def test_ties_go_to_the_earlier_token() -> None:
    """Capacity floor(T / 2): of three equal scores one fits, of four two; the fifth none."""
    scores = np.full((5, 1), 0.5, dtype=np.float32)
    arrival = np.array([0, 0, 0, 1, 2])
    taken = admitted(scores, arrival, GROWING)
    # the prefill of three takes token 0; at four tokens two fit, which 0 and 1 fill
    assert taken[:, 0].tolist() == [True, False, False, False, False]


def test_what_was_taken_is_not_given_back() -> None:
    """Token 2 takes the place of token 0 among the best, and token 0 stays routed."""
    scores = np.array([[0.1], [0.0], [0.9]], dtype=np.float32)
    taken = admitted(scores, np.array([0, 0, 1]), Capacity(constant=1))
    assert taken[:, 0].tolist() == [True, False, True]


scored = st.integers(1, 8).flatmap(
    lambda tokens: st.tuples(
        st.lists(
            st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75]), min_size=3, max_size=3),
            min_size=tokens,
            max_size=tokens,
        ),
        st.integers(0, tokens - 1),
        st.sampled_from([GROWING, *(Capacity(constant=room) for room in (0, 2, 9))]),
    )
)


@given(scored)
def test_admitted_as_the_routing_says(drawn: tuple[list[list[float]], int, Capacity]) -> None:
    """The executor's rule and the trace's, written apart, with many ties."""
    rows, decode, capacity = drawn
    scores = np.array(rows, dtype=np.float32)
    tokens = len(scores)
    arrival = np.maximum(np.arange(tokens) - (tokens - decode - 1), 0)
    rooms = np.array([capacity.of(n) for n in range(tokens - decode, tokens + 1)])
    wanted = top_tokens(scores, np.zeros(tokens, dtype=np.int64), rooms)
    assert np.array_equal(admitted(scores, arrival, capacity), wanted)


@given(scored)
def test_kept_scores_are_enough(drawn: tuple[list[list[float]], int, Capacity]) -> None:
    """A newcomer is judged alike against all earlier scores and against what the cache keeps."""
    rows, _, capacity = drawn
    scores = np.array(rows, dtype=np.float32)
    last = len(scores) - 1
    kept = best_of(scores, np.arange(last), capacity)
    kept[last] = scores[last]
    arrival = np.append(np.zeros(last, dtype=np.int64), 1)
    all_of_them, few = admitted(scores, arrival, capacity), admitted(kept, arrival, capacity)
    assert np.array_equal(all_of_them[last], few[last])
    if capacity.constant is not None:
        assert np.isfinite(kept[:last]).sum(axis=0).max(initial=0) <= capacity.constant
