"""A workload as text for people: one line per operator."""

from ir.workload import Attention, Dense, Digital, MoELayer, Operator, Weight, Workload

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


def describe(operator: Operator) -> str:
    """What an operator is, in a few words."""
    if isinstance(operator, MoELayer):
        return _moe(operator)
    if isinstance(operator, Attention):
        causal = "causal" if operator.causal else "not causal"
        return (
            f"{operator.heads} heads, {operator.kv_heads} kv heads, head_dim {operator.head_dim}, "
            f"{causal}, {len(operator.nodes)} nodes"
        )
    if isinstance(operator, Dense):
        return f"{_matrix(operator.weight)} {operator.weight.tensor}"
    if isinstance(operator, Digital):
        unit = "in all" if operator.scope == "constant" else "per token"
        nodes = f"{len(operator.nodes)} node{'s' if len(operator.nodes) != 1 else ''}"
        return f"{operator.kind}, {operator.scope}, {operator.elements} elements {unit}, {nodes}"
    return type(operator).__name__


def _moe(layer: MoELayer) -> str:
    router = layer.router
    if router.capacity is None:
        choice = f"top-{router.top_k}"
    elif router.capacity.constant is not None:
        choice = f"capacity {router.capacity.constant}"
    else:
        choice = f"capacity {router.capacity.numerator}T/{router.capacity.denominator}"
    shared = f" + {len(layer.shared)} shared" if layer.shared else ""
    gated = "gated " if layer.gated else ""
    return (
        f"{router.experts} experts{shared} of {layer.d_expert}, {choice}, {router.kind}, "
        f"{gated}{layer.activation.text}, {layer.form}"
    )


def _matrix(weight: Weight) -> str:
    bias = " + bias" if weight.bias else ""
    return f"{weight.rows} x {weight.columns}{bias}, {weight.bits} bits,"


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else line[: WIDTH - 3] + "..."
