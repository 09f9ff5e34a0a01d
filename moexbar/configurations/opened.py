"""A configuration opened as a model file is: written as ONNX without weights, and read back."""

import shutil
import tempfile
import weakref
from dataclasses import replace
from pathlib import Path
from typing import assert_never

from ir.errors import InputError
from ir.onnxdoor.load import Source, open_model
from ir.workload import AnyOperator, Attention, Dense, Digital, MoELayer, Workload
from moexbar.configurations.read import Configuration
from moexbar.examples.transformer import build

MOST_WEIGHTS = 1 << 44


def open_configuration(found: Configuration) -> Source:
    """The model of a configuration.

    It lies in a temporary folder, with a data file that is one hole, until the source is gone.
    Raises InputError for a model of too many weights.
    """
    graph = build("model", found.sizes)
    if graph.weights > MOST_WEIGHTS:
        raise InputError(
            str(found.path), f"a model of {graph.weights:.1e} weights, at most {MOST_WEIGHTS:.1e}"
        )
    folder = tempfile.mkdtemp(prefix="moexbar-")
    try:
        graph.save(Path(folder) / "model.onnx")
        source = open_model(Path(folder) / "model.onnx")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(source, shutil.rmtree, folder, ignore_errors=True)
    return source


def named(found: Configuration, workload: Workload) -> Workload:
    """The workload with the configuration's name and digest, and notes that say what it is.

    Its attention is causal by definition, as the families are, so that nothing needs to be run.
    """
    operators = tuple(map(_as_defined, workload.operators))
    notes = (*found.notes, *workload.notes)
    return replace(workload, name=found.name, sha256=found.sha256, notes=notes, operators=operators)


def _as_defined(op: AnyOperator) -> AnyOperator:
    """An operator, of attention with the word that it is causal."""
    match op:
        case Attention(causal=True):
            return replace(op, proven=True)
        case Attention() | Dense() | Digital() | MoELayer():
            return op
        case _:
            assert_never(op)
