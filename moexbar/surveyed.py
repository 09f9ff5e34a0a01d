"""What the compiler sees in a model, as `moexbar model` tells it."""

from pathlib import Path

from compiler.frontend.proof.decode import Decode
from ir.selection import Capacity
from ir.workload import Attention, MoELayer, Workload
from moexbar.arguments import check_path
from moexbar.model import Model
from moexbar.report.models import (
    AttentionRow,
    CapacityRow,
    DenseRow,
    DigitalRow,
    ModelReport,
    MoeRow,
    SuspectRow,
)
from moexbar.report.weights import WeightsRow


def survey(model: Model | Path | str) -> ModelReport:
    """What the compiler sees in a model, what it cannot place and why, and how it can decode.

    Raises InputError naming file, node and layer where the model cannot be read.
    """
    if isinstance(model, Model):
        return model_report(*model.survey())
    check_path("model", model, "a Model or the path of an ONNX file")
    with Model(model) as opened:
        return model_report(*opened.survey())


def model_report(workload: Workload, decode: Decode) -> ModelReport:
    """Everything that the command tells."""
    return ModelReport(
        model=workload.name,
        sha256=workload.sha256,
        inputs=workload.inputs,
        outputs=workload.outputs,
        layers=workload.layers,
        moe_layers=tuple(moe_row(layer) for layer in workload.moe_layers),
        suspected=tuple(
            SuspectRow(s.node, s.op_type, s.reason, s.traced) for s in workload.suspects
        ),
        attention=tuple(_attention(op) for op in workload.attentions()),
        dense=tuple(
            DenseRow(
                name=op.name,
                layer=op.layer,
                rows=op.weight.rows,
                columns=op.weight.columns,
                bits=op.weight.bits,
                tensor=op.weight.tensor,
            )
            for op in workload.dense()
        ),
        digital=tuple(
            DigitalRow(op.name, op.layer, op.kind, op.scope, op.elements, op.nodes)
            for op in workload.digital()
        ),
        decode=decode.kind,
        decode_reason=decode.reason,
        notes=workload.notes,
        weights=WeightsRow.of(workload.account),
    )


def moe_row(layer: MoELayer) -> MoeRow:
    """One MoE layer; `top_k` or `capacity` is None, whichever does not apply."""
    router = layer.router
    return MoeRow(
        name=layer.name,
        layer=layer.layer,
        experts=router.experts,
        top_k=router.top_k,
        capacity=None if router.capacity is None else _capacity(router.capacity),
        router=router.kind,
        d_model=layer.d_model,
        d_expert=layer.d_expert,
        gated=layer.gated,
        activation=layer.activation.text,
        shared_experts=len(layer.shared),
        shared_gated=any(gate is not None for gate in layer.shared_gates),
        scale=layer.scale,
        weight_on=layer.weight_on,
        form=layer.form,
        proof=layer.proof,
        hidden_widths=layer.hidden_widths if len(set(layer.hidden_widths)) > 1 else None,
        ternary=layer.ternary or None,
    )


def _capacity(found: Capacity) -> CapacityRow:
    return CapacityRow(found.constant, found.numerator, found.denominator, found.minimum)


def _attention(op: Attention) -> AttentionRow:
    return AttentionRow(op.name, op.layer, op.heads, op.kv_heads, op.head_dim, op.causal)
