"""Random changes of a streamed program with dense copies, trees of sums and shared broadcasts.

`python -m benchmarks.stream_mutations` makes thousands more, of six programs.
"""

from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.stream_changes import KINDS
from benchmarks.stream_mutations import SHARED, Subject, drawn, judge, table
from ir.compiled import Compiled
from ir.onnxdoor.processes.session import Runtime
from tests.backends.functional.small import run_case

EACH = 4
NEVER_HARMLESS = {
    "removed",
    "doubled",
    "read removed",
    "chain changed",
    "token changed",
    "step changed",
    "destinations changed",
}


def test_refused_or_harmless(tmp_path: Path, runtime: Runtime) -> None:
    case = drawn(SHARED, tmp_path, runtime)
    assert isinstance(case.executable, Compiled)
    subject = Subject(case, case.executable, run_case(runtime, case))
    random = np.random.default_rng(0)
    every = [judge(subject, kind, random, runtime) for kind in KINDS for _ in range(EACH)]
    verdicts = [verdict for verdict in every if verdict is not None]
    assert len(verdicts) == len(every)  # each kind changes something here
    assert [v for v in verdicts if v.harm] == []
    survived = Counter(v.kind for v in verdicts if not v.refused)
    assert 0 < survived.total() < len(verdicts) // 5
    assert not NEVER_HARMLESS & set(survived)
    assert f"all {len(verdicts)} {survived.total()} {survived.total()} " in " ".join(
        table(verdicts).split()
    )
