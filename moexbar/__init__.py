"""moexbar: compile ONNX Mixture-of-Experts models for crossbar chips with shared peripherals.

    import moexbar as mx

    model = mx.open_model("model.onnx")
    done = mx.compile(model, "hermes-mux2", inputs="inputs.npz", prefill=128)
    done.program.to_pandas()

Every command of `moexbar` on the command line but `reproduce` is a function here, of the same name
or, for `model`, `chips`, `example` and `report`: `survey`, `chip_sheet`, `write_example` and
`write_report`. Names are imported from their rooms when they are first used.

The project's top-level packages are `ir`, `compiler` and `backends` beside this driver. The names
are short, so an unrelated package of the same name could shadow one: this is checked on import.
"""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

__all__ = [
    "Analog",
    "Caches",
    "CheckError",
    "Chip",
    "Compilation",
    "Compiled",
    "Demands",
    "Designed",
    "DieOptions",
    "Executable",
    "Explored",
    "Filter",
    "FolderBusyError",
    "GroupingOptions",
    "InfeasibleError",
    "InputError",
    "Limits",
    "Load",
    "Model",
    "MoexbarError",
    "PlacementOptions",
    "Program",
    "Report",
    "Routing",
    "SlotOptions",
    "SolverOptions",
    "StackOptions",
    "Stacking",
    "Workload",
    "__version__",
    "accuracy",
    "chip_sheet",
    "compare",
    "compile",
    "design",
    "explore",
    "group",
    "inspect",
    "limits",
    "load_chip",
    "load_counts",
    "load_routing",
    "open_model",
    "pareto",
    "pictures",
    "plot",
    "preset_names",
    "profile",
    "read_compiled",
    "read_program",
    "read_report",
    "read_stacks",
    "reside",
    "save_routing",
    "schedule",
    "simulate",
    "size",
    "survey",
    "validate",
    "verify",
    "with_bands",
    "write_example",
    "write_report",
]

_OURS = Path(__file__).resolve().parent.parent

for _name in ("ir", "compiler", "backends"):
    _spec = find_spec(_name)
    _found = Path(_spec.origin).resolve() if _spec and _spec.origin else None
    if _found != _OURS / _name / "__init__.py":
        _taken = "missing"
        if _found is not None:
            _package = _found.name == "__init__.py"
            _taken = f"taken from {_found.parent.parent if _package else f'the file {_found}'}"
        raise ImportError(
            f"package {_name!r} is {_taken}, expected it beside moexbar in {_OURS}; run from "
            "another folder, remove the other one or use a fresh virtual environment"
        )

if TYPE_CHECKING:
    __version__: str
    from backends.functional.analog import Analog
    from compiler.options import (
        DieOptions,
        GroupingOptions,
        PlacementOptions,
        SlotOptions,
        SolverOptions,
        StackOptions,
    )
    from ir.chip import Chip
    from ir.compiled import Compiled, Executable
    from ir.errors import (
        CheckError,
        FolderBusyError,
        InfeasibleError,
        InputError,
        MoexbarError,
    )
    from ir.limits import Limits
    from ir.load import Load
    from ir.program import Program
    from ir.routing import Routing
    from ir.schedule import Caches
    from ir.stacks import Stacking
    from ir.text import Filter
    from ir.workload import Workload
    from moexbar.bands.vary import with_bands
    from moexbar.chips import load_chip, preset_names
    from moexbar.chips.sheet import chip_sheet
    from moexbar.compilation import Compilation, compile
    from moexbar.designs.demands import Demands
    from moexbar.designs.task import Designed, design
    from moexbar.examples.write import write_example
    from moexbar.exploration.best import pareto
    from moexbar.exploration.task import Explored, explore
    from moexbar.files.compiled import read_compiled, verify
    from moexbar.files.program_file import read_program
    from moexbar.files.routing_file import load_counts, load_routing, save_routing
    from moexbar.files.stacks_file import read_stacks
    from moexbar.inspection import inspect
    from moexbar.limits_in_force import limits
    from moexbar.model import Model, open_model, profile
    from moexbar.page.plotting import pictures, plot
    from moexbar.page.write import write_report
    from moexbar.quantised import accuracy
    from moexbar.report.compiled import Report
    from moexbar.report.reading import read_report
    from moexbar.residency.task import reside
    from moexbar.scaling.task import size
    from moexbar.simulation import simulate
    from moexbar.surveyed import survey
    from moexbar.traces.tasks import compare, group, schedule
    from moexbar.validation.table import validate

_ROOMS = {
    "backends.functional.analog": ("Analog",),
    "compiler.options": (
        "GroupingOptions",
        "DieOptions",
        "PlacementOptions",
        "SlotOptions",
        "SolverOptions",
        "StackOptions",
    ),
    "ir.chip": ("Chip",),
    "ir.compiled": ("Compiled", "Executable"),
    "ir.errors": (
        "CheckError",
        "FolderBusyError",
        "InfeasibleError",
        "InputError",
        "MoexbarError",
    ),
    "ir.limits": ("Limits",),
    "ir.load": ("Load",),
    "ir.program": ("Program",),
    "ir.routing": ("Routing",),
    "ir.schedule": ("Caches",),
    "ir.stacks": ("Stacking",),
    "ir.text": ("Filter",),
    "ir.workload": ("Workload",),
    "moexbar.bands.vary": ("with_bands",),
    "moexbar.chips": ("load_chip", "preset_names"),
    "moexbar.chips.sheet": ("chip_sheet",),
    "moexbar.compilation": ("Compilation", "compile"),
    "moexbar.designs.demands": ("Demands",),
    "moexbar.designs.task": ("Designed", "design"),
    "moexbar.examples.write": ("write_example",),
    "moexbar.exploration.best": ("pareto",),
    "moexbar.exploration.task": ("Explored", "explore"),
    "moexbar.files.compiled": ("read_compiled", "verify"),
    "moexbar.files.program_file": ("read_program",),
    "moexbar.files.routing_file": ("load_counts", "load_routing", "save_routing"),
    "moexbar.files.stacks_file": ("read_stacks",),
    "moexbar.inspection": ("inspect",),
    "moexbar.limits_in_force": ("limits",),
    "moexbar.model": ("Model", "open_model", "profile"),
    "moexbar.page.plotting": ("pictures", "plot"),
    "moexbar.page.write": ("write_report",),
    "moexbar.quantised": ("accuracy",),
    "moexbar.report.compiled": ("Report",),
    "moexbar.report.reading": ("read_report",),
    "moexbar.residency.task": ("reside",),
    "moexbar.scaling.task": ("size",),
    "moexbar.simulation": ("simulate",),
    "moexbar.surveyed": ("survey",),
    "moexbar.traces.tasks": ("compare", "group", "schedule"),
    "moexbar.validation.table": ("validate",),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> object:
    """A public name, its room imported when it is first asked for: solvers take their time."""
    if name == "__version__":
        return _version()
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'moexbar' has no attribute {name!r}")
    found = getattr(import_module(_ROOM_OF[name]), name)
    globals()[name] = found
    return found


def _version() -> str:
    """The version that is installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("moexbar")
    except PackageNotFoundError:  # running from a checkout that is not installed
        return "0+unknown"


def __dir__() -> list[str]:
    """What `import moexbar` gives."""
    return sorted(__all__)
