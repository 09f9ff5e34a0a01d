"""Streamed attention carried out: right on what its jobs read, and on nothing else.

A job has the rows that it and the jobs before it read; those of later tokens are zeros then.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from backends.functional import TOLERANCE, Case, compare, execute
from ir.errors import CheckError
from ir.onnxdoor.processes.session import Runtime
from ir.program import Opcode, Program
from tests.backends.functional import mutate
from tests.backends.functional.small import case_of
from tests.chain.recipe import Layer, Model, Recipe, Span
from tests.chain.run import case_of as case_of_recipe
from tests.chain.run import compile_recipe, read_recipe
from tests.compiler.emit.test_streams import in_tiles
from tests.compiler.frontend import models as m
from tests.compiler.frontend.proof.test_causal import window

RECIPES = {
    "one sequence": Recipe(span=Span(prefill=7)),
    "sequences one by one": Recipe(span=Span(prefill=5, batch=3)),
    "sequences together": Recipe(span=Span(prefill=5, batch=3, together=True)),
    "the last sequence in part": Recipe(span=Span(prefill=8, cut=5)),
    "a key head for two": Recipe(Model(kv_heads=1), Span(prefill=5)),
    "two layers, biases": Recipe(Model((Layer(), Layer("dense")), biased=True), Span(prefill=5)),
    "experts choose": Recipe(Model((Layer("expert choice"),)), Span(prefill=5, batch=2)),
    "steps, keys kept": Recipe(span=Span(prefill=5, decode=2, batch=2)),
    "steps, no keys kept": Recipe(span=Span(prefill=5, decode=2, batch=2, kv=False)),
    "experts choose, no keys kept": Recipe(
        Model((Layer("expert choice"), Layer("expert choice"))),
        Span(prefill=5, decode=2, batch=2, kv=False),
    ),
    "a decoder beside an encoder": Recipe(span=Span(prefill=5, source=4, batch=2)),
    "float16": Recipe(Model(element="float16"), Span(prefill=5)),
    "matrices in 8 bits": Recipe(Model(element="int8 blocks"), Span(prefill=5)),
}


@pytest.mark.parametrize("tile", [1, 3])
@pytest.mark.parametrize("name", RECIPES)
def test_computes_the_model(
    name: str, tile: int, tmp_path: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_tiles(monkeypatch, tile)
    ready = read_recipe(RECIPES[name], tmp_path, runtime)
    done = compile_recipe(ready)
    p = done.program
    assert (p.token[p.opcode == Opcode.ATTN] >= 0).any()
    found = compare(execute(case_of_recipe(ready, done), runtime))
    assert found.culprit == -1
    assert found.worst <= TOLERANCE


# -- attention that looks ahead ----------------------------------------------------------------


@pytest.fixture
def taken_for_causal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof finds that nothing looks ahead, whatever it sees."""

    def nothing(*_: object) -> bool:
        return True

    monkeypatch.setattr("compiler.frontend.proof.causal._looks_back", nothing)


def looking_ahead(folder: Path, runtime: Runtime) -> Case:
    """Seven tokens, each of which sees two on either side and goes to all experts."""
    graph = m.transformer(m.Graph(top=m.EXPERTS), [m.dense_masked()], mask=window)
    path = graph.model(folder / "m.onnx", m.LOGITS)
    return case_of(runtime, path, m.token_ids(7), None, 1, 7)


@pytest.mark.usefixtures("taken_for_causal")
@pytest.mark.parametrize("tile", [1, 3])
def test_looking_ahead_gives_other_numbers(
    tile: int, tmp_path: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A window of two on either side: of keys that no job has read yet there are zeros."""
    in_tiles(monkeypatch, tile)
    case = looking_ahead(tmp_path, runtime)
    (attention,) = case.workload.attentions()
    assert attention.proven
    found = compare(execute(case, runtime))
    assert found.worst > 100 * TOLERANCE
    assert case.program.opcode[found.culprit] == Opcode.ATTN


@pytest.mark.usefixtures("taken_for_causal")
def test_a_job_of_all_tokens_sees_them_all(
    tmp_path: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_tiles(monkeypatch, 7)
    case = looking_ahead(tmp_path, runtime)
    assert (case.program.opcode == Opcode.ATTN).sum() == 1
    assert compare(execute(case, runtime)).worst <= TOLERANCE


# -- jobs that lack what they need -------------------------------------------------------------


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory, runtime: Runtime) -> Case:
    """Two sequences of five tokens in tiles of two: jobs end with 1, 3, 4 and 6, 8, 9."""
    with pytest.MonkeyPatch.context() as patch:
        in_tiles(patch, 2)
        path = m.write(tmp_path_factory.mktemp("model"), [m.dense_masked(m.sigmoid_topk)])
        return case_of(runtime, path, m.token_ids(5, 2), None, 2, 5)


def job(p: Program, token: int) -> int:
    return mutate.rows(p, Opcode.ATTN, token=token)[0]


def without(p: Program, row: int, opcode: Opcode, token: int) -> Program:
    """A job that does not read what one operator, the last that it reads, made of a token."""
    mine = [r for r in p.reads[row].tolist() if (p.opcode[r], p.token[r]) == (opcode, token)]
    return mutate.reads(p, row, [r for r in p.reads[row].tolist() if r != mine[-1]])


def of_another(p: Program, row: int, opcode: Opcode, token: int, other: int) -> Program:
    """A job that reads it of another token, whose bytes nothing overwrites."""
    (*_, mine) = (r for r in p.reads[row].tolist() if (p.opcode[r], p.token[r]) == (opcode, token))
    new = mutate.rows(p, opcode, token=other, node=int(p.node[mine]))[0]
    return mutate.read_instead(mutate.apart(p, new), row, mine, new)


CHANGES: dict[str, tuple[Callable[[Program], Program], int, str]] = {
    "a value not read": (
        lambda p: without(p, job(p, 3), Opcode.STORE, 2),
        3,
        "does not read '.*' of token 2",
    ),
    "another token's instead": (
        lambda p: of_another(p, job(p, 3), Opcode.STORE, 3, 1),
        3,
        "does not read '.*' of token 3",
    ),
    "another sequence's instead": (
        lambda p: of_another(p, job(p, 9), Opcode.STORE, 9, 1),
        9,
        "does not read '.*' of token 9",
    ),
    "the job before not read": (
        lambda p: without(p, job(p, 3), Opcode.ATTN, 1),
        3,
        r"goes on with jobs \[\], expected",
    ),
    "another sequence's job read": (
        lambda p: of_another(p, job(p, 8), Opcode.ATTN, 6, 1),
        8,
        r"goes on with jobs \[\d+\], expected \[\d+\]",
    ),
    "the job before the one before": (
        lambda p: of_another(p, job(p, 4), Opcode.ATTN, 3, 1),
        4,
        r"goes on with jobs \[\d+\], expected",
    ),
    "the first job left out": (
        lambda p: mutate.drop(p, job(p, 1)),
        3,
        "does not read '.*' of token 0",
    ),
    "the last job left out": (
        lambda p: mutate.drop(p, job(p, 9)),
        9,
        "reads 0 values '.*', expected 1",
    ),
    "before its vectors are there": (
        lambda p: mutate.put(p, "start_ps", job(p, 1), 0),
        1,
        "before it is written",
    ),
    "before the job before": (
        lambda p: mutate.put(p, "start_ps", job(p, 3), int(p.start_ps[job(p, 1)])),
        3,
        "before it is written",
    ),
    "two jobs for one token": (
        lambda p: mutate.put(p, "token", job(p, 1), 3),
        3,
        "is for no token",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_refused_by_name(name: str, case: Case, runtime: Runtime) -> None:
    change, token, problem = CHANGES[name]
    with pytest.raises(CheckError, match=problem) as error:
        execute(case.running(change(case.program)), runtime)
    assert f"token {token} " in str(error.value)
