"""All runs of `moexbar reproduce`: the reference's rows, and the cache modes by length."""

from collections.abc import Callable
from dataclasses import dataclass

from ir import timing
from ir.chip import Chip
from moexbar.chips import load_chip
from moexbar.report.reproduced import (
    CacheRow,
    EfficiencyRow,
    Figures,
    ReproduceReport,
    RunRow,
    TimeAndEnergy,
)
from moexbar.reproduce import GENERATED
from moexbar.reproduce.area import area_efficiency
from moexbar.reproduce.reference import GENERATION_OF_8, MODES, ROWS, Row
from moexbar.reproduce.run import PROMPT, Ran, Run, execute
from moexbar.reproduce.workload import D_MODEL, EXPERTS

CHIPS: dict[str, dict[str, str]] = {
    "dpu": {},  # partial sums on the digital units, as the reference adds them
    "pg": {"accumulate.where": "pg"},  # in the peripheral groups, as the paper's Fig. 1 draws
}


@dataclass(frozen=True)
class CacheRun:
    """A generation alone with some caches; accumulate: a key of CHIPS."""

    accumulate: str
    tokens: int
    mode: str
    ran: Ran


@dataclass(frozen=True)
class Reproduction:
    """Everything that was run. rows: (accumulate, row of the reference, our run).

    efficiency: rows of `area_efficiency`.

    warm_up_seconds: the first run in this process, which loads the compiled loops or, if numba has
    not kept them from an earlier call, compiles them.
    """

    rows: tuple[tuple[str, Row, Ran], ...]
    caches: tuple[CacheRun, ...]
    efficiency: tuple[EfficiencyRow, ...]
    warm_up_seconds: float
    seed: int

    def gain(self, accumulate: str, tokens: int, mode: str) -> tuple[float, float]:
        """No cache against `mode`, in time and energy."""
        none, other = (self._figures(accumulate, tokens, m) for m in ("no cache", mode))
        return none[0] / other[0], none[1] / other[1]

    def _figures(self, accumulate: str, tokens: int, mode: str) -> tuple[float, float]:
        for run in self.caches:
            if (run.accumulate, run.tokens, run.mode) == (accumulate, tokens, mode):
                return run.ran.figures.time_ns, run.ran.figures.energy_nj
        raise KeyError((accumulate, tokens, mode))


def plan(longest: int = GENERATED[-1]) -> int:
    """Number of runs that `reproduce` makes, area efficiency being one."""
    return len(CHIPS) * (len(ROWS) + len(MODES) * len(_lengths(longest))) + 1


def reproduce(
    seed: int = 0,
    longest: int = GENERATED[-1],
    advance: Callable[[str], None] = lambda name: None,
) -> Reproduction:
    """Run everything; the router picks experts by `seed`.

    longest: leave out cache modes with more generated tokens. `advance` is told of each run begun.
    """
    chips = {name: load_chip("paper", changes) for name, changes in CHIPS.items()}
    warm_up = execute(ROWS[0].run, chips["dpu"], seed)

    def run(name: str, what: Run, chip: Chip) -> Ran:
        advance(name)
        return execute(what, chip, seed)

    rows = tuple(
        (name, row, run(row.name, row.run, chip)) for name, chip in chips.items() for row in ROWS
    )
    caches = tuple(
        CacheRun(name, n, mode, run(f"{n} tokens, {mode}", Run(n, kept, prefill=False), chip))
        for name, chip in chips.items()
        for n in _lengths(longest)
        for mode, kept in MODES.items()
    )
    advance("area efficiency")
    efficiency = tuple(area_efficiency())
    return Reproduction(rows, caches, efficiency, warm_up.seconds, seed)


def go_reads_ns(tokens: int, chip: Chip) -> float:
    """What the reference leaves out of a generation: the GO cache's reads, by the paper's size."""
    sizes = (
        timing.reference_go_bytes(s, EXPERTS, D_MODEL) for s in range(PROMPT + 1, PROMPT + tokens)
    )
    return sum(timing.dram(chip, size).duration_ps for size in sizes) / 1e3


def reproduce_report(found: Reproduction) -> ReproduceReport:
    """What was run, as the command tells it: the reference beside the runs that add as it does."""
    return ReproduceReport(
        seed=found.seed,
        warm_up_seconds=round(found.warm_up_seconds, 4),
        rows=tuple(_row(row, ran, row.figures) for name, row, ran in found.rows if name == "dpu"),
        in_pg=tuple(_row(row, ran, None) for name, row, ran in found.rows if name == "pg"),
        caches=tuple(_cache(found, run) for run in found.caches),
        area_efficiency=found.efficiency,
    )


def _lengths(longest: int) -> list[int]:
    return [n for n in GENERATED if n <= longest]


def _row(row: Row, ran: Ran, reference: Figures | None) -> RunRow:
    seconds = round(ran.seconds, 4)
    return RunRow(row.name, ran.figures, seconds, ran.instructions, reference=reference)


def _cache(found: Reproduction, run: CacheRun) -> CacheRow:
    gain = found.gain(run.accumulate, run.tokens, run.mode)
    known = run.accumulate == "dpu" and run.tokens == 8
    return CacheRow(
        accumulate=run.accumulate,
        generated=run.tokens,
        kv=MODES[run.mode].kv,
        go=MODES[run.mode].go,
        figures=run.ran.figures,
        time_gain=round(gain[0], 4),
        energy_gain=round(gain[1], 4),
        reference=TimeAndEnergy(*GENERATION_OF_8[run.mode]) if known else None,
        seconds=round(run.ran.seconds, 4),
        instructions=run.ran.instructions,
    )
