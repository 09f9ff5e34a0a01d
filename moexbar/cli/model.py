"""`moexbar model`: what the compiler sees in a model, and what it cannot place and why."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from ir.workload import Dense, MoELayer, Workload
from ir.workload_text import idle_words, width_words
from moexbar.cli.options import Json, ModelFile
from moexbar.console import out, print_json, print_notes, table

if TYPE_CHECKING:
    from compiler.frontend.proof.decode import Decode


def model_command(model: ModelFile, json: Json = False) -> None:
    """List what is recognised in an ONNX model and what it can decode.

    Layers, MoE layers, dense matrices and digital operations; what cannot be placed on crossbars;
    and for a suspected MoE layer that was not recognised why not and at which node
    (docs/frontend.md).

    Example: moexbar model model.onnx --json

    Example: moexbar model config.json
    """
    from moexbar.model import Model
    from moexbar.surveyed import survey

    if json:
        report = survey(model)
        print_json(report)
        print_notes(report.notes)
        return
    with Model(model) as opened:
        workload, decode = opened.survey()
    _print(workload, decode)
    print_notes(workload.notes)


def _print(workload: Workload, decode: "Decode") -> None:
    from moexbar.report.weights import weights_line

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
    kinds = Counter(op.kind for op in workload.digital())
    nodes = sum(len(op.nodes) for op in workload.digital())
    parts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    console.print("")
    console.print(f"digital: {parts or 'nothing'} ({nodes} ONNX nodes)")
    console.print(weights_line(workload.account), soft_wrap=True)
    console.print(f"decode: {decode.kind}: {decode.reason}")
    if not workload.moe_layers and not workload.suspects:
        console.print("no MoE layer: nothing selects among feed-forward experts")


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
        least=("hidden", "width", "shared"),
    )
    for layer in workload.moe_layers:
        router = layer.router
        plain = "" if layer.gated else ", plain"
        routed = str(router.experts) + (" ternary" if "routed" in layer.ternary else "")
        shared = str(len(layer.shared)) + (" ternary" if "shared" in layer.ternary else "")
        if any(gate is not None for gate in layer.shared_gates):
            shared += " gated"
        shown.add_row(
            layer.name,
            layer.form,
            router.kind,
            f"{layer.activation.text}{plain}",
            " + ".join([routed, *idle_words(layer)]),
            _takes(layer),
            str(layer.d_model),
            width_words(layer),
            shared,
            layer.proof,
        )
    return shown


def _takes(layer: MoELayer) -> str:
    capacity = layer.router.capacity
    if capacity is None:
        apart = " apart" if layer.apart != "nothing" else ""
        return f"top {layer.router.top_k}{apart}" + (
            "" if layer.dropped == "nothing" else " or itself"
        )
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
