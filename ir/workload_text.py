"""A workload as text for people: one line per operator."""

from typing import assert_never

from ir.workload import AnyOperator, Attention, Dense, Digital, MoELayer, Weight, Workload

WIDTH = 100


def workload_text(workload: Workload) -> str:
    """The listing, at most 100 columns wide, ending in a newline."""
    lines = [
        f"workload {workload.name}  sha256 {workload.sha256[:16]}  layers {workload.layers}",
        f"inputs {', '.join(workload.inputs)}  outputs {', '.join(workload.outputs)}",
        f"{'#':>4} {'layer':>5} {'operator':<13} {'width':>5}  what",
    ]
    for index, operator in enumerate(workload.operators):
        layer = str(operator.layer) if operator.layer >= 0 else "-"
        lines.append(
            f"{index:>4} {layer:>5} {operator.name:<13} {operator.width:>5}  {describe(operator)}"
        )
    lines.extend(f"note: {note}" for note in workload.notes)
    return "".join(f"{_cut(line)}\n" for line in lines)


def describe(op: AnyOperator) -> str:
    """What an operator is, in a few words."""
    match op:
        case MoELayer():
            return _moe(op)
        case Attention():
            causal = "causal" if op.causal else "not causal"
            return (
                f"{op.heads} heads, {op.kv_heads} kv heads, head_dim {op.head_dim}, {causal}, "
                f"{len(op.nodes)} nodes"
            )
        case Dense():
            return f"{_matrix(op.weight)} {op.weight.tensor}"
        case Digital():
            unit = "in all" if op.scope == "constant" else "per token"
            nodes = f"{len(op.nodes)} node{'s' if len(op.nodes) != 1 else ''}"
            return f"{op.kind}, {op.scope}, {op.elements} elements {unit}, {nodes}"
        case _:
            assert_never(op)


def _moe(layer: MoELayer) -> str:
    router = layer.router
    if router.capacity is None:
        choice = f"top-{router.top_k}" + ("" if layer.dropped == "nothing" else " or itself")
    elif router.capacity.constant is not None:
        choice = f"capacity {router.capacity.constant}"
    else:
        choice = f"capacity {router.capacity.numerator}T/{router.capacity.denominator}"
    shared = f" + {len(layer.shared)} shared" if layer.shared else ""
    gated = "gated " if layer.gated else ""
    shared = "".join(f" + {words}" for words in idle_words(layer)) + shared
    routed = f"{router.experts} ternary" if "routed" in layer.ternary else str(router.experts)
    return (
        f"{routed} experts{shared} of {width_words(layer)}, {choice}, {router.kind}, "
        f"{gated}{layer.activation.text}, {layer.form}"
    )


def width_words(layer: MoELayer) -> str:
    """Hidden width of its experts: `48`, or `24 to 48` where they differ."""
    least, most = min(layer.hidden_widths), max(layer.hidden_widths)
    return str(most) if least == most else f"{least} to {most}"


def idle_words(layer: MoELayer) -> tuple[str, ...]:
    """What the router's outputs without an expert give: `2 identity`, `1 zero` (experts)."""
    passing, idle = len(layer.passing), len(layer.router.idle_outputs)
    counts = {"identity": passing, "zero": idle - passing}
    return tuple(f"{count} {kind}" for kind, count in counts.items() if count)


def _matrix(weight: Weight) -> str:
    bias = " + bias" if weight.bias else ""
    return f"{weight.rows} x {weight.columns}{bias}, {weight.bits} bits,"


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else line[: WIDTH - 3] + "..."
