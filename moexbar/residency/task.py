"""`mx.reside`: residents by every method, fitted to a part of a trace and scored on another."""

from dataclasses import dataclass
from pathlib import Path

from compiler.options import SolverOptions
from compiler.residency.choose import LIMITS, Choice, choose
from compiler.residency.names import Objective, Share
from compiler.residency.problem import Problem, problem_of
from compiler.residency.room import Room, room_of
from compiler.residency.rules import greedy, most_used, nothing
from compiler.residency.stream import Stream, stream_of
from ir.arrays import Bools
from ir.chip import Chip
from ir.errors import InputError
from ir.routing import FIT, SCORE, Routing, token_spans
from moexbar.arguments import check, check_spans
from moexbar.chips import load_chip
from moexbar.files.routing_file import load_routing
from moexbar.model import Model
from moexbar.progress import Progress, Quiet
from moexbar.report.resident import Method, ResideReport
from moexbar.residency.footprint import Footprint, footprints, sizes
from moexbar.residency.rows import cell_row, digital_pairs, pool_rows
from moexbar.residency.terms import Terms
from moexbar.residency.ways import Ways

QUIET = Quiet()


@dataclass(frozen=True, eq=False)
class Asked:
    """What is decided, and on what: the trace's two ranges as streams, the room, one expert.

    expert: what each takes, where all take the same and a model is known.
    """

    fit: Stream
    score: Stream
    room: Room
    expert: Footprint | None

    def problem(self, *, bypass: bool) -> Problem:
        """For residents that never change; without bypass a slot of each pool is for misses."""
        return problem_of(self.fit, self.room if bypass else self.room.without(1))


def reside(
    routing: Routing | Path | str,
    chip: Chip | str = "hermes-mux2",
    *,
    capacity: float = 0.5,
    share: Share = "layer",
    objective: Objective = "misses",
    prefill: int = 1,
    bypass: bool = True,
    model: Model | Path | str | None = None,
    rate: float | None = None,
    writers: int | None = None,
    fit: tuple[float, float] = FIT,
    score: tuple[float, float] = SCORE,
    limits: SolverOptions = LIMITS,
    progress: Progress = QUIET,
) -> ResideReport:
    """Which experts stand on crossbars where there is room for a fraction of them, by every method.

    capacity: fraction of the experts; share: in each layer, or in one pool of all. objective: what
    cp-sat minimises on the fit range. prefill: tokens of a window, see
    `compiler.residency.stream`. bypass: a missed expert may be computed digitally, as all are that
    are never resident; without it every miss is written. model: with its sizes waiting and energy
    are told; where its experts differ in size, room is counted in crossbars and methods that
    change residents are left out. rate: tokens a second, for lifetimes. writers: crossbars written
    at once. limits: of each pool. Raises InputError for what cannot be used; on Ctrl-C the report
    has the best so far and says that it was interrupted.
    """
    check("routing", routing, (Routing, Path, str), "a Routing or the path of an NPZ file")
    check_spans(fit=fit, score=score)
    terms = Terms(capacity, share, objective, prefill, bypass, rate, writers)
    trace = routing if isinstance(routing, Routing) else load_routing(routing)
    chip = chip if isinstance(chip, Chip) else load_chip(chip)
    fitted, scored = (stream_of(trace, s, prefill) for s in token_spans(trace, fit, score))
    asked = _asked(fitted, scored, chip, terms, model)
    problem = asked.problem(bypass=bypass)
    progress.begin("residents", len(asked.room.room))
    choice = choose(problem, objective, limits, lambda: progress.step("pool"))
    progress.end()
    return _report(asked, terms, chip, problem, choice)


def _report(
    asked: Asked, terms: Terms, chip: Chip, problem: Problem, choice: Choice
) -> ResideReport:
    """The choice beside all other methods."""
    ways = Ways(chip, asked.room, terms.bypass, asked.expert, terms.rate, terms.writers)
    return ResideReport(
        objective=terms.objective,
        share=terms.share,
        capacity=terms.capacity,
        prefill=terms.prefill,
        bypass=terms.bypass,
        writers=terms.writers,
        rate=terms.rate,
        chip=chip.title,
        seed=choice.certificates[0].seed,
        interrupted=choice.interrupted,
        experts=asked.fit.items,
        pools=pool_rows(asked.fit, asked.room, choice, terms.share),
        methods=ways.rows(asked.fit, asked.score, _fixed(problem, choice)),
        cells=tuple(cell_row(kind) for kind in ways.kinds),
        digital=digital_pairs(asked.fit, choice.resident),
    )


def _asked(
    fit: Stream,
    score: Stream,
    chip: Chip,
    terms: Terms,
    model: Model | Path | str | None,
) -> Asked:
    """The room in experts, or in crossbars where a model says that they differ."""
    capacity, share = terms.capacity, terms.share
    if model is None:
        return Asked(fit, score, room_of(fit, capacity, share), None)
    if isinstance(model, Model):
        found = footprints(chip, model.workload(), fit)
    else:
        with Model(model) as opened:
            found = footprints(chip, opened.workload(), fit)
    size = sizes(found)
    if size is not None and not terms.bypass:
        raise InputError("bypass", "experts of different sizes, expected all of one size")
    alike = found[0] if len(set(found)) == 1 else None
    return Asked(fit, score, room_of(fit, capacity, share, size), alike)


def _fixed(problem: Problem, choice: Choice) -> dict[Method, Bools]:
    """Residents that never change, by every method; no rule is better than cp-sat's."""
    return {
        "cp-sat": choice.resident,
        "greedy": greedy(problem),
        "most-used": most_used(problem),
        "none": nothing(problem),
    }
