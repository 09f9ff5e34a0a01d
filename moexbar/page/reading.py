"""An output folder of `moexbar compile` read for pictures: without model, inputs or chip file."""

from ir.compiled import Compiled
from ir.routing import Routing
from moexbar.figures.figure import Shown
from moexbar.files.mapping_file import mapping_json
from moexbar.files.output import Output
from moexbar.files.program_file import read_program
from moexbar.files.routing_file import load_routing
from moexbar.report.compiled import Report
from moexbar.report.mapped import MappingFile
from moexbar.report.reading import read_document, read_report, typed


def read_shown(output: Output) -> Shown:
    """What a folder holds, files that it was written without left out, but for report.json.

    Raises InputError naming file and field for anything that is not as written.
    """
    report = read_report(output.file("report.json"))
    mapping, program, routing = "mapping.json", "program.parquet", "routing.npz"
    return Shown(
        report,
        read_document(MappingFile, output.file(mapping)) if output.has(mapping) else None,
        read_program(output.file(program)) if output.has(program) else None,
        load_routing(output.file(routing)) if report.layers and output.has(routing) else None,
    )


def shown_of(done: Compiled, trace: Routing, report: Report) -> Shown:
    """The same of a compilation in memory."""
    mapping = typed(MappingFile, mapping_json(done.mapping, done.workload), "mapping")
    return Shown(report, mapping, done.program, trace if report.layers else None)
