"""`moexbar model`: what the compiler sees in an ONNX file, and what it cannot place and why."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from compiler.frontend import survey_model
from compiler.frontend.proof.decode import Decode
from ir.workload import Attention, Dense, Digital, MoELayer, Workload
from moexbar.cli.options import Json
from moexbar.console import note, out, print_json, table


def model_command(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="The model.")],
    json: Json = False,
) -> None:
    """List layers, MoE layers, dense matrices and digital operations, and say what it can decode.

    Names what cannot be placed on crossbars, and for a suspected MoE layer that was not recognised
    why not and at which node (docs/frontend.md).

    Example: moexbar model model.onnx --json
    """
    workload, decode = survey_model(model)
    if json:
        print_json(survey_json(workload, decode))
    else:
        _print(workload, decode)


def survey_json(workload: Workload, decode: Decode) -> dict[str, Any]:
    """Everything the command tells, as plain data."""
    return {
        "model": workload.name,
        "sha256": workload.sha256,
        "inputs": list(workload.inputs),
        "outputs": list(workload.outputs),
        "layers": workload.layers,
        "moe_layers": [moe_json(layer) for layer in workload.moe_layers],
        "suspected": [
            {"node": s.node, "operator": s.op_type, "reason": s.reason, "traced": s.traced}
            for s in workload.suspects
        ],
        "attention": [
            {
                "name": op.name,
                "layer": op.layer,
                "heads": op.heads,
                "kv_heads": op.kv_heads,
                "head_dim": op.head_dim,
                "causal": op.causal,
            }
            for op in workload.operators
            if isinstance(op, Attention)
        ],
        "dense": [
            {
                "name": op.name,
                "layer": op.layer,
                "rows": op.weight.rows,
                "columns": op.weight.columns,
                "bits": op.weight.bits,
                "tensor": op.weight.tensor,
            }
            for op in workload.dense()
        ],
        "digital": [
            {
                "name": op.name,
                "layer": op.layer,
                "kind": op.kind,
                "scope": op.scope,
                "elements": op.elements,
                "nodes": list(op.nodes),
            }
            for op in workload.operators
            if isinstance(op, Digital)
        ],
        "decode": decode.kind,
        "decode_reason": decode.reason,
        "notes": list(workload.notes),
    }


def moe_json(layer: MoELayer) -> dict[str, Any]:
    """One MoE layer; `top_k` or `capacity` is null, whichever does not apply."""
    router, capacity = layer.router, layer.router.capacity
    return {
        "name": layer.name,
        "layer": layer.layer,
        "experts": router.experts,
        "top_k": router.top_k,
        "capacity": None
        if capacity is None
        else {
            "constant": capacity.constant,
            "numerator": capacity.numerator,
            "denominator": capacity.denominator,
            "minimum": capacity.minimum,
        },
        "router": router.kind,
        "d_model": layer.d_model,
        "d_expert": layer.d_expert,
        "gated": layer.gated,
        "activation": layer.activation,
        "shared_experts": len(layer.shared),
        "shared_gated": any(gate is not None for gate in layer.shared_gates),
        "scale": layer.scale,
        "weight_on": layer.weight_on,
        "form": layer.form,
        "proof": layer.proof,
    }


def _print(workload: Workload, decode: Decode) -> None:
    console = out()
    dense = list(workload.dense())
    console.print(
        f"{workload.name}: {workload.layers} layers, {len(workload.moe_layers)} MoE layers, "
        f"{len(dense)} dense matrices"
    )
    if workload.moe_layers:
        console.print("")
        console.print(_moe_table(workload))
        console.print(
            "proof: run = the layer's nodes and its definition agree on random inputs; structure = "
            "not run; traced = right only where every expert has a token"
        )
    console.print("")
    console.print(_dense_table(dense))
    kinds = Counter(op.kind for op in workload.operators if isinstance(op, Digital))
    nodes = sum(len(op.nodes) for op in workload.operators if isinstance(op, Digital))
    parts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    console.print("")
    console.print(f"digital: {parts or 'nothing'} ({nodes} ONNX nodes)")
    console.print(f"decode: {decode.kind}: {decode.reason}")
    if not workload.moe_layers and not workload.suspects:
        console.print("no MoE layer: nothing selects among feed-forward experts")
    for line in workload.notes:
        note(f"note: {line}")


def _moe_table(workload: Workload) -> Any:
    shown = table(
        "MoE layer",
        "form",
        "router",
        "activation",
        "experts",
        "takes",
        "width",
        "hidden",
        "shared",
        "proof",
        left=4,
    )
    for layer in workload.moe_layers:
        router = layer.router
        plain = "" if layer.gated else ", plain"
        shared = str(len(layer.shared))
        if any(gate is not None for gate in layer.shared_gates):
            shared += " gated"
        shown.add_row(
            layer.name,
            layer.form,
            router.kind,
            f"{layer.activation}{plain}",
            str(router.experts),
            _takes(layer),
            str(layer.d_model),
            str(layer.d_expert),
            shared,
            layer.proof,
        )
    return shown


def _takes(layer: MoELayer) -> str:
    capacity = layer.router.capacity
    if capacity is None:
        return f"top {layer.router.top_k}"
    if capacity.constant is not None:
        return f"{capacity.constant} tokens"
    return f"{capacity.numerator}T/{capacity.denominator}"


def _dense_table(dense: list[Dense]) -> Any:
    """Dense matrices by shape: models have few shapes and many layers."""
    shapes = Counter((op.weight.rows, op.weight.columns, op.weight.bits) for op in dense)
    shown = table("dense matrix", "bits", "times")
    for (rows, columns, bits), count in shapes.items():
        shown.add_row(f"{rows} x {columns}", str(bits), str(count))
    return shown
