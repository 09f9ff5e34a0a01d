"""A chip designed for a model: chosen without programs, then compiled and replayed."""

from collections.abc import Iterator
from collections.abc import Mapping as ByName
from dataclasses import dataclass
from pathlib import Path

from compiler.design.designer import Chosen, Designer
from compiler.design.floor import Floor
from compiler.design.menus import menu_of
from compiler.design.problem import Asked, Quantity
from compiler.frontend.proof.traced import refuse_missing
from compiler.options import GroupingOptions, Options, Shape, SlotOptions, SolverOptions
from ir.chip import Chip
from ir.lengths import Tokens
from ir.routing import Routing, token_spans
from ir.workload import Workload
from moexbar.arguments import check_spans, lengths, whole
from moexbar.chips import change_chip, load_chip
from moexbar.designs.again import Tried, best_that_keeps, looking, tried_of
from moexbar.designs.demands import Demands
from moexbar.designs.files import command_of, settings_of, write_design
from moexbar.designs.perplexity import Kept, Scored, measured, scored_inputs
from moexbar.designs.prices import prices
from moexbar.designs.programs import model_figures
from moexbar.files.folder import Draft, publish
from moexbar.files.traces.reading import Reading
from moexbar.given import Given, routed
from moexbar.least_placed import LEAST_PLACED, refuse_unplaced
from moexbar.model import Inputs, Model, open_model
from moexbar.progress import Progress, Quiet
from moexbar.report.designed import (
    DesignReport,
    DesignRow,
    GroupSizeRow,
    PartRow,
)

USUAL: ByName[str, tuple[int, ...]] = {}
PREFILL, FIT, SCORE = 128, (0.0, 0.5), (0.5, 1.0)
DEMANDS, QUIET, READING = Demands(), Quiet(), Reading()
GROUPING, LIMITS = GroupingOptions(), SolverOptions(time_s=1.0)


@dataclass(frozen=True, eq=False)
class Designed:
    """Chips for a model, from the smallest on: `chosen`, and what is told of them.

    base: the chip that they begin with.
    """

    base: Chip
    chosen: tuple[Chosen, ...]
    report: DesignReport

    @property
    def chips(self) -> tuple[Chip, ...]:
        """The chips with all that was chosen set."""
        return tuple(change_chip(self.base, settings_of(one.design)) for one in self.chosen)

    def save(self, folder: Path | str) -> None:
        """Write design.json, a chip file for each chip, and the commands that compile them."""
        with publish(Path(folder), "design") as draft:
            self.write(draft)

    def write(self, draft: Draft) -> None:
        """Write these into a folder that is being published."""
        write_design(draft.folder, self.base, self.chosen, self.report)


def design(
    model: Model | Path | str,
    chip: Chip | str = "hermes",
    demands: Demands = DEMANDS,
    *,
    inputs: Inputs | None = None,
    routing: Routing | Path | str | None = None,
    reading: Reading = READING,
    prefill: Tokens = PREFILL,
    batch: int = 1,
    decode: int = 0,
    frontier: int = 0,
    among: ByName[str, tuple[int, ...]] = USUAL,
    grouping: GroupingOptions = GROUPING,
    fit: tuple[float, float] = FIT,
    score: tuple[float, float] = SCORE,
    limits: SolverOptions = LIMITS,
    programs: bool = True,
    progress: Progress = QUIET,
) -> Designed:
    """The best chip for a model and its routing, or `frontier` chips from small to fast.

    chip: what it begins with; demands: what it must keep, and what is minimised; among: values of
    single decisions, where not the usual ones (`compiler.design.menus`). The window, ranges and
    grouping are as of `compile`; programs: also compile every chip that is chosen, and replay its
    program. A perplexity that is asked for is measured on `inputs`, under each number of `bits`
    that there is to choose from. Raises InfeasibleError where no design keeps the demands: what is
    short, and the least that helps; InputError where a model has no perplexity.
    """
    shape = Shape.of(lengths("prefill", prefill), whole("batch", batch, 1), whole("decode", decode))
    check_spans(fit=fit, score=score)
    model = model if isinstance(model, Model) else open_model(model)
    base = chip if isinstance(chip, Chip) else load_chip(chip)
    least, kept = demands.perplexity, None
    tokens = {} if least is None else scored_inputs(model, base, inputs)
    workload = _workload(model, shape, progress)
    given = Given(routing, reading, inputs, limits.seed, trust_traced=False)
    workload, trace = routed(model, workload, shape, given, progress)
    spans = token_spans(trace, fit, score, batch * shape.length)
    slots = SlotOptions("token-order")
    options = Options(shape, *spans, grouping, slots=slots, limits=limits)
    floor = Floor(workload, trace, base, options, demands.power_mw)
    designer = Designer(floor, menu_of(floor, among))
    asked = None if frontier else demands.asked(shape)
    if least is not None:
        scored = Scored(model, tokens, floor, demands.seeds)
        kept = measured(scored, designer.menu, least, progress)
        designer = Designer(floor, kept.menu(designer.menu))
    rows, chosen = list[DesignRow](), list[Chosen]()
    for one, tried in _found(designer, asked, frontier, demands.limits(shape), programs, progress):
        command = command_of(model.path, base, one, options, given)
        rows.append(_row(designer, one, command, tried, kept))
        chosen.append(one)
    told = None if kept is None else kept.row
    report = DesignReport(base.title, tuple(rows), told, demands.power)
    return Designed(base, tuple(chosen), report)


def _workload(model: Model, shape: Shape, progress: Progress) -> Workload:
    """The model as it is designed for; what was found in it is told before it is refused."""
    found = model.workload(tokens=shape.tokens, batch=shape.batch, decodes=shape.decode > 0)
    for line in dict.fromkeys(found.notes):
        progress.note(line)
    refuse_missing(model.path, found)
    refuse_unplaced(model.path, found, LEAST_PLACED)
    return found


def _found(
    designer: Designer,
    asked: Asked | None,
    frontier: int,
    limits: tuple[tuple[Quantity, int], ...],
    programs: bool,
    progress: Progress,
) -> Iterator[tuple[Chosen, Tried | None]]:
    """The best chip, or those of the frontier where nothing is asked, with their programs."""
    if asked is not None and programs:
        tried = best_that_keeps(designer, asked, progress)
        yield tried.chosen, tried
        return
    with looking(designer, progress, "design"):
        one = designer.frontier(frontier, limits) if asked is None else [designer.best(asked)]
    for chosen in one:
        yield chosen, tried_of(designer, chosen) if programs else None


def _row(
    designer: Designer, chosen: Chosen, command: str, tried: Tried | None, kept: Kept | None
) -> DesignRow:
    """All that is told of a chosen chip."""
    bits, program = chosen.design.whole.bits, None if tried is None else tried.program
    on_program = None if kept is None or program is None else kept.on_program(program, bits)
    one, told, best = chosen.design, chosen.figures, chosen.best
    return DesignRow(
        group_sizes=tuple(GroupSizeRow(*size) for size in one.sizes),
        stack=one.stack,
        mux=one.whole.mux,
        columns_per_adc=one.whole.columns,
        adc_bits=bits,
        dense_copies=one.copies,
        transfers_per_slot=one.transfers,
        return_lanes=one.lanes,
        input_buffers=one.buffers,
        dpus_per_region=one.dpus,
        mha_units_per_region=one.mha,
        replicas=one.replicas,
        minimised=best.asked.minimise,
        bound=best.bound,
        gap=best.gap,
        status=best.status,
        seconds=round(best.seconds, 3),
        model=model_figures(chosen, program),
        program=None if tried is None else tried.figures,
        parts=tuple(PartRow(unit, ps / 1000) for unit, ps in told.made_of.items()),
        prices=tuple(prices(designer, chosen, ())),
        command=command,
        perplexity=None if kept is None else kept.by_bits[bits].perplexity,
        program_perplexity=on_program,
        again=() if tried is None else tried.again,
    )
