"""What `python -m benchmarks.efficiency` prints."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from backends.breakeven import Run, peripheral_share, share_by_programs, share_by_slots
from benchmarks.efficiency_bands import GAINS, gains
from benchmarks.efficiency_programs import Emitted, Feed, Sample, rate
from compiler.baselines import OURS, UNSHARED_OURS, Pair
from ir.chip import sizes_of
from moexbar.report.banded import BandsRow, RangeRow

SHARES = (30, 80)  # per cent of a core that are peripherals: the band of the presets
COMES = {
    "fed": "fed: one token in each MVM time, from the product before the layer",
    "at once": "at once: all tokens of a window are there when it begins (assumed; a bound)",
}


@dataclass(frozen=True, eq=False)
class Found:
    """Every method's programs, fitted and scored one way and the other."""

    feed: Feed
    ways: Sequence[Mapping[Pair, Emitted]]

    def gains(self, share: int | None = None) -> list[dict[str, float]]:
        """Ours over the others, each way; share: per cent of a core that are peripherals."""
        return [
            gains({p: e.costs if share is None else e.at_share(share) for p, e in way.items()})
            for way in self.ways
        ]

    def of_windows(self) -> list[dict[str, float]]:
        """The same for every single window of both ways."""
        return [
            gains({pair: [costs[n]] for pair, costs in every.items()})
            for way in self.ways
            for every in [{pair: each.costs for pair, each in way.items()}]
            for n in range(len(every[OURS]))
        ]


def head(
    model: str, mux: int, ways: Sequence[Mapping[Pair, Emitted]], sample: Sample
) -> Iterator[str]:
    """What was measured, on what."""
    some = [way[OURS] for way in ways]
    windows = sum(one.grouped.tokens for one in some) // sample.tokens
    yield f"{model}, mux {mux}: windows of {sample.tokens} tokens; slots: all {windows} windows"
    yield (
        f"programs: layers {', '.join(map(str, sample.layers))}, one window of each, "
        f"{sum(len(one.programs) for one in some)} windows both ways; sizes: one chip a method, by "
        "all of these together"
    )
    yield "first: groups by the first half of the sequences, scored on the second; second: reverse"
    yield ""


def methods_table(found: Found) -> Iterator[str]:
    """One line per method: its sizes, area, slots, transfers, time, and MoE GOPS/mm2."""
    yield COMES[found.feed]
    yield (
        f"{'method':<20}{'bus/in/lanes/DPUs':<19}{'mm2':>8}{'slots':>8}{'transfers':>11}{'ns':>8}"
        f"{'first':>8}{'second':>8}{'mean':>8}{'  GOPS/mm2'}"
    )
    for pair, one in found.ways[0].items():
        ways = [way[pair] for way in found.ways]
        costs = [each.costs for each in ways]
        rates = [rate(each) for each in costs]
        both = [cost for each in costs for cost in each]
        tokens = sum(len(done.compiled.schedule.trace) for each in ways for done in each.programs)
        slots = sum(e.grouped.slots for e in ways) / sum(e.grouped.tokens for e in ways)
        transfers = sum(part.transfers for cost in both for part in cost.moe) / tokens
        ns = sum(cost.moe_time_ps for cost in both) / 1000 / tokens
        yield (
            f"{one.grouped.method.name:<20}{_sizes(one):<19}"
            f"{fmean(c.moe_area.total_um2 for c in both) / 1e6:>8.1f}{slots:>8.3f}"
            f"{transfers:>11.3f}{ns:>8.1f}"
            f"{''.join(f'{value:>8.1f}' for value in (*rates, fmean(rates)))}"
        )
    yield "area: the whole MoE part of a layer, mean; slots, transfers and ns: a token"
    yield ""


def _sizes(one: Emitted) -> str:
    """Bus, input buffers, return lanes and digital units."""
    return "/".join(map(str, (*sizes_of(one.chip).values(), one.chip.digital.dpus_per_region)))


def orders_table(found: Found) -> Iterator[str]:
    """One line per method that has the choice: the time of each slot order, and which is kept."""
    some = [one for one in found.ways[0].values() if one.tried]
    yield "ns a token by slot order, bus, buffers, lanes and digital units as large as they may be"
    for one in some:
        tokens = sum(
            len(done.compiled.schedule.trace)
            for way in found.ways
            for done in way[one.grouped.method.pair].programs
        )
        times = ", ".join(f"{t.policy} {t.time_ps / 1000 / tokens:.1f}" for t in one.tried)
        yield f"{one.grouped.method.name:<20}{times}; kept: {one.policy}"
    yield ""


def gains_table(found: Found, bands: BandsRow) -> Iterator[str]:
    """One line per gain: both ways, their mean, windows, and its ranges over assumed numbers."""
    ways, single = found.gains(), found.of_windows()
    ends = [found.gains(share) for share in SHARES]
    rows = {row.name: row for row in bands.figures}
    yield (
        f"{'moexbar over':<26}{'first':>7}{'second':>8}{'mean':>7}{'windows':>15}"
        f"{'30-80 %':>15}{'there':>8}{'one at a time':>16}{f'{bands.draws} draws':>15}  most by"
    )
    for name in GAINS:
        row, at_shares = rows[name], [fmean(way[name] for way in end) for end in ends]
        yield (
            f"{name:<26}{ways[0][name]:>7.3f}{ways[-1][name]:>8.3f}"
            f"{fmean(way[name] for way in ways):>7.3f}{_span([one[name] for one in single]):>15}"
            f"{_span(at_shares):>15}{row.value or 0.0:>8.3f}{_range(row.one_at_a_time):>16}"
            f"{_range(row.together):>15}  {row.most or '-'}"
        )


def band_lines(bands: BandsRow) -> Iterator[str]:
    """What the ranges are of, and the numbers that move a gain by most."""
    yield (
        "times MoE GOPS/mm2; windows: least and most of a single one; 30-80 %: the mean with so "
        "much of a core peripherals;"
    )
    yield (
        "there: the window(s) that were timed anew for the ranges that follow, with the numbers as "
        "they are"
    )
    yield f"numbers moved, by the largest swing of a gain, in per cent of it; seed {bands.seed}:"
    for row in bands.assumptions:
        name, most = max(row.figures.items(), key=lambda item: item[1].swing)
        if most.swing:
            yield f"  {row.field:<24}{f'{row.low}..{row.high}':>18}{100 * most.swing:>7.1f}  {name}"
    yield ""


def break_even_lines(found: Found) -> Iterator[str]:
    """The peripheral share at which sharing gains nothing, each way."""
    programs, slots, single = [], [], []
    for way in found.ways:
        ours, alone = way[OURS], way[UNSHARED_OURS]
        programs.append(share_by_programs(ours.runs, alone.runs))
        slots.append(share_by_slots(_all_slots(ours), _all_slots(alone)))
        pairs = zip(ours.runs, alone.runs, strict=True)
        single += [share_by_programs((a,), (b,)) for a, b in pairs]
    known = [share for share in single if share is not None]
    spread = f"{_per_cent(min(known))} to {_per_cent(max(known))}" if known else "none"
    none = f", at none in {len(single) - len(known)}" if len(known) < len(single) else ""
    taken = peripheral_share(found.ways[0][OURS].chip)
    yield (
        f"sharing breaks even, both ways: by programs' times "
        f"{', '.join(map(_per_cent, programs))} (single windows: {spread}{none}); by slots alone, "
        f"all windows, {', '.join(map(_per_cent, slots))}; taken here {_per_cent(taken)}"
    )
    yield ""


def _all_slots(one: Emitted) -> Run:
    """A program of the method, for its crossbars, with the slots of all windows."""
    return Run(one.programs[0].compiled.program, one.chip, one.grouped.slots)


def _per_cent(share: float | None) -> str:
    return "at none" if share is None else f"{100 * share:.0f} %"


def _span(values: Sequence[float]) -> str:
    return f"{min(values):.3f}-{max(values):.3f}"


def _range(found: RangeRow) -> str:
    known = (value for value in (found.low, found.high) if value is not None)
    return "-".join(f"{value:.3f}" for value in known)
