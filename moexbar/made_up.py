"""Routing made up for a model that none was recorded for: `--routing synthetic`."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from compiler.options import Shape
from ir.errors import InputError
from ir.routing import Routing
from ir.sides import on_side, positions
from ir.workload import Workload
from moexbar.examples.catalogue import GPT_OSS_TRAITS, MIXTRAL_TRAITS
from moexbar.examples.synthetic import synthetic_routing

WORD = "synthetic"
FEW = 8  # experts of a layer: so many are routed as Mixtral's, more as gpt-oss'
SEQUENCES, TOPICS, LENGTH = 8, 4, 256  # at least: sequences, topics of each, tokens of a topic


def is_made_up(routing: object) -> bool:
    """Whether routing is to be made up: the word where a trace's path would be."""
    return isinstance(routing, str | Path) and str(routing) == WORD


def made_up_routing(path: Path, workload: Workload, shape: Shape, seed: int) -> Routing:
    """A trace for the model's MoE layers, long enough for the window.

    Drawn from the random router of the examples (docs/examples.md): its constants are fitted to
    Mixtral-8x7B for up to 8 experts, else to gpt-oss-20b, not to this model. path: of the model.
    Raises InputError where layers differ in experts or experts choose tokens.
    """
    kinds = {(op.router.experts, op.router.top_k) for op in workload.moe_layers}
    experts, k = kinds.pop()
    if kinds or k is None:
        found = "layers of different numbers of experts" if kinds else "experts that choose tokens"
        raise InputError(
            str(path),
            f"{found}: no routing is made up for them",
            "give a trace: --routing TRACE",
        )
    made = synthetic_routing(
        [op.layer for op in workload.moe_layers],
        experts,
        k,
        MIXTRAL_TRAITS if experts <= FEW else GPT_OSS_TRAITS,
        sequences=max(SEQUENCES, 4 * shape.batch),
        topics=TOPICS,
        length=max(LENGTH, -(-shape.length // TOPICS)),
        seed=seed,
    )
    return _of_sides(made, workload, shape) if workload.sides else made


def _of_sides(made: Routing, workload: Workload, shape: Shape) -> Routing:
    """The first tokens of each sequence, of which a layer has those of its side."""
    kept = positions(made.sequence) < shape.length
    sequence = made.sequence[kept]
    has = [on_side(workload.sides, op.side, sequence) for op in workload.moe_layers]
    choices = None if made.choices is None else made.choices[:, kept]
    return replace(
        made,
        sequence=sequence,
        choices=None if choices is None else np.where(np.array(has)[..., None], choices, -1),
        weights=None if made.weights is None else made.weights[:, kept],
        domain=None if made.domain is None else made.domain[kept],
    )


def with_note(workload: Workload, routing: Routing) -> Workload:
    """The workload with a note that its routing is made up."""
    return replace(workload, notes=(*workload.notes, note_of(routing)))


def note_of(routing: Routing) -> str:
    """What is said of the trace."""
    return (
        f"the routing is made up ({routing.source}, docs/examples.md): {routing.tokens} tokens of "
        "a random router, not this model's; figures that rest on it are no measurement"
    )
