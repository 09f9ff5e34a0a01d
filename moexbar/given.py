"""The routing that a compilation takes: the trace given, one recorded now, or one made up."""

from dataclasses import dataclass, replace
from pathlib import Path

from compiler.frontend.proof.traced import refuse_unhit
from compiler.options import Shape
from compiler.profiling.feeds import sequences_given
from compiler.profiling.rows import ShortSequencesError
from compiler.trace import no_routing
from ir.errors import ArgumentError, InputError
from ir.routing import Routing
from ir.workload import Workload
from moexbar.arguments import check
from moexbar.files.routing_file import only_routing
from moexbar.files.traces.read import read_trace
from moexbar.files.traces.reading import Reading
from moexbar.made_up import is_made_up, made_up_routing, note_of, with_note
from moexbar.model import Inputs, Model, arrays_of
from moexbar.progress import Progress


@dataclass(frozen=True, eq=False)
class Given:
    """Where the routing is to come from: a trace, or inputs to record one with.

    seed: of one that is made up; trust_traced: take an export that recorded one input's routing.
    """

    routing: Routing | Path | str | None
    reading: Reading
    inputs: Inputs | None
    seed: int
    trust_traced: bool

    @property
    def file(self) -> Routing | Path | str | None:
        """The routing, but for the word that asks for one made up."""
        return None if is_made_up(self.routing) else self.routing

    def trace(self, workload: Workload) -> Routing | None:
        """The trace, if one is given; of a file without it the model says how many experts."""
        if self.routing is None or isinstance(self.routing, Routing):
            return self.routing
        check("routing", self.routing, (Path, str), "a Routing or the path of a trace")
        experts = {op.router.experts for op in workload.moe_layers}
        reading = replace(self.reading, model_experts=experts.pop() if len(experts) == 1 else None)
        return only_routing(read_trace(self.routing, reading))


def routed(
    model: Model, workload: Workload, shape: Shape, given: Given, progress: Progress
) -> tuple[Workload, Routing]:
    """The workload with its trace; of one made up the notes then say it.

    Raises InputError where there is none, or one that the model was not exported for.
    """
    if given.inputs is not None:
        model.refuse_running()
    elif workload.moe_layers and is_made_up(given.routing):
        trace = made_up_routing(model.path, workload, shape, given.seed)
        progress.note(note_of(trace))
        workload = with_note(workload, trace)
        given = replace(given, routing=trace)
    trace = _trace(model, workload, shape, given, progress)
    if not given.trust_traced:
        refuse_unhit(model.path, workload, trace)
    return workload, trace


def _trace(
    model: Model, workload: Workload, shape: Shape, given: Given, progress: Progress
) -> Routing:
    """The trace given, or one recorded now; a model without MoE layers needs neither."""
    routing, inputs = given.routing, given.inputs
    if not workload.moe_layers:
        return no_routing(shape.length, shape.batch)
    if routing is not None and inputs is not None and not isinstance(routing, Routing):
        typed = InputError("compile", "both --routing and --inputs", "give one of them")
        raise ArgumentError("compile", "both routing and inputs", "give one of them", typed)
    if (trace := given.trace(workload)) is not None:
        if trace.expert_choice:
            _check_expert_choice(trace, shape)
        return trace
    if inputs is None:
        way, hint = "--inputs X.npz", "give inputs=... or routing=..."
        if model.configuration is not None:
            way, hint = "--routing synthetic, made up", 'give routing=..., or "synthetic", made up'
        typed = InputError("compile", "no routing", f"give --routing R.npz or {way}")
        raise ArgumentError("compile", "no routing", hint, typed)
    arrays = arrays_of(inputs)
    progress.begin("profiling", sequences_given(model.source, arrays, shape.length))
    try:
        trace = model.profile(
            arrays,
            tokens=shape.tokens,
            batch=shape.batch,
            decode=shape.decode,
            workload=workload,
            progress=progress.step,
            say=progress.note,
        )
    except ShortSequencesError as error:
        raise _too_short(error, inputs, shape) from error
    progress.end()
    return trace


def _too_short(error: ShortSequencesError, inputs: Inputs, shape: Shape) -> ArgumentError:
    """What of the window asks for more tokens than the inputs have."""
    where = str(inputs) if isinstance(inputs, Path | str) else "inputs"
    told = f"{error.name!r}: sequences of {error.tokens} tokens"
    both = shape.decode > 0
    hint = "lower one of them" if both else "lower it"
    need = f"need{'' if both else 's'} {error.asked}"
    mine = f"prefill={shape.sides or shape.prefill}" + f" and decode={shape.decode}" * both
    words = f"--prefill {shape.asked}" + f" and --decode {shape.decode}" * both
    typed = InputError(where, f"{told}, {words} {need}", hint)
    return ArgumentError(where, f"{told}, {mine} {need}", hint, typed)


def _check_expert_choice(trace: Routing, shape: Shape) -> None:
    """Experts chose among whole sequences, so the window must be one of them."""
    together = int((trace.sequence == trace.sequence[0]).sum())
    first = together - trace.decode
    if (first, trace.decode) != (shape.prefill, shape.decode):
        raise InputError(
            trace.source,
            f"recorded at {first} tokens a sequence and {trace.decode} decode steps, but --prefill "
            f"is {shape.prefill} and --decode {shape.decode}: experts chose among whole sequences",
            f"use --prefill {first} --decode {trace.decode}, or --inputs to record anew",
        )
