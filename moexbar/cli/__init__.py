"""The command line: one module per command, thin over the stages."""

from typing import Annotated

import typer

from moexbar import __version__
from moexbar.cli.accuracy import accuracy
from moexbar.cli.chips import chips
from moexbar.cli.compare import compare
from moexbar.cli.compile import compile_command
from moexbar.cli.example import example
from moexbar.cli.group import group
from moexbar.cli.inspect import inspect
from moexbar.cli.model import model_command
from moexbar.cli.profile import profile_command
from moexbar.cli.reproduce import reproduce_command
from moexbar.cli.schedule import schedule
from moexbar.cli.simulate import simulate
from moexbar.cli.trace import trace
from moexbar.cli.verify import verify

EPILOG = (
    "Exit codes: 0 done, 2 bad input, 3 output folder busy, 4 a check failed, 5 does not fit, "
    "6 ONNX Runtime's process died or ran out of memory or time, 130 and 143 interrupted."
)

app = typer.Typer(
    name="moexbar",
    help="Compile ONNX Mixture-of-Experts models for crossbar chips with shared peripherals.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"moexbar {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


app.command("compile")(compile_command)
app.command("simulate")(simulate)
app.command("verify")(verify)
app.command("accuracy")(accuracy)
app.command("inspect")(inspect)
app.command("trace")(trace)
app.command("model")(model_command)
app.command("profile")(profile_command)
app.command("group")(group)
app.command("schedule")(schedule)
app.command("compare")(compare)
app.command("reproduce")(reproduce_command)
app.command("chips")(chips)
app.command("example")(example)
