"""Write a trained model as ONNX, check the file against PyTorch, and measure it.

python export.py            write the shipped files anew, with the weights that they have
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
import torch.nn.functional as F
from model import KINDS, Kind, Model, MoE, TokenChoice
from onnx import ModelProto, numpy_helper
from onnx_file import INPUT, is_large, make_readable, ship, store_shapes
from torch import Tensor, nn
from train import TOKENS, heldout_chunks, mean_loss, split_files

HERE = Path(__file__).resolve().parent
PACKAGED = HERE.parents[1] / "moexbar" / "examples" / "tiny"  # of the model `tiny`
PACKAGED_TOKENS = 256  # of every second held-out sequence
OPSET = 18
LENGTHS = (8, 9, 33, 128, 512, 700)
TOLERANCE = 1e-3
NEAR_TIE = 2e-6


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
    data = ship(shipped(kind), proto)
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
    data = ship(shipped(kind), proto)

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
