"""What a model asks of us: lengths it was exported for, operators that are not known."""

import onnx

from compiler.frontend.facts.graph import Graph, name_of
from compiler.frontend.facts.patches import Patches, check_images, of_images
from compiler.frontend.facts.sizes import token_axis_of_input
from ir.errors import InputError


def check_dimensions(
    graph: Graph, patches: Patches | None, tokens: int | None, batch: int | None
) -> None:
    """InputError naming the input and its axis where a fixed length is not the one asked for.

    patches: where the tokens begin, if not at the inputs. tokens: per sequence; batch: sequences
    run together. None: whatever it is.
    """
    if tokens is not None and of_images(graph):
        check_images(graph, patches, tokens)
    if tokens is not None:
        _check_sides(graph)
    for value in graph.token_inputs:
        if value.shape is None or not len(value.shape):
            continue
        axis = token_axis_of_input(value)
        length, lead = value.shape[axis], value.shape[0]
        where = f"{graph.name}: input {name_of(value)!r}"
        of_tokens = patches is None and isinstance(length, int)
        if tokens is not None and of_tokens and length != tokens:
            raise InputError(
                where,
                f"axis {axis} (tokens): exported for exactly {length}, asked for {tokens}",
                f"use --prefill {length}, or export with a dynamic axis",
            )
        if batch is not None and axis > 0 and isinstance(lead, int) and lead != batch:
            raise InputError(
                where,
                f"axis 0 (batch): exported for exactly {lead} sequences, asked for {batch}",
                f"use --batch {lead}, or export with a dynamic axis",
            )


def _check_sides(graph: Graph) -> None:
    """InputError where an encoder and a decoder were exported for different fixed lengths."""
    ids = [v for v in graph.token_inputs if v.dtype is not None and v.dtype.is_integer()]
    dims = {name_of(v): v.shape[1] for v in ids if v.shape is not None and len(v.shape) == 2}
    fixed = {name: dim for name, dim in dims.items() if isinstance(dim, int) and dim > 1}
    if len(set(fixed.values())) > 1:
        told = ", ".join(f"{name!r} {length}" for name, length in fixed.items())
        raise InputError(
            graph.name,
            f"tokens a sequence, as exported: {told}; a program has one number for both sides",
            "export both sides with one length, or with dynamic axes",
        )


def unknown_operators(graph: Graph) -> list[str]:
    """A note for each kind of operator that is neither ONNX's nor ONNX Runtime's."""
    first: dict[str, str] = {}
    count: dict[str, int] = {}
    for node in graph.nodes:
        standard = node.domain in ("", "ai.onnx") and onnx.defs.has(node.op_type)
        if standard or node.domain in ("com.microsoft", "ai.onnx.ml", "com.microsoft.nchwc"):
            continue
        if node.domain in ("", "ai.onnx") and node.op_type.startswith(("Simplified", "Skip")):
            continue  # ONNX Runtime's own, written without their domain
        kind = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
        first.setdefault(kind, node.name or "")
        count[kind] = count.get(kind, 0) + 1
    return [
        f"node {name!r}: operator {kind} is not known ({count[kind]} in all); it stays digital and "
        "nothing is recognised where its shapes would be needed"
        for kind, name in first.items()
    ]
