"""Quantised execution of what was compiled, and how far it is from the float model.

Converters with a calibrated range are calibrated on sequences of the inputs that are not looked at
afterwards, the last ones; where there are no others, on those looked at.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from backends.functional import Run, execute
from backends.functional.analog import Analog
from backends.functional.analog_crossbars import AnalogCrossbars, Expert
from backends.functional.deviation import Deviation
from backends.functional.free import run_free
from backends.functional.reference import reference
from compiler.frontend.facts.graph import Graph, name_of
from compiler.profiling.feeds import Feeds
from ir.arrays import Array
from ir.chip import Chip
from ir.errors import ArgumentError, InputError
from ir.lengths import in_words
from ir.onnxdoor.nodes import Nodes
from moexbar.arguments import check
from moexbar.digital_experts import digital_row, sensitivities, worst
from moexbar.files.compiled import CompiledFolder, read_compiled
from moexbar.progress import Progress, Quiet
from moexbar.report.quantised import (
    AccuracyReport,
    DigitalExpertRow,
    ErrorRow,
    LanguageRow,
    SeedRow,
)

CALIBRATED_ON = 2  # sequences
AT_ONCE = 8  # runs whose float values are held
SEQUENCES = 4  # looked at where nothing is asked for
RANGE_PERCENT = 100.0  # of the calibration's sums, that converters hold where nothing is asked for
QUIET = Quiet()

RoutingKind = Literal["free", "fixed"]


def accuracy(
    compiled: CompiledFolder | Path | str,
    settings: Analog | None = None,
    *,
    routing: RoutingKind = "free",
    sequences: int | None = None,
    tokens: int | None = None,
    seeds: int = 1,
    digital_experts: int = 0,
    progress: Progress = QUIET,
) -> AccuracyReport:
    """Run a compiled model through quantised crossbars and compare it with the float model.

    compiled: the folder of `moexbar compile`, or one read back; settings: of the analog circuits,
    by default the chip's, with converters that hold all sums of the calibration. routing: `free`,
    the routers see quantised values, or `fixed`, the program as it is. With free routing,
    sequences: the first so many of the inputs, by default SEQUENCES; tokens: cut each to so many.
    seeds: drawings of the errors, each a run of its own, from the settings' seed on.
    digital_experts: how many routed experts are multiplied digitally, those that suffer most from
    a further drawing on sequences that are not scored. Raises InputError for a folder, inputs,
    sequences, seeds or experts that cannot be run.
    """
    kinds = (CompiledFolder, Path, str)
    check("compiled", compiled, kinds, "the folder of `moexbar compile`, or one read back")
    if routing == "fixed" and (sequences or tokens):
        name, own = "sequences" if sequences else "tokens", "which runs the program's own window"
        typed = InputError(f"--{name}", f"given with --routing fixed, {own}")
        raise ArgumentError(name, f"given with routing='fixed', {own}", "leave it out", typed)
    read = compiled if isinstance(compiled, CompiledFolder) else read_compiled(compiled)
    settings = settings or Analog.of(read.executable.chip, adc_range=RANGE_PERCENT)
    if seeds < 1:
        raise InputError("--seeds", f"{seeds}, expected at least 1")
    model, runs = Quantised(read, tokens), list[tuple[Deviation, str]]()
    count = sequences or min(SEQUENCES, model.sequences)
    drawings = [replace(settings, seed=settings.seed + number) for number in range(seeds + 1)]
    scored = model.window_sequences() if routing == "fixed" else range(count)
    digital = most_sensitive(model, drawings.pop(), scored, digital_experts, progress)
    experts = [(row.layer, row.expert) for row in digital]
    for drawn in drawings:
        if routing == "fixed":
            runs.append(fixed_deviation(model, drawn, experts))
        else:
            runs.append(free_deviation(model, drawn, count, experts, progress))
    found = [deviation for deviation, _ in runs]
    return accuracy_report(routing, found, runs[0][1], settings, read.executable.chip, digital)


class Quantised:
    """A compiled model, ready to be run through quantised crossbars.

    tokens: cut sequences to so many; None = all of each. Of inputs that are rows a sequence has as
    many as the compiled window's.
    """

    def __init__(self, read: CompiledFolder, tokens: int | None = None) -> None:
        """Open the model; InputError where its inputs do not fit."""
        sides = read.executable.workload.sides
        if sides and tokens is not None:
            lengths = in_words(tuple(side.tokens for side in sides))
            found = f"{tokens}, of a model compiled for sides of {lengths} tokens"
            raise InputError("--tokens", found, "leave it out")
        self.read = read
        self.source = read.model.source_of(read.executable.workload)
        self.nodes = Nodes(read.model.source, read.model.runtime)
        graph = Graph.of(self.nodes.source)
        self.ids = name_of(graph.token_inputs[0])
        each = read.window.prefill + read.window.decode
        self._feeds = Feeds(graph, read.executable.workload, read.inputs, tokens, each=each)
        self._groups = self._feeds.groups(self._feeds.sequences)

    @property
    def sequences(self) -> int:
        """Sequences in the inputs."""
        return self._feeds.sequences

    def runs(self, sequences: Sequence[int]) -> list[Run]:
        """The runs of the model that these sequences are in."""
        runs: list[Run] = []
        for group in self._groups:
            if any(s in group for s in sequences):
                feeds = self._feeds.of(group)
                length = self._feeds.length(feeds)
                tokens = np.arange(len(group) * length).reshape(len(group), length)
                runs.append(Run(feeds, tokens))
        return runs

    def float_values(self, runs: Sequence[Run]) -> list[dict[str, Array]]:
        """What the float model says of every value in each run."""
        tokens = max((run.tokens.size for run in runs), default=0)
        arrival = np.zeros(tokens, dtype=np.int64)
        return reference(self.nodes, self.read.executable.workload, runs, arrival)

    def window_sequences(self) -> list[int]:
        """The sequences that the program's window is from."""
        return [int(sequence) for sequence in np.unique(self.read.case().sequence)]

    def fitting(self, scored: Sequence[int]) -> tuple[list[int], str]:
        """Sequences to calibrate on, not scored ones if there are others; and that in words."""
        others = [s for s in range(self.sequences) if s not in scored]
        chosen = (others or list(scored))[-CALIBRATED_ON:]
        names = " and ".join(str(s) for s in chosen)
        rest = "not looked at otherwise" if others else "themselves looked at: there are no others"
        return chosen, f"sequences {names}, {rest}"

    def crossbars(
        self, settings: Analog, scored: Sequence[int], digital: Collection[Expert] = ()
    ) -> tuple[AnalogCrossbars, str]:
        """Programmed crossbars, calibrated if asked for, and on what, in words.

        digital: routed experts that are multiplied in floats instead.
        """
        read = self.read
        chip, mapping = read.executable.chip, read.executable.mapping
        made = AnalogCrossbars(mapping, chip, self.source, settings, digital)
        if settings.adc_bits is None or settings.adc_range is None:
            return made, ""
        chosen, words = self.fitting(scored)
        with made.calibrating():
            for run in self.runs(chosen):
                run_free(self.nodes, read.executable.workload, run, made)
        return made, f"converters calibrated on {words}"


def free_deviation(
    model: Quantised,
    settings: Analog,
    sequences: int,
    digital: Collection[Expert] = (),
    progress: Progress = QUIET,
) -> tuple[Deviation, str]:
    """The model with its own routers on the first so many sequences; see `Quantised.crossbars`."""
    if sequences > model.sequences:
        many = f"{sequences} sequences, the inputs hold {model.sequences}"
        raise InputError("--sequences", many)
    scored = range(sequences)
    runs = model.runs(scored)
    crossbars, calibrated = model.crossbars(settings, scored, digital)
    found = Deviation.of(model.read.executable.workload, model.ids, runs[0])
    progress.begin("sequences", len(runs))
    for first in range(0, len(runs), AT_ONCE):
        some = runs[first : first + AT_ONCE]
        for run, theirs in zip(some, model.float_values(some), strict=True):
            ours = run_free(model.nodes, model.read.executable.workload, run, crossbars)
            found.add_run(run, ours, theirs)
            progress.step(f"{found.tokens} tokens")
    progress.end()
    return found, calibrated


def fixed_deviation(
    model: Quantised, settings: Analog, digital: Collection[Expert] = ()
) -> tuple[Deviation, str]:
    """The program as it is, with the float model's gates; see `Quantised.crossbars`."""
    read = model.read
    case = read.case()
    crossbars, calibrated = model.crossbars(settings, model.window_sequences(), digital)
    done = execute(case, read.model.runtime, crossbars, fixed=True)
    found = Deviation.of(case.workload, model.ids, case.runs[0])
    found.add_program(done)
    return found, calibrated


def most_sensitive(
    model: Quantised,
    settings: Analog,
    scored: Sequence[int],
    count: int,
    progress: Progress = QUIET,
) -> tuple[DigitalExpertRow, ...]:
    """The `count` experts that errors so drawn hurt most, on sequences that are not scored."""
    if not count:
        return ()
    executable = model.read.executable
    crossbars, _ = model.crossbars(settings, scored)
    runs = model.runs(model.fitting(scored)[0])
    found = sensitivities(model.nodes, executable.workload, crossbars, runs, progress)
    if not 0 < count <= len(found):
        raise InputError("--digital-experts", f"{count}, the crossbars hold {len(found)} experts")
    return tuple(
        digital_row(expert, found[expert], executable.mapping, executable.chip)
        for expert in worst(found, count)
    )


def accuracy_report(
    routing: RoutingKind,
    found: Sequence[Deviation],
    calibrated: str,
    settings: Analog,
    chip: Chip,
    digital: tuple[DigitalExpertRow, ...] = (),
) -> AccuracyReport:
    """What `moexbar accuracy` tells.

    found: of every seed, in order; calibrated: see `Quantised.crossbars`.
    """
    first = found[0]
    rows = tuple(
        ErrorRow(
            error.name,
            error.layer,
            float(np.mean([one.errors[name].rms for one in found])),
            max(one.errors[name].largest for one in found),
        )
        for name, error in first.errors.items()
    )
    return AccuracyReport(
        routing=routing,
        settings=settings,
        not_published=not_published(chip, settings),
        calibration=calibrated or None,
        tokens=first.tokens,
        errors=rows,
        language=_language(found),
        no_language=first.why_not or None,
        seeds=tuple(
            SeedRow(
                settings.seed + number,
                list(one.errors.values())[-1].rms,
                one.language.perplexity if one.language else None,
                one.language.agreement if one.language else None,
            )
            for number, one in enumerate(found)
        ),
        digital=digital,
    )


def not_published(chip: Chip, settings: Analog) -> tuple[str, ...]:
    """The errors of cells that the chip states nothing of and the settings do not give."""
    out = list[str]()
    if chip.noise.write_percent is None and not any(settings.programming_noise):
        out.append("programming error")
    if chip.noise.read_percent is None and not settings.read_noise:
        out.append("read noise")
    return tuple(out)


def _language(found: Sequence[Deviation]) -> LanguageRow | None:
    """Means over the seeds; the float model is the same for all."""
    all_said = [one.language for one in found if one.language is not None]
    if not all_said:
        return None
    return LanguageRow(
        all_said[0].scored,
        float(np.mean([said.agreement for said in all_said])),
        float(np.mean([said.perplexity for said in all_said])),
        all_said[0].float_perplexity,
    )
