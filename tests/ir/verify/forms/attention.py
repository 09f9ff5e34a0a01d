"""Models whose attention takes, or gives, what few do."""

from dataclasses import replace
from typing import Any

from ir.workload import AnyOperator, Attention, Digital, Workload
from tests.compiler.emit.test_streams import streaming
from tests.ir.verify.forms.parts import changed
from tests.make import small_workload


def with_fewer_key_heads(workload: Workload) -> Workload:
    """One head of keys and values for both of the queries."""

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, kv_heads=1) if isinstance(op, Attention) else op

    return changed(workload, change)


def with_attention_of(workload: Workload, name: str) -> Workload:
    """Attention takes another value too."""

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, inputs=(*op.inputs, name)) if isinstance(op, Attention) else op

    return changed(workload, change)


def with_mask_of_the_user(workload: Workload) -> Workload:
    """Attention takes a mask that comes with the token, and that no operator makes."""
    return replace(with_attention_of(workload, "mask"), inputs=(*workload.inputs, "mask"))


def with_a_table(workload: Workload) -> Workload:
    """Attention takes a constant too."""
    table = Digital(
        name="table",
        layer=-1,
        inputs=(),
        outputs=("table",),
        nodes=("node_table",),
        width=9,
        kind="other",
        scope="constant",
        elements=9,
    )

    taking = with_attention_of(workload, "table")
    return replace(taking, operators=(table, *taking.operators))


def with_attention_added_as_it_is(workload: Workload) -> Workload:
    """The first sum takes a token's part of the attention's result beside what a product makes."""

    def change(op: AnyOperator) -> AnyOperator:
        if op.name == "add_a0":
            return replace(op, inputs=(*op.inputs, "attention0"))
        return op

    return changed(workload, change)


def looking_at_attention(workload: Workload) -> Workload:
    """The second layer's attention takes the first one's results as its values."""

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, inputs=(*op.inputs[:2], "attention0")) if op.name == "attention1" else op

    return changed(workload, change)


def without_the_second_attention(workload: Workload) -> Workload:
    """The second layer's first sum takes a product of the norm's, and no other token."""
    gone = {"q1", "k1", "attention1"}
    operators = (op for op in workload.operators if op.name not in gone)
    fewer = replace(workload, operators=tuple(operators))
    return changed(fewer, lambda op: replace(op, inputs=("v1",)) if op.name == "o1" else op)


def with_attention_twice(workload: Workload) -> Workload:
    """What the first attention gives are the queries, keys and values of another."""
    operators: list[AnyOperator] = []
    for op in workload.operators:
        if op.name == "o0":
            op = replace(op, inputs=("again",))
        operators.append(op)
        if isinstance(op, Attention):
            again: dict[str, Any] = {"name": "again", "outputs": ("again",), "queries": ()}
            operators.append(replace(op, inputs=op.outputs * 3, nodes=("node_again",), **again))
    return replace(workload, operators=tuple(operators))


def attention_first() -> Workload:
    """It streams what comes with the tokens, in place of looking up their vectors."""
    workload = streaming(small_workload(layers=1))
    embed, *others = workload.operators
    attention = next(op for op in others if isinstance(op, Attention))
    first = replace(
        attention,
        name="embed",
        inputs=("ids", "ids", "ids"),
        outputs=embed.outputs,
        nodes=embed.nodes,
        queries=(),
    )
    return replace(workload, operators=(first, *others))


def of_the_newest_alone(workload: Workload) -> Workload:
    """The attention says that it is done for the newest token."""

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, newest=True) if isinstance(op, Attention) else op

    return changed(workload, change)
