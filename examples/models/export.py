"""Write a trained model as ONNX, check the file against PyTorch, and measure it.

The shipped file differs from the plain export in four ways: names are readable, everything
that describes the exporting machine is gone, the shapes of Reshapes are stored, and the large
matrices are float16 initializers, each followed by a Cast to float32 (router and norm weights
stay float32).

    python export.py            write the shipped files anew, with the weights that they have
"""

from __future__ import annotations

import ast
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
import torch.nn.functional as F
from model import KINDS, Kind, Model, MoE, TokenChoice
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn
from train import TOKENS, heldout_chunks, mean_loss, split_files

HERE = Path(__file__).resolve().parent
PACKAGED = HERE.parents[1] / "moexbar" / "examples" / "tiny"  # of the model `tiny`
PACKAGED_TOKENS = 256  # of every second held-out sequence
OPSET = 18
INPUT = "input_ids"
LENGTHS = (8, 9, 33, 128, 512, 700)
TOLERANCE = 1e-3
NEAR_TIE = 2e-6
ROOTS = (str(Path.home()), tempfile.gettempdir(), str(Path(*HERE.parts[:2])))
PRIVATE = (*ROOTS, "site-packages", ".py")  # signs of a path of this machine


def export(model: Model) -> ModelProto:
    example = torch.arange(96).reshape(2, 48)
    batch, tokens = torch.export.Dim("batch", min=1), torch.export.Dim("tokens", min=8)
    program = torch.onnx.export(
        model.set_mode("graph"),
        (example,),
        dynamo=True,
        opset_version=OPSET,
        input_names=[INPUT],
        output_names=["logits"],
        dynamic_shapes={INPUT: {0: batch, 1: tokens}},
        verbose=False,
    )
    assert program is not None
    return program.model_proto


def store_shapes(proto: ModelProto) -> None:
    """Give every Reshape a stored shape, in which 0 says: as long as this axis of what is reshaped.

    Torch computes them, from the batch and the length of the input; every Reshape of these models
    keeps both as they are, in front.
    """
    graph = proto.graph
    ends = {n.output[0]: n for n in graph.node if n.op_type == "Shape" and n.input[0] == INPUT}
    stored = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    for node in [n for n in graph.node if n.op_type == "Concat" and n.input[0] in ends]:
        whole = np.concatenate([np.zeros(2, np.int64), *(stored[name] for name in node.input[2:])])
        assert node.input[1] in ends and len(whole) == len(node.input)
        graph.initializer.append(numpy_helper.from_array(whole, node.output[0]))
        for reader in [n for n in graph.node if node.output[0] in n.input]:
            assert reader.op_type == "Reshape"
            del reader.attribute[:]  # allowzero: a 0 was a length of 0
        graph.node.remove(node)
    read = {name for node in graph.node for name in node.input}
    for node in [n for name, n in ends.items() if name not in read]:
        graph.node.remove(node)
    for tensor in [t for t in graph.initializer if t.name not in read]:
        graph.initializer.remove(tensor)
    named = {name for node in graph.node for name in node.output}
    for value in [v for v in graph.value_info if v.name not in named]:
        graph.value_info.remove(value)


def module_of(node: NodeProto) -> str:
    """The path of the module a node was exported from, such as layers.1.moe.experts.3.gate."""
    for prop in node.metadata_props:
        if prop.key == "pkg.torch.onnx.name_scopes":
            modules = [m for m in ast.literal_eval(prop.value)[:-1] if not m.startswith("_")]
            return modules[-1] if modules and modules[-1] else "model"
    return "model"


def make_readable(proto: ModelProto) -> None:
    """Name nodes and values after the module they come from, and drop all metadata."""
    graph = proto.graph
    fixed = {value.name for value in (*graph.input, *graph.output)}
    names: dict[str, str] = {}
    for tensor in graph.initializer:
        if tensor.name.startswith("val_"):
            names[tensor.name] = f"constant.{len(names)}"
        tensor.name = names.get(tensor.name, tensor.name)
    seen: Counter[str] = Counter()
    for node in graph.node:
        stem = f"{module_of(node)}/{node.op_type}"
        node.name = f"{stem}_{seen[stem]}" if seen[stem] else stem
        seen[stem] += 1
        for i, output in enumerate(node.output):
            suffix = f"_out{i}" if len(node.output) > 1 else "_out"
            names[output] = output if output in fixed else node.name + suffix
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    for value in graph.value_info:
        value.name = names.get(value.name, value.name)
    for item in (proto, graph, *graph.node, *graph.initializer):
        item.doc_string = ""
        del item.metadata_props[:]
    for value in (*graph.value_info, *graph.input, *graph.output):
        value.doc_string = ""
        del value.metadata_props[:]


def is_large(name: str, shape: tuple[int, ...] | torch.Size) -> bool:
    return len(shape) == 2 and name.endswith(".weight") and ".router." not in name


def halve_matrices(proto: ModelProto) -> None:
    """Store the large matrices as float16, each with a Cast before its first use."""
    waiting: dict[str, NodeProto] = {}
    for tensor in proto.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and is_large(tensor.name, tuple(tensor.dims)):
            half = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(half, tensor.name))
            cast = helper.make_node(
                "Cast",
                [tensor.name],
                [f"{tensor.name}.float32"],
                name=f"{tensor.name}/Cast",
                to=TensorProto.FLOAT,
            )
            waiting[tensor.name] = cast
    stored = {v.name: v for v in proto.graph.value_info}
    for name in waiting:
        if name in stored:
            proto.graph.value_info.remove(stored[name])
    nodes: list[NodeProto] = []
    cast_names = {name: cast.output[0] for name, cast in waiting.items()}
    for node in proto.graph.node:
        nodes.extend(waiting.pop(name) for name in node.input if name in waiting)
        node.input[:] = [cast_names.get(name, name) for name in node.input]
        nodes.append(node)
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del proto.graph.node[:]
    proto.graph.node.extend(copies)


def names_a_path(proto: ModelProto) -> bool:
    """Whether any text of the file, weights aside, holds a path."""
    bare = ModelProto.FromString(proto.SerializeToString())
    for tensor in bare.graph.initializer:
        tensor.ClearField("raw_data")
    text = bare.SerializeToString()
    return any(word.encode() in text for word in PRIVATE)


def rounded(kind: Kind, model: Model) -> Model:
    """A copy of the model whose large matrices hold float16 values."""
    copy = Model(kind).eval()
    state = model.state_dict()
    for name, tensor in state.items():
        state[name] = tensor.half().float() if is_large(name, tensor.shape) else tensor
    copy.load_state_dict(state)
    return copy


def session(proto: ModelProto) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    data = proto.SerializeToString()
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def run(sess: ort.InferenceSession, ids: Tensor) -> Tensor:
    return torch.from_numpy(np.asarray(sess.run(["logits"], {INPUT: ids.numpy()})[0]))


def closest_call(model: Model, ids: Tensor) -> float:
    """Smallest relative gap between the last score a TopK selects and the first it leaves.

    ids: one sequence.
    """
    gaps: list[float] = []

    def watch(moe: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(moe, MoE)
        scores = torch.softmax(moe.router(inputs[0].flatten(0, -2)), dim=-1)
        by_token = isinstance(moe, TokenChoice)
        count = moe.top if by_token else moe.top * len(scores) // moe.count
        ranked = (scores if by_token else scores.t()).sort(dim=-1, descending=True).values
        gaps.append((1 - ranked[:, count] / ranked[:, count - 1]).min().item())

    hooks = [moe.register_forward_hook(watch) for moe in model.moes]
    model(ids)
    for hook in hooks:
        hook.remove()
    return min(gaps)


def differences(model: Model, sess: ort.InferenceSession, held: Tensor) -> dict[str, Any]:
    """Largest absolute difference of the logits for each length.

    The inputs are random bytes (one sequence and three) and held-out bytes: all 64 sequences at
    their full length.  A
    difference above the tolerance must come from a TopK whose two scores at the cut agree up to
    rounding, so that either choice is right; such inputs are listed apart.
    """
    draw = torch.Generator().manual_seed(1)
    worst = dict.fromkeys(LENGTHS, 0.0)
    near_ties = []
    for length in LENGTHS:
        starts = range(0, held.numel(), TOKENS if length == TOKENS else 10 * TOKENS)
        inputs = [held.flatten()[start:][None, :length] for start in starts]
        inputs += [torch.randint(256, (count, length), generator=draw) for count in (1, 3)]
        pairs = [(ids, (model(ids) - run(sess, ids)).abs().amax((1, 2))) for ids in inputs]
        for row, off in ((ids[i], off[i]) for ids, off in pairs for i in range(len(ids))):
            difference = off.item()
            if difference < TOLERANCE:
                worst[length] = max(worst[length], difference)
            else:
                gap = closest_call(model, row[None])
                assert gap < NEAR_TIE, (length, difference, gap)
                near_ties.append({"length": length, "difference": difference, "gap": gap})
    return {"worst": worst, "near_ties": near_ties}


def file_against_torch(model: Model, sess: ort.InferenceSession, held: Tensor) -> dict[str, float]:
    losses, worst, total = [], 0.0, 0.0
    for chunk in held[:, None]:
        logits = run(sess, chunk)
        error = (logits - model(chunk)).abs()
        worst, total = max(worst, error.max().item()), total + error.mean().item()
        losses.append(F.cross_entropy(logits[0, :-1], chunk[0, 1:]).item())
    count = len(losses)
    return {"max_error": worst, "mean_error": total / count, "held_loss": sum(losses) / count}


def loads(model: Model, held: Tensor) -> list[list[int]]:
    """What each MoE layer counted, over all held-out chunks."""
    parts: list[list[list[int]]] = [[] for _ in model.moes]
    for chunk in held.reshape(-1, 8, TOKENS):
        model(chunk)
        for part, moe in zip(parts, model.moes, strict=True):
            part.append(moe.load.tolist())
    if len(parts[0][0]) > 16:  # experts per token: the chunks follow one another
        return [[n for load in part for n in load] for part in parts]
    return [[sum(column) for column in zip(*part, strict=True)] for part in parts]


def skew(load: list[int]) -> dict[str, Any]:
    return {"max/mean": round(max(load) * len(load) / sum(load), 3), "load": load}


def unigram_entropy(held: Tensor) -> float:
    share = torch.bincount(held.flatten()).double() / held.numel()
    return -(share[share > 0] * share[share > 0].log()).sum().item()


def shipped(kind: Kind) -> Path:
    return PACKAGED / "model.onnx" if kind == "tiny" else HERE / f"{kind}.onnx"


def ship(kind: Kind, proto: ModelProto) -> bytes:
    """Write the shipped file of an export with readable names; its bytes."""
    halve_matrices(proto)
    onnx.checker.check_model(proto, full_check=True)
    data = proto.SerializeToString(deterministic=True)
    assert not names_a_path(proto)
    shipped(kind).write_bytes(data)
    return data


@torch.no_grad()
def export_again(kind: Kind, held: Tensor) -> None:
    """Write the shipped file anew, with the weights that it has, and check it against PyTorch."""
    model = Model(kind).eval()
    state = model.state_dict()
    for tensor in onnx.load(shipped(kind)).graph.initializer:
        if tensor.name in state:
            state[tensor.name] = torch.tensor(numpy_helper.to_array(tensor)).float()
    model.load_state_dict(state)
    proto = export(model)
    store_shapes(proto)
    make_readable(proto)
    data = ship(kind, proto)
    found = differences(model, session(onnx.load_from_string(data)), held)
    print(kind, len(data), "bytes;", json.dumps(found))


@torch.no_grad()
def export_one(kind: Kind, work: Path, held: Tensor) -> dict[str, Any]:
    model = Model(kind).eval()
    model.load_state_dict(torch.load(work / f"{kind}.pt", weights_only=True))
    report: dict[str, Any] = {"parameters": sum(p.numel() for p in model.parameters())}
    report["held_loss"] = mean_loss(model, held)
    if kind != "expert_choice":
        report["loads"] = [skew(load) for load in loads(model, held)]
    else:
        per_token = loads(model, held)
        report["experts_per_token"] = [dict(sorted(Counter(p).items())) for p in per_token]
        for mode in ("causal", "prefix"):
            report[f"held_loss_{mode}"] = mean_loss(model.set_mode(mode), held)
            report[f"loads_{mode}"] = [skew(load) for load in loads(model, held)]

    proto = export(model)
    store_shapes(proto)
    make_readable(proto)
    report["float32_against_torch"] = differences(model, session(proto), held)
    data = ship(kind, proto)

    sess = session(onnx.load_from_string(data))
    half = rounded(kind, model).set_mode("graph")
    report["float16_file_against_rounded_torch"] = differences(half, sess, held)
    report["float16_file_against_torch"] = file_against_torch(model, sess, held)
    report["bytes"] = len(data)
    report["operators"] = dict(Counter(node.op_type for node in proto.graph.node).most_common())
    return report


def export_all(work: Path, kinds: tuple[Kind, ...]) -> None:
    torch.set_num_threads(1)
    chunks = heldout_chunks(split_files()[1])
    np.savez_compressed(HERE / "heldout.npz", input_ids=chunks)
    PACKAGED.mkdir(exist_ok=True)
    np.savez_compressed(PACKAGED / "inputs.npz", input_ids=chunks[::2, :PACKAGED_TOKENS])
    held = torch.from_numpy(chunks)
    assert held.shape == (64, TOKENS)
    report: dict[str, Any] = {"unigram_entropy": unigram_entropy(held)}
    for kind in kinds:
        report[kind] = export_one(kind, work, held)
    text = json.dumps(report, indent=1)
    (work / "report.json").write_text(text)
    print(text)


if __name__ == "__main__":
    torch.set_num_threads(1)
    chunks = torch.from_numpy(np.load(HERE / "heldout.npz")["input_ids"])
    for name in KINDS:
        export_again(name, chunks)
