"""A chip designed for one model or several: chosen without programs, then compiled and replayed."""

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as ByName
from dataclasses import dataclass
from pathlib import Path

from compiler.design.designer import Chosen, Designer
from compiler.design.floor import Floor
from compiler.design.mix import Mix
from compiler.design.problem import Asked, Quantity
from compiler.frontend.proof.traced import refuse_missing
from compiler.options import GroupingOptions, Options, Shape, SlotOptions, SolverOptions
from ir.chip import Chip
from ir.errors import ArgumentError, InputError
from ir.lengths import Tokens
from ir.routing import token_spans
from ir.workload import Workload
from moexbar.arguments import check_spans, lengths, whole
from moexbar.chips import change_chip, load_chip
from moexbar.designs.again import Tried, best_that_keeps, looking, tried_of
from moexbar.designs.demands import Demands
from moexbar.designs.files import settings_of, write_design
from moexbar.designs.perplexity import Scored, measured, scored_inputs
from moexbar.designs.rows import row_of
from moexbar.designs.served import Opened, Traced, served_of
from moexbar.files.folder import Draft, publish
from moexbar.files.traces.reading import Reading
from moexbar.given import Given, routed
from moexbar.least_placed import LEAST_PLACED, refuse_unplaced
from moexbar.model import Inputs, Model
from moexbar.progress import Progress, Quiet
from moexbar.report.designed import DesignReport, DesignRow

USUAL: ByName[str, tuple[int, ...]] = {}
PREFILL, FIT, SCORE = 128, (0.0, 0.5), (0.5, 1.0)
DEMANDS, QUIET, READING = Demands(), Quiet(), Reading()
GROUPING, LIMITS = GroupingOptions(), SolverOptions(time_s=1.0)
SLOTS = SlotOptions("token-order")


@dataclass(frozen=True, eq=False)
class Designed:
    """Chips for models, from the smallest on: `chosen`, and what is told of them.

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
        draft.times |= write_design(draft.folder, self.base, self.chosen, self.report)


def design(
    model: Opened | Sequence[Opened],
    chip: Chip | str = "hermes",
    demands: Demands = DEMANDS,
    *,
    weights: Sequence[float] = (),
    inputs: Inputs | Sequence[Inputs | None] | None = None,
    routing: Traced | Sequence[Traced | None] | None = None,
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

    Of several models it is one for all, each alone on it, with the means of their times and
    energies by `weights`, else alike; inputs and routing are of each, or one for all. chip: what it
    begins with; demands: what it must keep, and what is minimised; among: values of single
    decisions, where not the usual ones (`compiler.design.menus`). The window, ranges and grouping
    are as of `compile`; programs: also compile every chip that is chosen, and replay its program. A
    perplexity is measured on `inputs`, of one model alone, under each number of `bits` that there
    is to choose from. Raises InfeasibleError where no design keeps the demands: what is short, and
    the least that helps; InputError where a model has no perplexity, or there are not as many
    weights, inputs or routings as models.
    """
    shape = Shape.of(lengths("prefill", prefill), whole("batch", batch, 1), whole("decode", decode))
    check_spans(fit=fit, score=score)
    base = _one_die(chip if isinstance(chip, Chip) else load_chip(chip))
    given = Given(None, reading, None, limits.seed, trust_traced=False)
    served = served_of(model, weights, inputs, routing, given)
    _refuse_of_several(len(served), demands)
    least, kept, floors = demands.perplexity, None, list[Floor]()
    tokens = {} if least is None else scored_inputs(served[0].model, base, served[0].given.inputs)
    for one in served:
        workload = _workload(one.model, shape, progress)
        workload, trace = routed(one.model, workload, shape, one.given, progress)
        spans = token_spans(trace, fit, score, batch * shape.length)
        options = Options(shape, *spans, grouping, slots=SLOTS, limits=limits)
        floors.append(Floor(workload, trace, base, options, demands.power_mw))
    mix = Mix(tuple(floors), tuple(one.weight for one in served))
    designer = Designer(mix, mix.menu(among))
    asked = None if frontier else demands.asked(shape)
    if least is not None:
        scored = Scored(served[0].model, tokens, floors[0], demands.seeds)
        kept = measured(scored, designer.menu, least, progress)
        designer = Designer(mix, kept.menu(designer.menu))
    rows, chosen = list[DesignRow](), list[Chosen]()
    for best, tried in _found(designer, asked, frontier, demands.limits(shape), programs, progress):
        rows.append(row_of(designer, best, served, kept, tried))
        chosen.append(best)
    told = base.title, tuple(rows), None if kept is None else kept.row
    return Designed(base, tuple(chosen), DesignReport(*told, demands.power))


def _one_die(chip: Chip) -> Chip:
    """The chip, if it is one die: the model of a design knows of no links."""
    if chip.dies is not None:
        raise InputError(
            f"chip {chip.name}",
            "several dies, expected one: a design's times and areas are without links",
            "leave out [die] and [link], and compile the chosen chip with them",
        )
    return chip


def _refuse_of_several(models: int, demands: Demands) -> None:
    """What is known of one model only."""
    found = "several models, expected one"
    if models > 1 and demands.perplexity is not None:
        offer = "ask for each alone, and offer the bits that keep it with"
        typed = InputError("--perplexity", found, f"{offer} --among bits=N,...")
        raise ArgumentError("design: perplexity", found, f"{offer} among", typed)
    if models > 1 and demands.objective == "efficiency":
        hint = "limit area or energy, and minimise the other"
        typed = InputError("--objective efficiency", found, hint)
        raise ArgumentError("design: objective efficiency", found, hint, typed)


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
