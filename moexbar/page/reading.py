"""An output folder of `moexbar compile` read for pictures: without model, inputs or chip file."""

from pathlib import Path

from ir.compiled import Compiled
from ir.routing import Routing
from moexbar.arguments import check_path
from moexbar.figures.figure import Shown
from moexbar.files.manifest import refuse_other
from moexbar.files.mapping_file import mapping_json
from moexbar.files.program_file import read_program
from moexbar.files.routing_file import load_routing
from moexbar.report.compiled import Report
from moexbar.report.mapped import MappingFile
from moexbar.report.reading import read_object, read_report, typed


def read_shown(folder: Path | str) -> Shown:
    """What a folder holds, files that it was written without left out, but for report.json.

    Raises InputError naming file and field for anything that is not as written.
    """
    check_path("folder", folder, "an output of `moexbar compile`")
    folder = Path(folder)
    refuse_other(folder, "compile")
    report = read_report(folder / "report.json")
    mapping, program = folder / "mapping.json", folder / "program.parquet"
    routing = folder / "routing.npz"
    return Shown(
        report,
        typed(MappingFile, read_object(mapping), str(mapping)) if mapping.exists() else None,
        read_program(program) if program.exists() else None,
        load_routing(routing) if report.layers and routing.exists() else None,
    )


def shown_of(done: Compiled, trace: Routing, report: Report) -> Shown:
    """The same of a compilation in memory."""
    mapping = typed(MappingFile, mapping_json(done.mapping, done.workload), "mapping")
    return Shown(report, mapping, done.program, trace if report.layers else None)
