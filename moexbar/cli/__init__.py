"""The command line: one module per command, thin over the stages.

A command's module imports at its top what its signature needs, and in its function what it calls:
so help and completion take no time (`moexbar.cli.lazy`).
"""

from typing import Annotated

import typer

from moexbar import __version__
from moexbar.cli.commands import COMMANDS, Command
from moexbar.cli.lazy import Lazy

EPILOG = (
    "Exit codes: 0 done, 2 bad input, 3 output folder busy, 4 a check failed, 5 does not fit, "
    "6 ONNX Runtime's process died or ran out of memory or time, 130 and 143 interrupted."
)

app = typer.Typer(
    name="moexbar",
    cls=Lazy,
    help="Compile ONNX Mixture-of-Experts models for crossbar chips with shared peripherals.",
    epilog=EPILOG,
    no_args_is_help=True,
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


def _list(command: Command) -> None:
    """Put a command into the help; `Lazy` puts the real one in its place when it is called."""

    @app.command(command.name, help=command.does, rich_help_panel=command.panel)
    def listed() -> None:
        raise NotImplementedError(command.name)


for _command in COMMANDS:
    _list(_command)
