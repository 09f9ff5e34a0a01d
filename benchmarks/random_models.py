"""Random models on random chips, from model file to execution, against ONNX Runtime.

Every case is drawn from (seed, number) alone: `--only NUMBER` runs it again, says which stage is
the first to be wrong, and prints a simpler recipe that fails too, ready for tests/chain/corpus.py.

    python -m benchmarks.random_models --cases 10000 --seed 1
"""

import argparse
import tempfile
import textwrap
import time
from collections import Counter
from pathlib import Path

from rich.progress import Progress

from ir.onnxdoor.processes.session import Runtime
from tests.chain.choices import drawn, shrink
from tests.chain.recipe import Recipe
from tests.chain.run import run_recipe
from tests.chain.stages import first_wrong

AT_A_TIME = 200  # cases of one runtime process, which keeps what it has loaded


def main(argv: list[str] | None = None) -> int:
    """Run the cases; 1 if any of them failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--only", type=int, help="this case alone, shrunk if it fails")
    asked = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if asked.only is not None:
            return explain(asked.seed, asked.only, folder)
        numbers = range(asked.first, asked.first + asked.cases)
        return run(asked.seed, numbers, folder)


def run(seed: int, numbers: range, folder: Path) -> int:
    """All cases, with a table of what was drawn."""
    drawn_options: dict[str, Counter[str]] = {}
    failed: list[tuple[int, str]] = []
    worst, ties, begun = 0.0, 0, time.perf_counter()
    with Progress(transient=True) as bar:
        task = bar.add_task("cases", total=len(numbers))
        for first in range(0, len(numbers), AT_A_TIME):
            with Runtime() as runtime:
                for number in numbers[first : first + AT_A_TIME]:
                    recipe, choices = drawn(seed, number)
                    for name, option in choices.made:
                        drawn_options.setdefault(name, Counter())[option] += 1
                    try:
                        done = run_recipe(recipe, folder, runtime)
                    except Exception as error:
                        failed.append((number, f"{type(error).__name__}: {error}"))
                        bar.console.print(f"case {number}: {failed[-1][1]}", markup=False)
                    else:
                        ties += done.near_ties
                        worst = max(worst, done.worst)
                    bar.advance(task)
    print(table(drawn_options))
    seconds = time.perf_counter() - begun
    print(
        f"{len(numbers)} cases of seed {seed}: {len(failed)} failed, {ties} near ties, largest "
        f"error {worst:.1e}, {seconds:.0f} s"
    )
    for number, problem in failed:
        print(f"python -m benchmarks.random_models --seed {seed} --only {number}  # {problem}")
    return 1 if failed else 0


def table(found: dict[str, Counter[str]]) -> str:
    """How often each option of each dimension was drawn, within 100 columns."""
    lines: list[str] = []
    for name, options in found.items():
        if name == "seed":
            continue
        told = [f"{option or 'none'} {count}" for option, count in options.most_common(24)]
        told += [f"and {len(options) - 24} more"] if len(options) > 24 else []
        lines += textwrap.wrap(
            ", ".join(told), 99, initial_indent=f"{name:15} ", subsequent_indent=" " * 16
        )
    return "\n".join(lines)


def explain(seed: int, number: int, folder: Path) -> int:
    """Where one case goes wrong, and the simplest like it."""
    recipe, choices = drawn(seed, number)
    print(recipe)
    with Runtime() as runtime:
        wrong = first_wrong(recipe, folder, runtime)
        if wrong is None:
            print("nothing is wrong")
            return 0
        print(f"first wrong: {wrong.stage}: {wrong.problem}")

        def fails(simpler: Recipe) -> bool:
            found = first_wrong(simpler, folder, runtime)
            return found is not None and found.stage == wrong.stage

        print(f"simplest: {shrink(choices.places, fails)}")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
