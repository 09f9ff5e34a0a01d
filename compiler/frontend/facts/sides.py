"""The sides of a model: inputs of tokens whose sequences may have lengths of their own."""

from collections.abc import Mapping, Sequence

from onnx_ir import Value

from compiler.frontend.facts.graph import Graph, name_of
from ir.errors import InputError
from ir.lengths import Tokens, in_words
from ir.sides import Side
from ir.workload import Workload


def side_inputs(graph: Graph) -> tuple[tuple[Value, ...], ...]:
    """The inputs of token ids [batch, tokens] of each side, in order: those of one axis together.

    An axis is the same where it has the same name, or the same length. An input of one id a
    sequence (a language, a task) is of no side.
    """
    groups: dict[object, list[Value]] = {}
    for value in graph.token_inputs:
        if value.dtype is None or not value.dtype.is_integer():
            continue
        if value.shape is None or len(value.shape) != 2 or value.shape[1] == 1:
            continue
        axis = value.shape[1]
        named = axis if isinstance(axis, int) else axis.value
        groups.setdefault(value if named is None else named, []).append(value)
    return tuple(tuple(values) for values in groups.values())


def fixed_tokens(values: Sequence[Value]) -> int | None:
    """The length that a side was exported for; None for a free one."""
    axis = values[0].shape[1] if values[0].shape is not None else None
    return axis if isinstance(axis, int) else None


def one_length(tokens: Tokens | None) -> int | None:
    """The number that a length is for all sides alike; None where they differ, or none is given."""
    if not isinstance(tokens, tuple):
        return tokens
    return tokens[0] if len(set(tokens)) == 1 else None


def sides_of(graph: Graph, tokens: Tokens | None) -> tuple[Side, ...]:
    """The sides with the tokens that are asked for; none where that is one number for all.

    Raises InputError where a model has fewer or more sides than there are numbers, and where a side
    was exported for another length.
    """
    if not isinstance(tokens, tuple) or one_length(tokens) is not None:
        return ()
    sides = side_inputs(graph)
    if len(sides) != len(tokens):
        raise InputError(
            graph.name,
            f"asked for {flag(tokens)}, but {_told(sides)}",
            f"give {len(sides)} numbers" if len(sides) > 1 else "give one number",
        )
    fixed = [fixed_tokens(values) for values in sides]
    wanted = tuple(own or asked for own, asked in zip(fixed, tokens, strict=True))
    for values, own, asked in zip(sides, wanted, tokens, strict=True):
        if own != asked:
            raise InputError(
                f"{graph.name}: input {name_of(values[0])!r}",
                f"axis 1 (tokens): exported for exactly {own}, asked for {asked}",
                f"use {flag(wanted)}, or export with a dynamic axis",
            )
    names = [tuple(name_of(v) for v in values) for values in sides]
    return tuple(Side(own, n) for own, n in zip(names, tokens, strict=True))


def refuse_one_number(graph: Graph, tokens: int) -> None:
    """InputError where the sides were exported for different lengths, and one is asked for."""
    sides = side_inputs(graph)
    fixed = {name_of(values[0]): n for values in sides if (n := fixed_tokens(values))}
    if len(set(fixed.values())) < 2:
        return
    told = ", ".join(f"{name!r} {length}" for name, length in fixed.items())
    lengths = tuple(fixed_tokens(values) or tokens for values in sides)
    raise InputError(
        graph.name,
        f"tokens a sequence, as exported: {told}; asked for {tokens} of all sides",
        f"use {flag(lengths)}, or export with dynamic axes",
    )


def lengths_given(graph: Graph, shapes: Mapping[str, Sequence[int]]) -> tuple[int, ...] | None:
    """Tokens of a sequence of each side, by the shapes of inputs, where they differ.

    None where they do not, there are not several sides, or an input is not given.
    """
    sides = side_inputs(graph)
    names = [name_of(values[0]) for values in sides]
    if len(sides) < 2 or any(not shapes.get(name) for name in names):
        return None
    lengths = tuple(int(shapes[name][-1]) for name in names)
    return lengths if one_length(lengths) is None else None


def refuse_sides(workload: Workload) -> None:
    """InputError where sides of different lengths have a layer in which experts choose tokens."""
    for layer in workload.moe_layers if workload.sides else ():
        if layer.router.capacity is not None:
            raise InputError(
                layer.name,
                "experts choose among the tokens of a sequence, of which the sides "
                f"have {' and '.join(str(side.tokens) for side in workload.sides)}",
                "give both sides as many tokens: --prefill T",
            )


def flag(tokens: Tokens) -> str:
    """Lengths as the option that asks for them."""
    return f"--prefill {in_words(tokens)}"


def _told(sides: Sequence[Sequence[Value]]) -> str:
    """How many sides a model has, and which."""
    if not sides:
        return "the model has one side: no input of token ids"
    names = ", ".join(" and ".join(repr(name_of(v)) for v in values) for values in sides)
    count = f"{len(sides)} sides" if len(sides) > 1 else "one side"
    return f"the model has {count}: {names}"
