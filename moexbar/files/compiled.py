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
from ir.limits import Limits
from ir.parts import in_parts
from ir.routing import Routing
from ir.verify import verify_mapping, verify_program
from moexbar.arguments import check_path
from moexbar.execution import execute_program, program_case, refuse_wrong
from moexbar.files.chip_file import chip_in
from moexbar.files.manifest import MARK
from moexbar.files.mapping_reader import read_mapping, refuse_other_dies
from moexbar.files.output import read_output
from moexbar.files.program_file import read_program
from moexbar.files.routing_file import load_routing
from moexbar.files.sources import find_source
from moexbar.model import Model, open_model
from moexbar.rebuilt import rebuilt, refuse_other_figures
from moexbar.report.compiled import Report, Window
from moexbar.report.reading import document_of, read_object


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


@dataclass(frozen=True, eq=False)
class ReadFolder(CompiledFolder):
    """The same as it was read from files, in which a program may have been changed."""

    folder: Path
    report: Report

    def check(self) -> None:
        """Verify the program as `compile` did, and hold the report's figures against it.

        Raises CheckError at the first invariant that it breaks, InputError where the report says
        another window or other figures.
        """
        executable, where = self.executable, str(self.folder / "report.json")
        verify_program(rebuilt(executable, self.routing, self.report, where))
        refuse_other_figures(where, self.report, executable.program, executable.chip)


def read_compiled(
    folder: Path | str,
    model: Path | None = None,
    inputs: Path | None = None,
    *,
    any_inputs: bool = False,
    unchecked: bool = False,
) -> ReadFolder:
    """Read a folder; model, inputs: where they are now, if not where `compile` read them.

    any_inputs: `inputs` may be others than those compiled with. unchecked: files may have been
    changed since they were written. Raises InputError for anything missing, changed, damaged or not
    what the folder was compiled from, CheckError for a mapping that no chip can have.
    """
    check_path("folder", folder, "an output of `moexbar compile`")
    folder = Path(folder)
    output = read_output(folder, ("compile",), unchecked=unchecked)
    found = output.manifest.get("inputs")
    if not isinstance(found, dict):
        raise InputError(str(folder / MARK), "does not say what was compiled", "compile again")
    opened = open_model(find_source(found, "model", model, folder))
    opened.refuse_running()
    file = output.file("report.json")
    document = read_object(file)
    report, chip = document_of(Report, document, str(file)), chip_in(document, str(file))
    window = report.window
    _check_window(str(file), window)
    workload = opened.workload(tokens=window.each, batch=window.batch, experts=report.model.experts)
    workload = in_parts(workload, chip)
    program = read_program(output.file("program.parquet"))
    mapping = read_mapping(output.file("mapping.json"), workload)
    refuse_other_dies(str(output.file("mapping.json")), mapping, chip)
    verify_mapping(mapping, workload, chip)
    if inputs is None or not any_inputs:
        inputs = find_source(found, "inputs", inputs, folder)
    arrays = load_inputs(inputs)
    routing = (
        load_routing(output.file("routing.npz"))
        if workload.moe_layers
        else no_routing(window.prefill + window.decode, window.batch)
    )
    if program.nodes != tuple(op.nodes for op in workload.operators):
        problem = f"nodes: of {len(program.nodes)} operators, not those of the model in order"
        raise InputError(str(folder / "program.parquet"), problem, "compile again")
    executable = Executable(workload, chip, mapping, program)
    return ReadFolder(opened, executable, arrays, routing, window, folder, report)


def _check_window(where: str, window: Window) -> None:
    """InputError where a report says of its window what no window is."""
    for name, least in (("prefill", 1), ("batch", 1), ("decode", 0)):
        if getattr(window, name) < least:
            problem = f"window.{name}: {getattr(window, name)}, expected at least {least}"
            raise InputError(where, problem, "compile again")
    sides = window.sides or ()
    longest = max([window.prefill + window.decode, *(side.prefill for side in sides)])
    Limits.in_force().check("tokens", longest, where, "window.prefill and decode")


def verify(
    folder: Path | str,
    model: Path | None = None,
    inputs: Path | None = None,
    *,
    unchecked: bool = False,
) -> Comparison:
    """Check a compiled folder, execute it and compare with ONNX Runtime: every value within 1e-4.

    model, inputs, unchecked: see `read_compiled`. Raises CheckError naming the first wrong
    instruction.
    """
    read = read_compiled(folder, model, inputs, unchecked=unchecked)
    read.check()
    done = read.execute()
    refuse_wrong(done, read.executable.program)
    return done
