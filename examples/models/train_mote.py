"""Train the model of ternary experts (see mote.py), export it, and measure it beside two others.

The others have the same shared experts and routed ones of full precision, up-cycled on the same
text; and those rounded to ternary weights after training, with their routers as they are.  Makes
mote.onnx next to this file.

    python train_mote.py --work DIR                  train, then export
    python train_mote.py --work DIR --export-only    export again from the checkpoints in DIR
"""

from __future__ import annotations

import argparse
import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from export import differences, export, file_against_torch, loads, session, skew
from model import Model
from mote import rounded, trained_as_ternary, up_cycled
from onnx_file import as_ternary, is_large, make_readable, ship, store_matrices, store_shapes
from torch import Tensor
from train import SEED, fit, mean_loss, train

HERE = Path(__file__).resolve().parent
STEPS = 1600


def train_all(work: Path, steps: int) -> None:
    """Train a dense model, and up-cycle it twice on the same pieces of text."""
    train("dense", work, steps)
    dense = loaded(Model("dense"), work / "dense.pt")
    torch.manual_seed(SEED)
    full = up_cycled(dense)
    fit(trained_as_ternary(full), "mote", work, steps, SEED + 1)
    fit(full, "mote_full", work, steps, SEED + 1)


def loaded(model: Model, path: Path) -> Model:
    """The model with the weights of a checkpoint."""
    model.load_state_dict(torch.load(path, weights_only=True))
    return model


def halved(model: Model) -> Model:
    """A copy whose large matrices hold float16 values, but for those of routed experts."""
    other = copy.deepcopy(model)
    state = other.state_dict()
    for name, tensor in state.items():
        if is_large(name, tensor.shape) and ".moe.experts." not in name:
            tensor.copy_(tensor.half().float())
    return other


def shares(model: Model) -> list[float]:
    """The share of zeros in the routed experts of each MoE layer, whose weights are ternary."""
    weights = [[w for e in moe.experts for w in e.parameters()] for moe in model.moes]
    zeros = [sum(int((w == 0).sum()) for w in layer) for layer in weights]
    return [n / sum(w.numel() for w in layer) for n, layer in zip(zeros, weights, strict=True)]


@torch.no_grad()
def export_and_measure(work: Path, held: Tensor) -> dict[str, Any]:
    """Write mote.onnx; the losses of all models, and how exact the file is."""
    dense = loaded(Model("dense"), work / "dense.pt")
    full = up_cycled(dense)
    ternary = rounded(loaded(trained_as_ternary(full), work / "mote.pt"))
    full = loaded(full, work / "mote_full.pt")
    models = {"dense": dense, "mote": ternary, "mote_full": full, "mote_rounded": rounded(full)}
    report: dict[str, Any] = {"parameters": sum(p.numel() for p in ternary.parameters())}
    report["held_loss"] = {name: mean_loss(model, held) for name, model in models.items()}
    report["zeros"] = shares(ternary)
    report["loads"] = [skew(load) for load in loads(ternary, held)]

    proto = export(ternary)
    store_shapes(proto)
    make_readable(proto)
    report["float32_against_torch"] = differences(ternary, session(proto), held)
    store_matrices(proto, as_ternary)
    data = ship(HERE / "mote.onnx", proto)
    sess = session(onnx.load_from_string(data))
    half = halved(ternary).set_mode("graph")
    report["float16_file_against_rounded_torch"] = differences(half, sess, held)
    report["float16_file_against_torch"] = file_against_torch(ternary, sess, held)
    report["bytes"] = len(data)
    return report


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--export-only", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    if not options.export_only:
        train_all(options.work, options.steps)
    chunks = torch.from_numpy(np.load(HERE / "heldout.npz")["input_ids"])
    text = json.dumps(export_and_measure(options.work, chunks), indent=1)
    (options.work / "mote.json").write_text(text)
    print(text)
