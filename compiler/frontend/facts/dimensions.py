"""What a model asks of us: lengths it was exported for, operators that are not known."""

from functools import lru_cache

import onnx

from compiler.frontend.facts.graph import Graph, name_of
from compiler.frontend.facts.inputs import token_axis_of_input
from compiler.frontend.facts.patches import Patches, check_images, of_images
from compiler.frontend.facts.sides import one_length, refuse_one_number
from compiler.frontend.note import Note
from ir.errors import InputError
from ir.lengths import Tokens


def check_dimensions(
    graph: Graph, patches: Patches | None, tokens: Tokens | None, batch: int | None
) -> None:
    """InputError naming the input and its axis where a fixed length is not the one asked for.

    patches: where the tokens begin, if not at the inputs. tokens: per sequence; batch: sequences
    run together. None: whatever it is. Lengths of sides are not looked at: see `sides_of`.
    """
    asked = one_length(tokens)
    if asked is not None and of_images(graph):
        check_images(graph, patches, asked)
    if asked is not None:
        refuse_one_number(graph, asked)
    for value in graph.token_inputs:
        if value.shape is None or not len(value.shape):
            continue
        axis = token_axis_of_input(value)
        length, lead = value.shape[axis], value.shape[0]
        where = f"{graph.name}: input {name_of(value)!r}"
        of_tokens = patches is None and isinstance(length, int)
        if asked is not None and of_tokens and length != asked:
            raise InputError(
                where,
                f"axis {axis} (tokens): exported for exactly {length}, asked for {asked}",
                f"use --prefill {length}, or export with a dynamic axis",
            )
        if batch is not None and axis > 0 and isinstance(lead, int) and lead != batch:
            raise InputError(
                where,
                f"axis 0 (batch): exported for exactly {lead} sequences, asked for {batch}",
                f"use --batch {lead}, or export with a dynamic axis",
            )


def unknown_operators(graph: Graph) -> list[Note]:
    """A note for each kind of operator that is neither ONNX's nor ONNX Runtime's."""
    first: dict[str, str] = {}
    count: dict[str, int] = {}
    for node in graph.nodes:
        if _is_known(node.domain, node.op_type):
            continue
        kind = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
        first.setdefault(kind, node.name or "")
        count[kind] = count.get(kind, 0) + 1
    return [
        Note(
            f"node {name!r}: operator {kind} is not known ({count[kind]} in all); it stays digital "
            "and nothing is recognised where its shapes would be needed",
            f"operator {kind} is not known",
        )
        for kind, name in first.items()
    ]


@lru_cache(4096)
def _is_known(domain: str, op_type: str) -> bool:
    if domain not in ("", "ai.onnx"):
        return domain in ("com.microsoft", "ai.onnx.ml", "com.microsoft.nchwc")
    own = op_type.startswith(("Simplified", "Skip"))  # ONNX Runtime's, written without their domain
    return own or bool(onnx.defs.has(op_type))
