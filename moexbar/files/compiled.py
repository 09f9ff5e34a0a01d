"""An output folder of `moexbar compile` read back, with the model and inputs it was made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from backends.functional import Case, Comparison
from compiler.profiling.feeds import load_inputs
from compiler.trace import no_routing
from ir.arrays import Array
from ir.compiled import Executable
from ir.errors import InputError
from ir.parts import in_parts
from ir.routing import Routing
from moexbar.arguments import check_path
from moexbar.execution import execute_program, program_case, refuse_wrong
from moexbar.files.chip_file import read_folder_chip
from moexbar.files.manifest import MARK, refuse_other
from moexbar.files.mapping_reader import read_mapping
from moexbar.files.program_file import read_program
from moexbar.files.routing_file import load_routing
from moexbar.files.sources import find_source
from moexbar.model import Model, open_model
from moexbar.report.compiled import Window
from moexbar.report.reading import read_object, read_report


@dataclass(frozen=True, eq=False)
class CompiledFolder:
    """What was compiled and what came out of it.

    inputs: arrays by name; window: what the program runs.
    """

    model: Model
    executable: Executable
    inputs: Mapping[str, Array]
    routing: Routing
    window: Window

    def case(self) -> Case:
        """The program with the inputs of its window; InputError where they do not fit."""
        return program_case(
            self.executable,
            self.model.source_of(self.executable.workload),
            self.inputs,
            self.routing,
            self.window.first_token,
        )

    def execute(self) -> Comparison:
        """Carry the program out and compare with ONNX Runtime; raises as `execute_program`."""
        return execute_program(self.case(), self.model.runtime)


def read_compiled(
    folder: Path | str,
    model: Path | None = None,
    inputs: Path | None = None,
    *,
    any_inputs: bool = False,
) -> CompiledFolder:
    """Read a folder; model, inputs: where they are now, if not where `compile` read them.

    any_inputs: `inputs` may be others than those compiled with. Raises InputError for anything
    missing, damaged or not what the folder was compiled from.
    """
    check_path("folder", folder, "an output of `moexbar compile`")
    folder = Path(folder)
    refuse_other(folder, "compile")
    found = read_object(folder / MARK).get("inputs")
    if not isinstance(found, dict):
        raise InputError(str(folder / MARK), "does not say what was compiled", "compile again")
    opened = open_model(find_source(found, "model", model, folder))
    opened.refuse_running()
    report = read_report(folder / "report.json")
    window = report.window
    workload = opened.workload(tokens=window.each, batch=window.batch, experts=report.model.experts)
    chip = read_folder_chip(folder)
    workload = in_parts(workload, chip)
    program = read_program(folder / "program.parquet")
    mapping = read_mapping(folder / "mapping.json", workload)
    if inputs is None or not any_inputs:
        inputs = find_source(found, "inputs", inputs, folder)
    arrays = load_inputs(inputs)
    routing = (
        load_routing(folder / "routing.npz")
        if workload.moe_layers
        else no_routing(window.prefill + window.decode, window.batch)
    )
    if len(program.nodes) != len(workload.operators):
        where = str(folder / "program.parquet")
        many = f"{len(program.nodes)} operators, the model has {len(workload.operators)}"
        raise InputError(where, many)
    executable = Executable(workload, chip, mapping, program)
    return CompiledFolder(opened, executable, arrays, routing, window)


def verify(folder: Path | str, model: Path | None = None, inputs: Path | None = None) -> Comparison:
    """Execute a compiled folder and compare with ONNX Runtime: every value within 1e-4.

    model, inputs: see `read_compiled`. Raises CheckError naming the first wrong instruction.
    """
    read = read_compiled(folder, model, inputs)
    done = read.execute()
    refuse_wrong(done, read.executable.program)
    return done
