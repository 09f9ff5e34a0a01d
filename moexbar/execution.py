"""Execute a compiled program on the model's inputs and compare: the glue of `verify` and `compile`.

Which sequences of the inputs the window's tokens are follows from the routing trace, whose sequence
ids are the inputs' first axis.
"""

from collections.abc import Iterable
from collections.abc import Mapping as ByName
from dataclasses import dataclass

import numpy as np

from backends.functional import (
    TOLERANCE,
    Case,
    Comparison,
    Difference,
    Run,
    Traced,
    compare,
    execute,
    first_steps,
)
from compiler.frontend.facts.graph import Graph
from compiler.profiling.feeds import Feeds
from ir.arrays import Array, Ints
from ir.chip import Chip
from ir.compiled import Executable
from ir.errors import CheckError, InputError
from ir.onnxdoor.load import Source
from ir.onnxdoor.processes.session import Runtime
from ir.program import Program
from ir.routing import Routing
from ir.workload import Workload
from moexbar.report.executed import DifferenceRow, Executed

MOST_WEIGHTS = 50_000_000  # `compile` executes by itself up to here: a few seconds
MOST_INSTRUCTIONS = 1_000_000


def small(executable: Executable) -> bool:
    """Whether `compile` executes the program without being asked."""
    weights = sum(block.weight.macs for block in executable.mapping.blocks)
    return weights <= MOST_WEIGHTS and len(executable.program) <= MOST_INSTRUCTIONS


def execute_program(case: Case, runtime: Runtime) -> Comparison:
    """Execute the program of `program_case` and compare with the model's run.

    Raises CheckError naming the first instruction that cannot be carried out.
    """
    return compare(execute(case, runtime))


def program_case(
    executable: Executable,
    source: Source,
    inputs: ByName[str, Array],
    routing: Routing,
    first_token: int,
    *,
    given: bool = True,
) -> Case:
    """A program with the inputs of its window.

    Without the decode steps where the chip has no instructions for all they do (see
    `executes_steps`). source: the opened model; first_token: the window's first token in the
    routing trace; given: whether that may be of another model or other inputs. Raises InputError
    where the inputs do not fit.
    """
    program, workload = executable.program, executable.workload
    before = _tokens_before(routing, first_token)
    if before and workload.sides:
        raise InputError(routing.source, "the window starts inside a sequence of several sides")
    sequence, arrival = window_sequence(program), first_steps(program)
    each = int((routing.sequence == routing.sequence[0]).sum())
    last = int(arrival.max(initial=0)) if executes_steps(executable.chip) else 0
    graph = Graph.of(source)

    def runs_until(step: int) -> list[Run]:
        tokens = np.flatnonzero(arrival <= step)
        return _runs(Given(graph, workload, inputs, each), sequence, tokens, before)

    again = range(last + 1) if last and routing.expert_choice else ()
    return Case(
        executable,
        source,
        runs_until(last),
        np.concatenate([sequence, np.full(before, sequence[0])]),
        [runs_until(step) for step in again],
        before,
        traced_window(workload, routing, sequence, first_token) if given else None,
    )


def traced_window(workload: Workload, routing: Routing, sequence: Ints, first_token: int) -> Traced:
    """What a trace says of the window's tokens, in order, of the given sequences.

    InputError for a trace without them.
    """
    ids, start, place = np.unique(sequence, return_index=True, return_inverse=True)
    first = np.searchsorted(routing.sequence, ids)  # in the trace
    first[ids == sequence[0]] = first_token
    token = first[place] + np.arange(len(sequence)) - start[place]
    lost = np.flatnonzero(
        np.append(routing.sequence, -1)[np.minimum(token, routing.tokens)] != sequence
    )
    if len(lost):
        missing = int(sequence[lost[0]])
        raise InputError(routing.source, f"ends within sequence {missing} of the window")
    rows = {op.layer: routing.row(op.layer) for op in workload.moe_layers}
    chosen = {layer: routing.matrix(row)[token] for layer, row in rows.items()}
    return Traced(routing.source, chosen, token, sequence)


def executes_steps(chip: Chip) -> bool:
    """Whether decode steps can be executed: every access to a cache is in the program."""
    return chip.memory.accounting == "full"


def window_sequence(program: Program) -> Ints:
    """[window tokens] sequence of each, from the instructions that name both."""
    named = program.token >= 0
    tokens = int(program.token.max(initial=-1)) + 1
    if tokens > len(program):
        raise InputError("program", f"token {tokens - 1} in {len(program)} instructions")
    out = np.full(tokens, -1, dtype=np.int64)
    out[program.token[named]] = program.seq[named]
    return out


def _tokens_before(routing: Routing, first_token: int) -> int:
    """Tokens of the window's first sequence that come before the window."""
    if not 0 <= first_token < routing.tokens:
        tokens = f"{routing.tokens} tokens"
        raise InputError(routing.source, f"{tokens}, but the window starts at {first_token}")
    first = int(np.argmax(routing.sequence == routing.sequence[first_token]))
    if routing.expert_choice and first < first_token:
        raise InputError(
            routing.source,
            f"the window starts at token {first_token}, inside a sequence, where experts choose "
            "among all its tokens",
            "choose whole sequences with --score",
        )
    return first_token - first


@dataclass(frozen=True, eq=False)
class Given:
    """A model's inputs, [sequences, ..]; each: tokens of a sequence, where they are rows."""

    graph: Graph
    workload: Workload
    inputs: ByName[str, Array]
    each: int

    def feeds(self, tokens: int) -> Feeds:
        """The first so many tokens of every sequence."""
        return Feeds(self.graph, self.workload, self.inputs, tokens, each=self.each)


def _runs(given: Given, sequence: Ints, tokens: Ints, before: int) -> list[Run]:
    """The window's sequences as the model runs them together, each from its first token on.

    before: so many tokens of the first sequence come before the window; they are numbered after it.
    """
    choosing = any(op.router.capacity is not None for op in given.workload.moe_layers)
    by_length: dict[int, list[int]] = {}
    tokens_of = {int(s): tokens[sequence[tokens] == s] for s in np.unique(sequence).tolist()}
    earlier = len(sequence) + np.arange(before)
    tokens_of[int(sequence[0])] = np.concatenate([earlier, tokens_of[int(sequence[0])]])
    for seq, own in tokens_of.items():
        by_length.setdefault(len(own), []).append(seq)
    runs: list[Run] = []
    for length, members in by_length.items():
        feeds = given.feeds(length)
        for group in feeds.groups(feeds.sequences):
            asked = [s for s in group if s in members]
            if asked and len(asked) < len(group):
                raise InputError(
                    "inputs",
                    f"sequences {group.start} to {group.stop - 1} run together in this model, but "
                    f"the program has {len(asked)} of them",
                )
            if asked:
                fed = feeds.of(group)
                hidden = () if choosing else feeds.hidden(fed)
                runs.append(Run(fed, np.stack([tokens_of[s] for s in group]), hidden))
    found = sorted(s for run in runs for s in sequence[run.tokens[:, -1]].tolist())
    if found != sorted(tokens_of):
        raise InputError("inputs", f"hold no sequence {sorted(set(tokens_of) - set(found))[0]}")
    return runs


def executed_row(done: Comparison) -> Executed:
    """A comparison as reports hold it."""
    return Executed(
        norm="max |difference| / max |reference|",
        worst=_finite(done.worst),
        outputs=_rows(done.outputs),
        moe_layers=_rows(done.layers),
        first_wrong_instruction=done.culprit,
        near_ties=done.near_ties,
        tokens_before_window=done.before,
        onnx_runtime_itself=_rows(done.runtime),
        run_anew=_rows(done.anew),
        uncached_deviation=_rows(done.deviation),
        summary=summary(done),
        rounding_ties=done.rounding_ties,
    )


def _rows(differences: Iterable[Difference]) -> tuple[DifferenceRow, ...]:
    return tuple(
        DifferenceRow(d.name, d.layer, _finite(d.absolute), _finite(d.relative))
        for d in differences
    )


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def refuse_wrong(done: Comparison, program: Program) -> None:
    """CheckError naming the first differing layer and instruction, if there is any."""
    first = done.first
    if first is None:
        return
    what = f"layer {first.layer}, {first.name}: {first.relative:.1e} off, at most "
    what += _short(first.limit)
    if done.culprit < 0:
        raise CheckError("numbers", "program", f"not the model run anew on the tokens; {what}")
    raise CheckError("numbers", program.name(done.culprit), f"first wrong result; {what}")


def summary(done: Comparison) -> str:
    """One line: the largest error, and how many tokens could have been routed either way."""
    text = f"executed: largest error {done.worst:.1e} of max |reference|, at most "
    text += _short(TOLERANCE)
    if done.hidden:
        text += f"; {done.hidden} tokens that the attention mask hides are not routed"
    if done.near_ties:
        text += f"; {done.near_ties} near ties (scores as good as equal)"
    if done.rounding_ties:
        text += f"; {done.rounding_ties} rounding ties (half way between two integers)"
    return text


def _short(limit: float) -> str:
    return f"{limit:.0e}".replace("e-0", "e-")
