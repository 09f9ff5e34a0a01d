"""What `moexbar compile` prints of its report, line by line."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from backends.binding import binding_lines, bound_by
from backends.cost import chip_area
from ir.compiled import Compiled
from moexbar.chips.sheet import converter_line
from moexbar.cli.bands_text import band_lines, energy_table, figures_table, swings_table
from moexbar.cli.jitter_text import jitter_line, jitter_table
from moexbar.compilation import Compilation
from moexbar.console import note, out
from moexbar.execution import executes_steps
from moexbar.report.banded import BandsRow
from moexbar.report.compiled import LayerRow, Programming, Report
from moexbar.report.dies import dies_lines
from moexbar.report.executed import Skipped
from moexbar.report.jittered import JitterRow
from moexbar.report.methods import MethodRow
from moexbar.report.sizes import size_line, size_notes
from moexbar.report.tables import (
    gain_lines,
    layers_table,
    methods_table,
    size_lines,
    unfit_lines,
)
from moexbar.report.weights import weights_line

FEWEST = "the fewest that their peripheral groups can do with"


def print_compiled(compilation: Compilation, output: Path) -> None:
    """Methods and layers as tables, then what was placed, checked, executed, fitted, assumed."""
    report, done, console = compilation.report, compilation.compiled, out()
    console.print(_headline(report, done))
    console.print(methods_table(report.methods, report.jitter))
    for line in (*unfit_lines(report.methods), *_beside(report)):
        console.print(line)
    if report.jitter is not None:
        console.print("")
        console.print(jitter_table(report.jitter))
        console.print(jitter_line(report.jitter))
    if report.bands is not None:
        _print_bands(report.bands, report.jitter)
    if report.layers:
        console.print("")
        console.print(layers_table(report.layers))
    layers = report.layers
    for line in (*_replicas(layers), *_digital(layers), *_unlike_widths(layers)):
        console.print(line)
    console.print("")
    console.print(weights_line(done.workload.account), soft_wrap=True)
    console.print(converter_line(done.chip))
    binding = binding_lines(bound_by(done.program, done.chip))
    placed = *_placed(report), *_sized(report), *_written(report.programming)
    for line in (*placed, *_steps(report), *binding):
        console.print(line)
    console.print(f"all {len(report.checks)} checks passed", style="green")
    _print_executed(compilation)
    console.print(_scope(report))
    if report.window.scored_on_fitted:
        note("note: --fit and --score overlap, so these figures are no test of the grouping")
    for text in size_notes(report.size) if report.size and not report.dies else ():
        note(f"note: {text}")
    _print_unknown(report, done)
    console.print(f"written to {output}")


def _headline(report: Report, done: Compiled) -> str:
    """What was compiled for which chip, and how large it is."""
    window, placement = report.window, done.mapping.placement
    sequences = f"{window.batch} sequences of " * (window.batch > 1)
    steps = f" and {window.decode} decode steps" * (window.decode > 0)
    each = " and ".join(str(side.prefill) for side in window.sides or ()) or window.prefill
    return (
        f"{report.model.name} on {done.chip.title}: prefill of {sequences}"
        f"{each} tokens{steps}, "
        f"{len(done.program)} instructions, {placement.pgs} peripheral groups on "
        f"{placement.mesh_width} x {placement.mesh_height} cores"
    )


def _print_bands(bands: BandsRow, jitter: JitterRow | None) -> None:
    """Ranges of the figures, and which number moves which."""
    for shown in (figures_table(bands, jitter), energy_table(bands), swings_table(bands)):
        out().print("")
        out().print(shown)
    for line in band_lines(bands):
        out().print(line)


def _beside(report: Report) -> Iterator[str]:
    """What was tried of open sizes, and what is gained over other methods."""
    ours = report.methods[-1]
    if isinstance(ours, MethodRow):
        yield from size_lines(ours)
    if report.gains is not None:
        yield from gain_lines(report.gains, report.jitter)


def _replicas(layers: Iterable[LayerRow]) -> Iterator[str]:
    """Which experts have copies; nothing where none has."""
    for row in layers:
        if row.replicas:
            every = sorted(e for group in row.groups for e in group)
            twice = sorted({e for e, after in pairwise(every) if e == after})
            yield (
                f"layer {row.layer}: {row.replicas} replicas, of experts "
                f"{', '.join(str(e) for e in twice)}"
            )


def _digital(layers: Iterable[LayerRow]) -> Iterator[str]:
    """What the experts that digital units compute take there; nothing where there are none."""
    for row in layers:
        if row.digital:
            each = [f"{one.expert} ({one.tokens} tokens)" for one in row.digital]
            most = max(row.digital, key=lambda one: one.token_ns)
            yield (
                f"layer {row.layer}: digital experts {', '.join(each)}: {most.token_ns / 1e3:.2f} "
                f"us and {most.token_nj / 1e3:.2f} uJ a token, with "
                f"{most.weight_bytes / 1024:.1f} KiB from DRAM each time"
            )


def _unlike_widths(layers: Iterable[LayerRow]) -> Iterator[str]:
    """What groups of wide and narrow experts cost; nothing where all are alike."""
    found = [row.unlike_widths for row in layers if row.unlike_widths is not None]
    if found:
        taken, bound = sum(one.pgs for one in found), sum(one.pgs_bound for one in found)
        yield (
            f"experts of unlike widths: {taken} peripheral groups, as a group of experts takes "
            f"those of its widest; groups of as many experts take at least {bound}"
        )


def _placed(report: Report) -> Iterator[str]:
    """Traffic on the mesh with its bound, copies, and crossbars shared by ragged tiles."""
    placement = report.placement
    unlike = any(row.unlike_widths is not None for row in report.layers)
    if (traffic := placement.traffic) is not None:
        yield (
            f"placement {placement.solver}: {traffic.value} {traffic.objective} "
            f"over the fitted tokens, at least {traffic.bound} ({traffic.status})"
        )
    if placement.dense_copies is not None:
        yield f"each dense block stands {placement.dense_copies} times, its tokens dealt in turn"
    if (stacks := placement.stacks) is not None:
        yield (
            f"stacks {stacks.solver}: {stacks.members} groups and dense blocks of up to "
            f"{stacks.layers} layers in {stacks.count} stacks, {stacks.pgs} peripheral groups "
            f"instead of {stacks.pgs_alone}, at most {stacks.deepest} crossbars behind each"
        )
        if (met := stacks.met) is not None:
            yield (
                f"members of a stack would compute at once for {met.value / 1e6:.2f} us in all, "
                f"at least {met.bound / 1e6:.2f} ({met.status})"
            )
    if (crossbars := placement.expert_crossbars).packed:
        yield (
            f"packed: {crossbars.used} crossbars hold {crossbars.tiles} tiles of experts, "
            + ("each width by itself" if unlike else FEWEST)
        )


def _sized(report: Report) -> Iterator[str]:
    """How large it is, and what it would take with every peripheral group on."""
    if report.dies is not None:
        yield from dies_lines(report.dies)
    elif report.size is not None:
        yield size_line(report.size)
    match report.methods[-1]:
        case MethodRow(energy_nj=energy) if energy.never_off != energy.total:
            if energy.never_off is not None:
                yield (
                    "peripheral groups at rest are switched off where that saves energy: "
                    f"{energy.never_off / 1000:.2f} uJ if none were"
                )
        case _:
            pass


def _written(programming: Programming | None) -> Iterator[str]:
    """What writing the weights takes, where the chip's source publishes any of it."""
    if programming is None:
        return
    told = [f"{programming.crossbars} crossbars"]
    if programming.time_ns is not None:
        told.append(f"at least {programming.time_ns / 1000:.2f} us")
    if programming.energy_nj is not None:
        told.append(f"{programming.energy_nj / 1000:.2f} uJ")
    if programming.endurance is not None:
        told.append(f"cells last {programming.endurance} writes")
    yield f"writing the weights once: {', '.join(told)}"


def _steps(report: Report) -> Iterator[str]:
    """What decode steps and their caches take, where there are any."""
    steps, memory, window = report.steps, report.memory, report.window
    if not steps.decode_ns:
        return
    mean = sum(steps.decode_ns) / len(steps.decode_ns) / 1000
    yield (
        f"prefill {steps.prefill_ns / 1000:.2f} us, then {len(steps.decode_ns)} steps of "
        f"{mean:.2f} us in the mean"
    )
    if steps.decoding is not None:
        yield steps.decoding.summary
    held = f"{_kib(memory.kv_bytes)} of keys and values" if window.kv else "no KV cache"
    if memory.kv_buffer_bytes:
        yield f"in the regions' buffers: {_kib(memory.kv_buffer_bytes)} of keys and values"
        held = held if memory.kv_bytes else "no keys and values"
    if not report.expert_choice:
        held += "; token choice needs no GO cache"
    elif window.go:
        held += f", {_kib(memory.go_bytes)} of scores" + " and outputs" * (not window.kv)
        held += f" (the paper's formula: {_kib(memory.paper_go_bytes)})"
    else:
        held += ", no GO cache"
    yield f"in DRAM: {held}"


def _kib(number: int) -> str:
    return f"{number / 1024:.1f} KiB" if number < 2**20 else f"{number / 2**20:.1f} MiB"


def _print_executed(done: Compilation) -> None:
    """The largest error of the execution, or why there was none."""
    executed = done.report.executed
    if isinstance(executed, Skipped):
        later = " (moexbar verify)" if done.model.configuration is None else ""
        out().print(f"not executed: {executed.skipped}{later}")
        return
    alone = done.report.window.decode > 0 and not executes_steps(done.chip)
    out().print(executed.summary + " (the prefill)" * alone, style="green")


def _scope(report: Report) -> str:
    """Tokens fitted to and scored on, and the seed."""
    window = report.window
    if not report.layers:
        return f"no MoE layer, so nothing is fitted; seed {report.solver.seed}"
    scored = f"{window.first_token} to {window.first_token + window.tokens}"
    if window.batch > 1:
        scored = f"{window.batch} sequences from {window.first_token} on"
    return (
        f"fitted on tokens {window.fit_tokens[0]} to {window.fit_tokens[1]}, scored on "
        f"{scored}; seed {report.solver.seed}"
    )


def _print_unknown(report: Report, done: Compiled) -> None:
    """Areas that nobody published, and numbers that are assumed."""
    chip, missing = done.chip, chip_area(done.program, done.chip).missing
    if missing:
        out().print(f"no area: {', '.join(missing)} not published for {chip.name}")
    if report.assumed:
        told = f"{len(report.assumed)} chip numbers are assumed"
        here = ", ".join(str(change) for change in chip.changes)
        told += f", {len(chip.changes)} of them set here ({here})" if here else ""
        out().print(told if here else f"{told} (moexbar chips {chip.name})", style="yellow")
