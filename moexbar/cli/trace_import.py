"""`moexbar trace-import`: a routing trace of any form as routing.npz."""

from pathlib import Path

from ir.errors import InputError
from moexbar.cli.options import (
    AxisNames,
    Json,
    NumExperts,
    Output,
    RoutingFile,
    TraceLimits,
    trace_reading,
)
from moexbar.cli.profile import print_loads
from moexbar.console import print_json


def trace_import(
    routing_file: RoutingFile,
    output: Output = Path("routing.npz"),
    axes: AxisNames = None,
    num_experts: NumExperts = None,
    limits: TraceLimits = None,
    json: Json = False,
) -> None:
    """Write a routing trace of another form as routing.npz.

    The commands that take a trace read these forms themselves (docs/formats.md); a file of our own
    form is smaller, read faster and needs no options.

    Example: moexbar trace-import ids.npy --axes tokens,layers,k --num-experts 64 -o routing.npz

    Example: moexbar trace-import routing.csv -o routing.npz
    """
    from moexbar.files.routing_file import only_routing, save_routing
    from moexbar.files.traces.read import read_trace
    from moexbar.report.traces import ProfileReport
    from moexbar.traces.loads import load_rows

    if output.suffix != ".npz":
        raise InputError("-o", f"{output}, expected a name that ends in .npz")
    routing = only_routing(read_trace(routing_file, trace_reading(axes, num_experts, limits)))
    save_routing(output, routing)
    rows = load_rows(routing)
    if json:
        print_json(ProfileReport(routing.tokens, rows))
    else:
        print_loads(rows, routing.tokens, output)
