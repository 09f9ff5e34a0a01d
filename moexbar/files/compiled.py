"""An output folder of `moexbar compile` read back, with the model and inputs it was made from."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from compiler.frontend import read_model
from compiler.profiling.profile import load_inputs
from ir.chip import Chip
from ir.errors import InputError
from ir.infile import check_file
from ir.mapping import Mapping
from ir.program import Program
from ir.routing import Routing
from ir.workload import Workload, with_ternary_experts
from moexbar.files.chip_file import read_folder_chip
from moexbar.files.folder import MARK
from moexbar.files.mapping_reader import read_mapping
from moexbar.files.program_file import read_program
from moexbar.files.routing_file import load_routing

MAX_BYTES = 64 << 20


@dataclass(frozen=True, eq=False)
class CompiledFolder:
    """What was compiled and what came out of it.

    model: its path; inputs: arrays by name; window: that part of report.json.
    """

    model: Path
    inputs: dict[str, npt.NDArray[Any]]
    workload: Workload
    program: Program
    mapping: Mapping
    chip: Chip
    routing: Routing
    window: dict[str, Any]

    @property
    def first_token(self) -> int:
        """The window's first token in the routing trace."""
        return int(self.window["first_token"])


def read_compiled(
    folder: Path, model: Path | None = None, inputs: Path | None = None, *, any_inputs: bool = False
) -> CompiledFolder:
    """Read a folder; model, inputs: where they are now, if not where `compile` read them.

    any_inputs: `inputs` may be others than those compiled with. Raises InputError for anything
    missing, damaged or not what the folder was compiled from.
    """
    found = _json(folder / MARK).get("inputs")
    if not isinstance(found, dict):
        raise InputError(str(folder / MARK), "does not say what was compiled", "compile again")
    path = _source(found, "model", model, folder)
    report = _json(folder / "report.json")
    window = report["window"]
    workload = read_model(path, tokens=window["prefill"] + window["decode"], batch=window["batch"])
    if report["model"]["experts"] == "ternary":
        workload = with_ternary_experts(workload)
    program = read_program(folder / "program.parquet")
    mapping = read_mapping(folder / "mapping.json", workload)
    if inputs is None or not any_inputs:
        inputs = _source(found, "inputs", inputs, folder)
    arrays = load_inputs(inputs)
    routing, chip = load_routing(folder / "routing.npz"), read_folder_chip(folder)
    if len(program.nodes) != len(workload.operators):
        where = str(folder / "program.parquet")
        many = f"{len(program.nodes)} operators, the model has {len(workload.operators)}"
        raise InputError(where, many)
    return CompiledFolder(path, arrays, workload, program, mapping, chip, routing, window)


def _json(path: Path) -> dict[str, Any]:
    check_file(path, "written by `moexbar compile`", MAX_BYTES)
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(str(path), "not readable as JSON", "compile again") from error
    return found


def _source(manifest: dict[str, Any], what: str, given: Path | None, folder: Path) -> Path:
    """The model or the inputs of the compilation; those of another one are refused."""
    entry = manifest.get(what)
    if not isinstance(entry, dict):
        if given is not None:
            return given
        raise InputError(str(folder), f"compiled without {what}", f"give --{what}")
    path = given if given is not None else Path(str(entry.get("path", "")))
    check_file(path, f"the {what} that {folder} was compiled from (--{what})", 1 << 40)
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    if digest != entry.get("sha256"):
        raise InputError(str(path), f"is not the {what} that {folder} was compiled from")
    return path
