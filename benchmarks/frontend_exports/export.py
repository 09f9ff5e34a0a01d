"""Models to files by three exporters, with their inputs and outputs, and a table of them all."""

import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir
import onnxruntime
import torch
from torch import nn

from benchmarks.frontend_exports.build import Logits, build, expected
from benchmarks.frontend_exports.cases import Case
from benchmarks.frontend_exports.catalogue import HAND
from benchmarks.frontend_exports.families import VOCABULARY

TABLE = (
    "| file | MoE layers | experts | top-k | router | expert form |",
    "|---|---|---|---|---|---|",
)


def export_all(cases: Sequence[Case], folder: Path) -> None:
    """Write every case that is not there yet, and the table; say which cannot be made, and why."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, str] = {}
    for case in cases:
        path = folder / f"{case.name}.onnx"
        known = path.exists()
        try:
            rows[case.name] = expected(case, build(case)) if known else export(case, path)
            print(f"{'had' if known else 'made':7} {case.name}", flush=True)
        except Exception as error:  # an exporter may raise anything; the next case goes on
            if not known:
                path.unlink(missing_ok=True)
            where = traceback.extract_tb(error.__traceback__)[-1]
            text = " ".join(str(error).split())[:160]
            print(
                f"failed  {case.name}: {type(error).__name__} in {where.name}: {text}", flush=True
            )
    _write_table(folder / "README.md", rows)


def export(case: Case, path: Path) -> str:
    """Write the model, and beside it its inputs and what ONNX Runtime and torch make of them.

    Returns what must be found in it, as a row of the table.
    """
    model = build(case)
    generator = torch.Generator().manual_seed(11)
    if hasattr(model, "example"):
        given = model.example(generator)
    else:
        given = torch.randint(3, VOCABULARY, (case.batch, case.tokens), generator=generator)
    EXPORTERS[case.how](case, model, given, path)
    with torch.no_grad():
        wanted = (model if case.model in HAND else Logits(model))(given)
    feeds = {_input(model): given.numpy(), "attention_mask": torch.ones_like(given).numpy()}
    fed = {v.name: feeds[v.name] for v in onnx_ir.load(path).graph.inputs if v.name in feeds}
    outputs = {"torch_output": wanted.float().numpy()}
    if case.dtype != "bfloat16":  # which ONNX Runtime does not run on a CPU
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        outputs["output"] = np.asarray(session.run(None, fed)[0]).astype(np.float32)
    np.savez(path.with_suffix(".npz"), **fed, **outputs)
    return expected(case, model)


def _input(model: nn.Module) -> str:
    """The name of what a model reads, ids where it says nothing."""
    return str(getattr(model, "input_name", "input_ids"))


def _torch(case: Case, model: nn.Module, ids: torch.Tensor, path: Path) -> None:
    wrapped = model if case.model in HAND else Logits(model)
    given = {_input(model): ids}
    if case.how == "legacy" and case.model not in HAND:
        given["attention_mask"] = torch.ones_like(ids)  # without, newer models look for packed ones
    named: dict[str, Any] = {
        "opset_version": case.opset,
        "input_names": list(given),
        "output_names": ["logits"],
    }
    if case.how == "legacy":
        axes = {name: {0: "batch", 1: "tokens"} for name in given} if case.dynamic else None
        named |= {"dynamo": False, "dynamic_axes": axes}
    else:
        shape = ({1: torch.export.Dim("tokens", min=4, max=64)},) if case.dynamic else None
        named |= {"dynamo": True, "dynamic_shapes": shape, "external_data": False}
    torch.onnx.export(wrapped, tuple(given.values()), str(path), **named)


def _hf(case: Case, model: nn.Module, ids: torch.Tensor, path: Path) -> None:
    from transformers.exporters import exporter_onnx as hf

    config = hf.OnnxConfig(dynamic=case.dynamic, opset_version=case.opset)
    made = hf.OnnxExporter().export(model, {"input_ids": ids}, config=config)
    onnx_ir.save(made.program, str(path))


EXPORTERS: dict[str, Callable[[Case, nn.Module, torch.Tensor, Path], None]] = {
    "dynamo": _torch,
    "legacy": _torch,
    "hf": _hf,
}


def _write_table(path: Path, rows: dict[str, str]) -> None:
    """Add rows to the table that says what must be found; an older one of a file is replaced."""
    lines = path.read_text().splitlines() if path.exists() else list(TABLE)
    kept = [line for line in lines if line.strip("| ").partition(" ")[0] not in rows]
    path.write_text("\n".join([*kept, *rows.values()]) + "\n")
