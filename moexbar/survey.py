"""What the compiler sees in a model, as plain data: what `moexbar model --json` prints."""

from typing import Any

from compiler.frontend.proof.decode import Decode
from ir.workload import Attention, Digital, MoELayer, Workload


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
        "activation": layer.activation.text,
        "shared_experts": len(layer.shared),
        "shared_gated": any(gate is not None for gate in layer.shared_gates),
        "scale": layer.scale,
        "weight_on": layer.weight_on,
        "form": layer.form,
        "proof": layer.proof,
    }
