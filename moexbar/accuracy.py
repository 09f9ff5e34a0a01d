"""Quantised execution of what was compiled: the glue of `accuracy` and its benchmark.

Converters with a calibrated range are calibrated on sequences of the inputs that are not looked at
afterwards, the last ones; where there are no others, on those looked at.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from backends.functional import Run, execute
from backends.functional.analog import Analog
from backends.functional.analog_crossbars import AnalogCrossbars
from backends.functional.deviation import Deviation
from backends.functional.free import run_free
from backends.functional.nodes import Nodes
from backends.functional.reference import reference
from compiler.frontend.facts.graph import Graph, name_of
from compiler.profiling.feeds import Feeds
from ir.arrays import Array
from ir.errors import InputError
from moexbar.files.compiled import CompiledFolder
from moexbar.report.quantised import AccuracyReport, ErrorRow, LanguageRow

CALIBRATED_ON = 2  # sequences
AT_ONCE = 8  # runs whose float values are held


class Quantised:
    """A compiled model, ready to be run through quantised crossbars.

    tokens: cut sequences to so many; None = all of each.
    """

    def __init__(self, read: CompiledFolder, tokens: int | None = None) -> None:
        """Open the model; InputError where its inputs do not fit."""
        self.read = read
        self.source = read.model.source_of(read.executable.workload)
        self.nodes = Nodes(read.model.source, read.model.runtime)
        graph = Graph.of(self.nodes.source)
        self.ids = name_of(graph.token_inputs[0])
        self._feeds = Feeds(graph, read.executable.workload, read.inputs, tokens)
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

    def crossbars(self, settings: Analog, scored: Sequence[int]) -> tuple[AnalogCrossbars, str]:
        """Programmed crossbars, calibrated if asked for, and on what, in words."""
        read = self.read
        made = AnalogCrossbars(read.executable.mapping, read.executable.chip, self.source, settings)
        if settings.adc_bits is None or settings.adc_range is None:
            return made, ""
        others = [s for s in range(self.sequences) if s not in scored]
        chosen = (others or list(scored))[-CALIBRATED_ON:]
        with made.calibrating():
            for run in self.runs(chosen):
                run_free(self.nodes, read.executable.workload, run, made)
        names = " and ".join(str(s) for s in chosen)
        rest = "not looked at otherwise" if others else "themselves looked at: there are no others"
        return made, f"converters calibrated on sequences {names}, {rest}"


def free_deviation(
    model: Quantised,
    settings: Analog,
    sequences: int,
    advance: Callable[[], object] = lambda: None,
) -> tuple[Deviation, str]:
    """The model with its own routers on the first so many sequences; see `Quantised.crossbars`."""
    if sequences > model.sequences:
        many = f"{sequences} sequences, the inputs hold {model.sequences}"
        raise InputError("--sequences", many)
    scored = range(sequences)
    runs = model.runs(scored)
    crossbars, calibrated = model.crossbars(settings, scored)
    found = Deviation.of(model.read.executable.workload, model.ids, runs[0])
    for first in range(0, len(runs), AT_ONCE):
        some = runs[first : first + AT_ONCE]
        for run, theirs in zip(some, model.float_values(some), strict=True):
            ours = run_free(model.nodes, model.read.executable.workload, run, crossbars)
            found.add_run(run, ours, theirs)
            advance()
    return found, calibrated


def fixed_deviation(model: Quantised, settings: Analog) -> tuple[Deviation, str]:
    """The program as it is, with the float model's gates; see `Quantised.crossbars`."""
    read = model.read
    case = read.case()
    crossbars, calibrated = model.crossbars(settings, np.unique(case.sequence).tolist())
    done = execute(case, read.model.runtime, crossbars, fixed=True)
    found = Deviation.of(case.workload, model.ids, case.runs[0])
    found.add_program(done)
    return found, calibrated


def accuracy_report(
    routing: Literal["free", "fixed"], found: Deviation, settings: Analog, calibrated: str
) -> AccuracyReport:
    """What `moexbar accuracy` tells; calibrated: see `Quantised.crossbars`."""
    language = found.language
    return AccuracyReport(
        routing=routing,
        settings=settings,
        calibration=calibrated or None,
        tokens=found.tokens,
        errors=tuple(ErrorRow(e.name, e.layer, e.rms, e.largest) for e in found.errors.values()),
        language=None
        if language is None
        else LanguageRow(
            language.scored, language.agreement, language.perplexity, language.float_perplexity
        ),
        no_language=found.why_not or None,
    )
