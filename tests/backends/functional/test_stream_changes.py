"""Random changes of one entry of a streamed program: refused by the verifier, or harmless.

Changed are the attention's jobs, what they read and what reads them. What the verifier lets pass
computes the model, and is of these kinds:

- `start_ps` later, where nobody waits: a program need not be as early as it may.
- `offset` elsewhere, where the bytes are free for as long as the value lives.
- `reads` an entry twice: what an instruction reads is a set.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from backends.functional import Case, compare, execute
from ir.compiled import Compiled
from ir.errors import CheckError
from ir.onnxdoor.processes.session import Runtime
from ir.program import Opcode, Program
from ir.verify import verify_program
from tests.backends.functional import mutate
from tests.backends.functional.small import case_of
from tests.compiler.emit.test_streams import in_tiles
from tests.compiler.frontend import models as m

CHANGES = 400
COLUMNS = (
    "opcode",
    "step",
    "token",
    "seq",
    "layer",
    "node",
    "unit",
    "macs",
    "bytes",
    "buffer",
    "offset",
    "start_ps",
    "duration_ps",
    "busy_ps",
    "energy_fj",
)
HARMLESS = {"start_ps", "offset", "reads once more"}


@dataclass(frozen=True, eq=False)
class Change:
    """A program with one entry changed, and what was changed."""

    kind: str
    row: int
    program: Program


def changes(p: Program, seed: int) -> Iterator[Change]:
    """Random changes without end, seven of ten on a job of attention."""
    random = np.random.default_rng(seed)
    jobs = np.flatnonzero(p.opcode == Opcode.ATTN)
    readers = p.reads.rows()[np.isin(p.reads.values, jobs)]
    near = np.unique(np.concatenate([jobs, readers, *(p.reads[int(row)] for row in jobs)]))
    while True:
        row = int(random.choice(jobs if random.random() < 0.7 else near))
        kind = str(random.choice(["reads", "reads less", "reads more", *COLUMNS]))
        if kind in COLUMNS:
            column = getattr(p, kind)
            other = int(column[random.choice(near)])
            off = int(column[row]) + int(random.choice([-1, 1]))
            any_other = int(random.integers(2 * int(column.max()) + 2))
            new = (other, off, any_other)[int(random.integers(3))]
            if new != column[row] and (new >= 0 or column.dtype.kind == "i"):
                yield Change(kind, row, mutate.put(p, kind, row, new))
            continue
        read = p.reads[row].tolist()
        if not read:
            continue
        new, place = int(random.choice(near)), int(random.integers(len(read)))
        if kind == "reads more":
            again = "reads once more" if new in read else kind
            yield Change(again, row, mutate.reads(p, row, [*read, new]))
        elif kind == "reads less":
            yield Change(kind, row, mutate.reads(p, row, read[:place] + read[place + 1 :]))
        elif new != read[place]:
            changed = [*read[:place], new, *read[place + 1 :]]
            yield Change(kind, row, mutate.reads(p, row, changed))


@pytest.fixture(scope="module", params=[1, 3])
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, runtime: Runtime
) -> Case:
    """Two sequences of five tokens, in jobs of one query or of three and two."""
    with pytest.MonkeyPatch.context() as patch:
        in_tiles(patch, request.param)
        path = m.write(tmp_path_factory.mktemp("model"), [m.dense_masked(m.sigmoid_topk)])
        return case_of(runtime, path, m.token_ids(5, 2), None, 2, 5)


def test_refused_or_harmless(case: Case, runtime: Runtime) -> None:
    done, passed = case.executable, Counter[str]()
    assert isinstance(done, Compiled)
    every = changes(case.program, seed=0)
    for _ in range(CHANGES):
        change = next(every)
        try:
            verify_program(replace(done, program=change.program))
        except CheckError:
            continue
        passed[change.kind] += 1
        found = compare(execute(case.running(change.program), runtime))
        assert found.culprit == -1, f"{change.kind} of {case.program.name(change.row)}"
    assert set(passed) <= HARMLESS
    assert passed.total() < CHANGES // 10
