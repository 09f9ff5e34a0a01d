"""Decode steps: keys and values of earlier tokens come from the cache, or are computed again.

With token choice a causal model gives every token what it gives in one run over all of them, so
that run is the reference of every step.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backends.functional import Case, compare, execute
from ir.errors import CheckError
from ir.onnxdoor.processes.session import Runtime
from ir.program import Opcode
from ir.schedule import Caches
from tests.backends.functional import mutate
from tests.backends.functional.small import case_of, run_case, small_case
from tests.compiler.frontend import models as m


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory, runtime: Runtime) -> Case:
    return small_case(
        runtime, tmp_path_factory.mktemp("model"), m.dense_masked(), tokens=9, decode=3
    )


@pytest.mark.parametrize(("kv", "sequences"), [(True, 1), (True, 2), (False, 2)])
def test_every_step_computes_the_model(
    tmp_path: Path, *, kv: bool, sequences: int, runtime: Runtime
) -> None:
    block, caches = m.dense_masked(), Caches(kv=kv)
    done = run_case(
        runtime,
        small_case(
            runtime, tmp_path, block, sequences=sequences, tokens=9, decode=3, caches=caches
        ),
    )
    assert done.culprit == -1
    assert done.worst < 2e-6
    logits = [d for d in done.operators if d.name == "logits"]
    assert len(logits) == 4  # the prefill and three steps


def test_keys_given_out_are_compared_when_all_are_there(tmp_path: Path, runtime: Runtime) -> None:
    """Present keys [1, heads, tokens, width] are no row per token; the last step has them all."""
    past = np.zeros((1, 2, 0, m.HEAD), dtype=np.float32)
    inputs = {**m.token_ids(9, 1), "past_key": past, "past_value": past}
    done = run_case(
        runtime, case_of(runtime, m.with_past(tmp_path, kv_heads=2), inputs, None, 1, 9, 3)
    )
    assert (done.culprit, done.worst < 2e-6) == (-1, True)
    assert [d.name for d in done.operators].count("logits") == 4
    assert [d.name for d in done.operators].count("present_key") == 1


def test_prefill_alone(case: Case, runtime: Runtime) -> None:
    """Runs over the tokens of the prefill leave the steps out."""
    run = case.runs[0]
    feeds = {name: array[:, :6] for name, array in run.feeds.items()}
    short = replace(case, runs=[replace(run, feeds=feeds, tokens=run.tokens[:, :6])])
    done = compare(execute(short, runtime))
    assert done.culprit == -1
    assert [d.name for d in done.operators].count("logits") == 1


def test_forgotten_keys(case: Case, runtime: Runtime) -> None:
    """A step that does not read what the step before kept has no keys of that token."""
    p = case.program
    read = mutate.rows(p, Opcode.KV_RD, step=2)[0]
    kept = p.reads[read].tolist()
    assert len(kept) == 2
    changed = case.running(mutate.reads(p, read, kept[:1]))
    with pytest.raises(CheckError, match=r"does not read .* of token 6"):
        execute(changed, runtime)


def test_last_result_dropped(case: Case, runtime: Runtime) -> None:
    """The only STORE of the last operator in the last step: without it there is no output."""
    row = mutate.rows(case.program, Opcode.STORE, step=3)[-1]
    with pytest.raises(CheckError, match="no instruction does it"):
        execute(case.running(mutate.drop(case.program, row)), runtime)


def test_keys_of_another_token(case: Case, runtime: Runtime) -> None:
    """The key kept for one token is another's."""
    p = case.program
    write = mutate.rows(p, Opcode.KV_WR, step=0)[0]
    attention = case.workload.operators[int(p.node[write])]
    keys = [i for i in p.reads[write].tolist() if p.token[i] >= 0]
    name = case.workload.operators[int(p.node[keys[0]])].outputs[0]
    assert name in attention.inputs
    same = [i for i in keys if p.node[i] == p.node[keys[0]]]
    changed = mutate.swap(p, "token", same[0], same[1])
    try:
        assert compare(execute(case.running(changed), runtime)).culprit >= 0
    except CheckError as error:
        assert error.check == "execution"
