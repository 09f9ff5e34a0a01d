"""Change files that moexbar wrote, or is given, at random: what comes must be harmless or refused.

By bytes and by fields: the output folder of `compile`, whose changed programs are simulated,
verified and executed; results and journal of `explore`; a comparison, a design; groups, stacks,
traces, chips, sweeps and arrivals. Digests are not compared, so that the reading itself is tried.
What is accepted although it was changed is listed by what differs. A traceback is kept in the
folder that --keep names, and the exit code is 1.

    python -m benchmarks.fuzz_artifacts --cases 10000 --seed 1
"""

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks import artifact_judges as judges
from benchmarks.artifact_changes import (
    Change,
    arrays,
    bytewise,
    columns,
    json_fields,
    rows,
    toml_keys,
    words,
)
from benchmarks.artifact_judges import compiled, given, kept, opened_once, swept
from benchmarks.artifact_seeds import Seeds, made
from benchmarks.fuzzing import FAILURES, Found, Random, shown, tried
from moexbar.files.compiled import read_compiled

FAST = Path("/dev/shm")  # noqa: S108 - a file system in memory, where there is one
BY_ENDING: dict[str, tuple[Change, ...]] = {
    ".json": (json_fields, json_fields, json_fields, bytewise, words),
    ".parquet": (columns, columns, columns, columns, bytewise),
    ".npz": (arrays, arrays, bytewise),
    ".npy": (bytewise,),
    ".toml": (toml_keys, toml_keys, bytewise),
    ".sqlite": (rows, rows, bytewise),
}
OF_TEXT: tuple[Change, ...] = (words, words, bytewise)
WEIGHT = {"program.parquet": 6, "mapping.json": 3, "report.json": 3, "journal.sqlite": 2}


@dataclass(frozen=True)
class Kind:
    """A file that is changed where it lies, and who judges it there."""

    path: Path
    content: bytes
    judge: Callable[[], str]

    @property
    def changes(self) -> tuple[Change, ...]:
        """Ways to change it."""
        return BY_ENDING.get(self.path.suffix, OF_TEXT)


@dataclass
class Tried(Found):
    """What became of the cases, and of those accepted how they differ."""

    accepted: Counter[str] = field(default_factory=Counter)


@contextmanager
def ready() -> Iterator[dict[str, Kind]]:
    """The kinds, by name, in a folder of their own."""
    where = FAST if FAST.is_dir() else None
    with tempfile.TemporaryDirectory(dir=where) as folder, opened_once():
        yield kinds(made(Path(folder)))


def kinds(seeds: Seeds) -> dict[str, Kind]:
    """Every file that is changed, with its judge."""
    before = read_compiled(seeds.compiled)
    shutil.copy(seeds.files["sweep.toml"], seeds.explored)
    own = ("manifest.json", "report.json", "mapping.json", "program.parquet", "routing.npz")
    found = {name: (seeds.compiled, partial(compiled, before, seeds.compiled)) for name in own}
    found["results.parquet"] = seeds.explored, partial(swept, seeds.explored)
    found["journal.sqlite"] = seeds.explored, partial(kept, seeds.explored)
    for name, folder in (("compare.json", seeds.compared), ("design.json", seeds.designed)):
        found[name] = folder, partial(judges.shown, folder, name)
    for name, path in seeds.files.items():
        found[name] = path.parent, partial(given, path)
    return {
        name: Kind(folder / name, (folder / name).read_bytes(), judge)
        for name, (folder, judge) in found.items()
    }


def mutant(number: int, seed: int, known: dict[str, Kind]) -> tuple[str, str, bytes]:
    """The case of that number: of which file, how it was changed, and the file."""
    draw = Random(f"{seed}/{number}")
    names = list(known)
    (name,) = draw.choices(names, [WEIGHT.get(name, 1) for name in names])
    change = draw.choice(known[name].changes)
    what, data = change(known[name].content, draw)
    return name, f"{change.__name__}: {what}", data


def run(cases: range, seed: int, known: dict[str, Kind], keep: Path | None = None) -> Tried:
    """Try all cases; files of those that fail are kept."""
    found = Tried()
    for number in cases:
        name, what, data = mutant(number, seed, known)
        outcome, said = attempt(known[name], data, found, f"case {number}")
        if outcome == "accepted" and data != known[name].content:
            found.accepted[said] += 1
        if outcome in FAILURES or (outcome == "refused" and not said.isprintable()):
            found.failed.append(f"case {number} ({name}, {what}): {said}")
            if keep is not None:
                (keep / f"{seed}-{number}-{name}").write_bytes(data)
    return found


def attempt(kind: Kind, data: bytes, found: Tried, case: str) -> tuple[str, str]:
    """What becomes of a changed file, which is put back; one that was refused is as it was."""
    others = sorted(kind.path.parent.iterdir())
    kind.path.write_bytes(data)
    outcome, said, cost = tried(kind.judge)
    if outcome == "refused":
        left = sorted(kind.path.parent.iterdir()), kind.path.read_bytes()
        if left != (others, data):
            outcome, said = "traceback", f"refused, but files were changed: {said}"
    for path in set(kind.path.parent.iterdir()) - set(others):
        path.unlink()
    kind.path.write_bytes(kind.content)
    found.add(outcome, case, cost, said, [str(kind.path), str(kind.path.parent)])
    return outcome, said


def main(argv: Sequence[str] | None = None) -> None:
    """Print what became of how many."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--seed", type=int, default=0, help="of the drawings")
    parser.add_argument("--only", help="one file alone, such as program.parquet")
    parser.add_argument("--keep", type=Path, help="folder for files that fail")
    asked = parser.parse_args(argv)
    if asked.keep is not None:
        asked.keep.mkdir(parents=True, exist_ok=True)
    with ready() as known:
        if asked.only:
            known = {asked.only: known[asked.only]}
        found = run(range(asked.first, asked.first + asked.cases), asked.seed, known, asked.keep)
    for line in shown(found):
        print(line)
    print("\naccepted although changed:")
    for how, count in found.accepted.most_common():
        print(f"{count:6} {how}")
    sys.exit(bool(found.failed))


if __name__ == "__main__":
    main()
