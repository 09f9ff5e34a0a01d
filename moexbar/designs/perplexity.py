"""The perplexity that a model keeps under each converter of a menu, as `moexbar accuracy` finds it.

Of a converter only its bits matter to that: columns that share one have the same sums. What is
placed where matters to errors of cells, which are drawn for every crossbar: converters are compared
on one placement, where experts share nothing, and with the same errors.
"""

import math
from collections.abc import Mapping as ByName
from dataclasses import dataclass, replace

from backends.functional.analog import Analog
from compiler.design.choices import Menu, Whole
from compiler.design.floor import Floor
from compiler.pipeline import compile_model
from compiler.sizing import with_largest_sizes
from ir.arrays import Array
from ir.chip import Chip
from ir.compiled import Compiled
from ir.errors import Amount, ArgumentError, InfeasibleError, InputError
from ir.onnxdoor.weights import stored_bytes
from moexbar.files.compiled import CompiledFolder
from moexbar.model import Inputs, Model, arrays_of
from moexbar.progress import Progress
from moexbar.quantised import RANGE_PERCENT, accuracy
from moexbar.report.building import window_row
from moexbar.report.designed import AdcRow, PerplexityRow
from moexbar.report.quantised import LanguageRow

MOST = 1e12  # a perplexity beyond it, or that is no number, counts as this
LEAVE_OUT = "leave the perplexity out; `moexbar accuracy` tells how far a model's values move"


def scored_inputs(model: Model, chip: Chip, inputs: Inputs | None) -> ByName[str, Array]:
    """The tokens that a perplexity is measured on, by the name of their input.

    Raises InputError where none are given, where the model has no weights, or where its routers are
    on crossbars.
    """
    if model.configuration is not None:
        found = "a configuration has no weights, so no perplexity"
        raise InputError(str(model.path), found, "leave the perplexity out, or export the model")
    stored = model.source.graph.initializers
    if any(stored_bytes(model.source, name) is None for name in stored):
        found = "its weights are holes in a sparse file, so it has no perplexity"
        raise InputError(str(model.path), found, "leave the perplexity out")
    if inputs is None:
        found = "no tokens to measure it on"
        typed = InputError("--perplexity", found, "give --inputs X.npz, not a trace")
        raise ArgumentError("design: perplexity", found, "give inputs=...", typed)
    if chip.digital.router_on == "crossbar":
        raise InputError(
            f"chip {chip.name}",
            "digital.router_on: crossbar, expected digital where a perplexity is asked for",
            "set digital.router_on=digital",
        )
    return arrays_of(inputs)


@dataclass(frozen=True, eq=False)
class Scored:
    """A model and what is known of its designs, with the inputs that its perplexity is measured on.

    seeds: drawings of the cells' errors, of which the mean counts, where cells have errors.
    """

    model: Model
    inputs: ByName[str, Array]
    floor: Floor
    seeds: int

    def language(self, compiled: Compiled, settings: Analog) -> tuple[LanguageRow, list[float]]:
        """What `moexbar accuracy` says with these settings, and the perplexity by each drawing.

        Without errors of cells all are like the first. InputError where it can say nothing.
        """
        window = window_row(compiled, self.floor.options, self.floor.routing)
        read = CompiledFolder(self.model, compiled, self.inputs, self.floor.routing, window)
        told = accuracy(read, settings, seeds=1 if settings.exact else self.seeds)
        path, found = str(self.model.path), told.language
        if found is None:
            raise InputError(path, f"no perplexity: {told.no_language}", LEAVE_OUT)
        if not found.positions:
            one = "no perplexity: sequences of one token, expected at least two"
            raise InputError("inputs", one, "give longer ones")
        if number(found.float_perplexity) == MOST:
            raise InputError(path, "no perplexity: the float model's is no number", LEAVE_OUT)
        return found, [number(row.perplexity) for row in told.seeds]


@dataclass(frozen=True, eq=False)
class Kept:
    """{bits of a converter, None: of the chip's own: perplexity with it}, and what is asked.

    exact: with converters that lose nothing, and the float model's.
    """

    scored: Scored
    asked: float
    by_bits: ByName[int | None, AdcRow]
    exact: LanguageRow

    def menu(self, menu: Menu) -> Menu:
        """The menu with the converters that keep what is asked; InfeasibleError without any."""
        kept = [bits for bits, row in self.by_bits.items() if row.perplexity <= self.asked]
        if not kept:
            raise self._short()
        return replace(menu, bits=tuple(bits for bits in kept if bits is not None))

    def on_program(self, compiled: Compiled, bits: int | None) -> float:
        """The perplexity of a chosen chip with these converters, as its program places the model.

        Without errors of cells it does not matter where that is.
        """
        settings = analog_of(compiled.chip, compiled.chip.mvm.adc_bits)
        if settings.exact:
            return self.by_bits[bits].perplexity
        return number(self.scored.language(compiled, settings)[0].perplexity)

    def _short(self) -> InfeasibleError:
        """The best that was reached and by what, and what would do."""
        least = min(self.by_bits.values(), key=lambda row: row.perplexity)
        bits, best, chip = least.adc_bits, least.perplexity, self.scored.floor.chip
        exact, digital = number(self.exact.perplexity), number(self.exact.float_perplexity)
        hint = f"allow at least {math.ceil(best * 1e4) / 1e4:.4f}"
        if exact <= self.asked and chip.split.adc_area and chip.split.adc_energy:
            hint += f", or offer {'other' if bits is None else 'more'} bits with --among bits=N,.."
        hint += f" (converters that lose nothing: {exact:.4f}, float model: {digital:.4f})"
        need = Amount(math.ceil(best * 1e6), f"{best:.4f} with {converters(bits, chip)}")
        have = Amount(math.floor(self.asked * 1e6), f"{self.asked:g}")
        return InfeasibleError("perplexity of a design", need, have, "millionths", hint)

    @property
    def row(self) -> PerplexityRow:
        """What is told of all of it."""
        return PerplexityRow(
            asked=self.asked,
            converters=tuple(self.by_bits.values()),
            exact=number(self.exact.perplexity),
            digital=number(self.exact.float_perplexity),
            positions=self.exact.positions,
            seeds=self.scored.seeds,
        )


def measured(scored: Scored, menu: Menu, asked: float, progress: Progress) -> Kept:
    """The perplexity under every converter of the menu, each number of bits once."""
    chip = scored.floor.chip
    own: tuple[int | None, ...] = menu.bits or (None,)
    settings = {n: analog_of(chip, chip.mvm.adc_bits if n is None else n) for n in own}
    ideal = analog_of(chip, None)
    progress.begin("perplexity", 1 + len(settings))
    progress.step("with converters that lose nothing")
    compiled = _sharing_nothing(scored.floor)
    exact = scored.language(compiled, ideal)
    found: dict[int | None, AdcRow] = {}
    for bits, one in settings.items():
        progress.step(f"with {converters(bits, chip)}")
        said, drawn = exact if one == ideal else scored.language(compiled, one)
        found[bits] = AdcRow(bits, number(said.perplexity), min(drawn), max(drawn))
    progress.end()
    return Kept(scored, asked, found, exact[0])


def analog_of(chip: Chip, adc_bits: int | None) -> Analog:
    """The settings of `moexbar accuracy` with such converters; None: they lose nothing."""
    return Analog.of(chip, adc_range=RANGE_PERCENT, adc_bits=adc_bits)


def converters(bits: int | None, chip: Chip) -> str:
    """Converters of so many bits, or the chip's own, in words."""
    bits = chip.mvm.adc_bits if bits is None else bits
    return "converters that lose nothing" if bits is None else f"{bits}-bit converters"


def number(perplexity: float | None) -> float:
    """A perplexity, MOST where it is larger or no number."""
    return perplexity if perplexity is not None and perplexity <= MOST else MOST


def _sharing_nothing(floor: Floor) -> Compiled:
    """A program of the chip that the designs begin with, a peripheral group for every crossbar."""
    grouping = replace(floor.options.grouping, size=1, sizes=())
    options = replace(floor.options, grouping=grouping)
    chip = with_largest_sizes(Whole(1).on(floor.chip))
    return compile_model(floor.workload, floor.routing, chip, options)
