"""Whether a refactoring leaves all results the same: this checkout against an older one.

Both are asked the same command lines over the same files, each as processes of its own, and all
that they write and print is compared value by value: the shipped models on several option paths,
and random models drawn by tests/chain. Nothing else of either checkout is used, so modules, classes
and signatures may change freely between them; changes of results that are meant are listed in
benchmarks/same_results/deliberate.py. Exit code 1 if anything else differs.

    git worktree add ../old main
    python -m benchmarks.same_results ../old --models 30 --cache build/same
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.same_results.cases import Case, drawn_cases, shipped_cases
from benchmarks.same_results.compare import Comparison, compare_folders
from benchmarks.same_results.deliberate import DELIBERATE, MOVED, RENAMED
from benchmarks.same_results.run import checkout_digest, run_case, run_kept

NEW = Path(__file__).resolve().parents[2]
Done = tuple[Comparison, tuple[str, ...]]  # with the names of commands that failed
SHOWN = 3  # differences of a case that are printed


def main(argv: list[str] | None = None) -> int:
    """Run and compare; 1 if anything differs."""
    asked = _asked(argv)
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        cache = asked.cache or Path(scratch) / "cache"
        cases = [
            *shipped_cases(asked.old, cache / "shipped"),
            *drawn_cases(asked.seed, asked.models, cache / "models"),
        ]
        cases = [case for case in cases if asked.only in case.name]
        kept = asked.keep or Path(scratch) / "new"
        found = _compared(cases, asked.old, cache / "old", kept, asked.processes)
        different, needed = _print(cases, found)
    for table in (DELIBERATE, MOVED):
        for place in table.keys() - needed if not asked.only else ():
            print(f"not needed any more: {place}")
    seconds = time.perf_counter() - begun
    print(f"{len(cases) - different} of {len(cases)} cases are the same, {seconds:.0f} s")
    return 1 if different else 0


def _asked(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old", type=_checkout, help="the checkout to compare with")
    parser.add_argument("--models", type=int, default=30, help="random models")
    parser.add_argument("--seed", type=int, default=1, help="of the random models")
    parser.add_argument("--only", default="", help="cases with this in their name")
    parser.add_argument("--processes", type=int, default=1, help="cases at a time")
    parser.add_argument("--keep", type=_folder, help="where this checkout's outputs stay")
    parser.add_argument(
        "--cache",
        type=_folder,
        help="where models and the older checkout's outputs stay; what is there is not run again",
    )
    return parser.parse_args(argv)


def _folder(text: str) -> Path:
    return Path(text).resolve()


def _checkout(text: str) -> Path:
    path = _folder(text)
    if not (path / "moexbar" / "__main__.py").is_file():
        raise argparse.ArgumentTypeError(f"{path} has no moexbar/__main__.py: not a checkout")
    return path


def _compared(
    cases: list[Case], old: Path, theirs: Path, ours: Path, processes: int
) -> Iterator[Done]:
    """What came of every case, in order, as each is done."""
    digest = checkout_digest(old)

    def both(case: Case) -> Done:
        run_kept(case, old, theirs / case.folder, digest)
        failed = run_case(case, NEW, ours / case.folder, RENAMED)
        return compare_folders(theirs / case.folder, ours / case.folder), failed

    with ThreadPoolExecutor(processes) as pool:
        yield from pool.map(both, cases)


def _print(cases: list[Case], found: Iterator[Done]) -> tuple[int, set[str]]:
    """One line per case and its first differences; how many differ, and the rules needed."""
    different, needed = 0, set[str]()
    print(f"{'case':28} {'commands':>8} {'files':>5} {'values':>7}  result")
    for case, (done, failed) in zip(cases, found, strict=True):
        differences = done.differences
        told = f"{len(differences)} DIFFERENT" if differences else "same"
        told += f"; {', '.join(failed)} failed" if failed else ""
        line = f"{case.name:28} {len(case.commands):8} {done.files:5} {done.values:7}  {told}"
        print(line, flush=True)
        for difference in differences[:SHOWN]:
            print(f"    {difference}")
        different += bool(differences)
        needed |= done.needed
    return different, needed


if __name__ == "__main__":
    raise SystemExit(main())
