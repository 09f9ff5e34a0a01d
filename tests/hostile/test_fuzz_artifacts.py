"""Artifacts changed at random: the first cases of the benchmark, which has tried thousands."""

from collections import Counter
from pathlib import Path

import pytest

from benchmarks import fuzz_artifacts
from benchmarks.artifact_judges import OF_REPORT, SAME
from benchmarks.artifact_seeds import Seeds

CORPUS = Path(__file__).parent / "corpus"  # what was a traceback: NUMBER-FILE


@pytest.fixture(scope="module")
def known(artifacts: Seeds) -> dict[str, fuzz_artifacts.Kind]:
    return fuzz_artifacts.kinds(artifacts)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_random_changes(known: dict[str, fuzz_artifacts.Kind]) -> None:
    """What is accepted of a compilation says the same, or something that nothing is made from."""
    found = fuzz_artifacts.run(range(300), 5, known)
    assert found.failed == []
    assert found.outcomes["refused"] > 150
    assert found.outcomes["found illegal"] > 5
    assert found.named >= 0.95 * found.outcomes["refused"]
    assert set(found.outcomes) <= {"refused", "accepted", "found illegal"}
    programs = {said for said in found.accepted if said.startswith("program.")}
    assert not programs, programs
    assert found.accepted[SAME] > 0
    assert OF_REPORT in found.accepted


def test_cases_are_drawn_the_same_again(known: dict[str, fuzz_artifacts.Kind]) -> None:
    drawn = [fuzz_artifacts.mutant(i, 5, known) for i in range(60)]
    again = [fuzz_artifacts.mutant(i, 5, known) for i in range(60)]
    assert [what for _, what, _ in drawn] == [what for _, what, _ in again]
    assert len(Counter(name for name, _, _ in drawn)) > 10


@pytest.mark.parametrize("crasher", sorted(CORPUS.iterdir()), ids=lambda path: path.name)
def test_what_was_a_traceback(
    crasher: Path, known: dict[str, fuzz_artifacts.Kind], capsys: pytest.CaptureFixture[str]
) -> None:
    name = crasher.name.partition("-")[2]
    found = fuzz_artifacts.Tried()
    outcome, said = fuzz_artifacts.attempt(known[name], crasher.read_bytes(), found, crasher.name)
    assert outcome in ("refused", "found illegal"), said
    assert said.isprintable()
