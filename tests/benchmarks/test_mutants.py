"""Small changes of checks: which are made, and that none of a fixed sample survives.

`python -m benchmarks.mutants` makes all of them, which takes an hour.
"""

import ast
from functools import cached_property
from pathlib import Path

import pytest

from benchmarks.mutants import __main__ as mutants
from benchmarks.mutants.__main__ import main, row_of, sampled, short, wilson
from benchmarks.mutants.accepted import Accepted, accepted
from benchmarks.mutants.changes import changes
from benchmarks.mutants.judge import Reached, reached, traced
from benchmarks.mutants.solutions import Solutions
from benchmarks.mutants.verifier import Verifier
from tests.ir.verify.corpus import wrong

SOURCE = '''
"""Words."""
LIMIT = 4


def check(a: int, b: int) -> Fault | None:
    """More words."""
    names = [n for n in (a, b) if n]
    if a < b and not a:
        return Fault("a", f"{a + 1} of {names}")
    a += 1
    return None
'''


def test_what_is_changed() -> None:
    """Comparisons at their limit and the other way, conditions, constants, statements: no words."""
    tree = ast.parse(SOURCE)
    before = ast.dump(tree)
    made = [(c.place, c.words, c.lines) for c in changes(tree)]
    assert made == [
        ("", "4 -> 5", None),
        ("check", "if a < b and (not a): -> if not (a < b and (not a)):", (9, 9)),
        ("check", "a < b and (not a) -> a < b or not a", (9, 9)),
        ("check", "a < b and (not a) -> not a", (9, 9)),
        ("check", "a < b and (not a) -> a < b", (9, 9)),
        ("check", "a < b -> a <= b", (9, 9)),
        ("check", "a < b -> a >= b", (9, 9)),
        ("check", "not a -> a", (9, 9)),
        ("check", "return Fault('a', f'{a + 1} of {names}') -> return None", (10, 10)),
        ("check", "a += 1 -> pass", (11, 11)),
        ("check", "a += 1 -> a -= 1", (11, 11)),
        ("check", "1 -> 2", (11, 11)),
    ]
    assert ast.dump(tree) == before


def test_changes_alike_are_numbered() -> None:
    """So that one of them may be listed, and not the others."""
    tree = ast.parse("def f(a):\n    return a[0] + a[0] + a[0]")
    words = [c.words for c in changes(tree) if c.words.startswith("0")]
    assert words == ["0 -> 1", "0 -> 1 #2", "0 -> 1 #3"]


def test_a_change_is_made_and_undone() -> None:
    tree = ast.parse(SOURCE)
    change = next(c for c in changes(tree) if c.words == "a < b -> a <= b")
    undo = change.apply()
    assert "a <= b and (not a)" in ast.unparse(tree)
    undo()
    assert "a < b and (not a)" in ast.unparse(tree)


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(0, 0, 0.0, 1.0), (95, 100, 0.888, 0.978), (10, 10, 0.722, 1.0), (0, 10, 0.0, 0.278)],
)
def test_where_the_score_of_all_lies(hits: int, of: int, low: float, high: float) -> None:
    """Wilson's interval of known samples."""
    assert wilson(hits, of)[1:] == pytest.approx((low, high), abs=1e-3)


def test_every_accepted_change_is_there_and_has_a_reason(tmp_path: Path) -> None:
    """What is not made any more must leave the list."""
    known = accepted()
    files = {**Verifier([]).files, **Solutions().files}
    made = {
        (short(name), change.place, change.words)
        for name, path in files.items()
        for change in changes(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert set(known) - made == set()
    assert all(one.reason for one in known.values())
    wrong_list = tmp_path / "list.txt"
    wrong_list.write_text("mapping check_mux | 0 -> 1\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"list\.txt:1"):
        accepted(wrong_list)


class Shared:
    """Something with a value that questions share."""

    def twice(self) -> int:
        """Worked out once."""
        return 2 * one()

    doubled = cached_property(twice)

    def plus(self, more: int) -> int:
        """Worked out for everybody anew."""
        return self.doubled + more


def one() -> int:
    """Part of what is worked out once."""
    return 1


def test_lines_of_kept_values() -> None:
    """Those below a cached property, or another function that keeps its result, serve others too.

    A second question does not go through them any more.
    """
    asked = (Shared.plus, Shared.twice, one)
    plus, twice, of_one = (function.__code__.co_firstlineno + 2 for function in asked)
    shared, nobody = Shared(), frozenset[str]()
    for lines in ({plus, twice, of_one}, {plus}):
        found, went, kept = traced({__file__}, nobody, lambda: shared.plus(3))
        assert found == 5
        assert {line for _, line in went if line in (plus, twice, of_one)} == lines
        assert {line for _, line in kept} == lines - {plus}
    assert traced({__file__}, frozenset({"one"}), one)[2] == {(__file__, of_one)}
    assert not traced({__file__}, nobody, one)[2]


def test_questions_of_a_line() -> None:
    """Those that go through it, the quickest first, then others that share what it worked out."""
    lines = Reached(seconds=[3.0, 2.0, 1.0, 1.0], together=[0, 0, 1, 0])
    lines.by_line["a", 5] |= {0, 2}
    assert lines.within("a", (4, 6)) == [2, 0]
    lines.kept["a", 5] |= {0}
    assert lines.within("a", (4, 6)) == [2, 0, 1, 3]
    assert lines.within("a", (6, 7)) == []
    assert lines.within("a", None) == [2, 3, 1, 0]


@pytest.mark.slow
def test_no_change_of_a_sample_of_the_verifier_survives() -> None:
    """One of 200 changes, asked of programs wrong on purpose and of what they were made of.

    The score of a larger sample is in decision 40.
    """
    subject = Verifier(list(wrong()))
    every = Reached(seconds=[0.0] * len(subject), together=[0] * len(subject))
    for path in subject.files.values():
        for line, _ in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            every.by_line[str(path), line] = set(range(len(subject)))
    rows = [row_of(subject, every, name, sampled(name, 200, 1)) for name in subject.files]
    left = [f"{row.module} {v.change.place} | {v.change.words}" for row in rows for v in row.left]
    assert left == []
    assert sum(row.noticed for row in rows) >= 7


@pytest.mark.slow
def test_no_change_of_a_sample_of_the_checks_of_answers_survives() -> None:
    """One of 10 changes of what looks at answers of solvers before they are taken."""
    subject = Solutions()
    lines = reached(subject)
    rows = [row_of(subject, lines, name, sampled(name, 10, 0)) for name in subject.files]
    left = [f"{row.module} {v.change.place} | {v.change.words}" for row in rows for v in row.left]
    assert left == []
    assert sum(row.noticed for row in rows) >= 15


@pytest.mark.parametrize(
    ("place", "words", "code"),
    [
        ("_status", "value == bound -> value != bound", 1),
        ("assign", "problem.check_items() -> pass", 0),
    ],
)
def test_a_listed_change_that_is_noticed_is_named(
    place: str,
    words: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It has to leave the list; one that survives stays there."""
    only = Accepted("compiler.dies", place, words, "a reason")
    monkeypatch.setattr(mutants, "accepted", lambda: {only.key: only})
    assert main(["--solutions", "--listed", "--module", "compiler.dies"]) == code
    out = capsys.readouterr().out
    assert f"{code} listed changes are noticed after all" in out
    assert (f"{place} | {words}" in out) == bool(code)
