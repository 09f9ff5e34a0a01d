"""Commands imported when they are called: listing them, or asking the version, imports none."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from inspect import cleandoc, signature
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command
from typer.models import ParameterInfo

from moexbar.cli.commands import COMMANDS, Command
from moexbar.cli.options import OUTPUT
from moexbar.visible import visible

_USAGE: Any = typer.BadParameter.__mro__[1]  # any wrong use, which has no public name
METAVARS: dict[Any, str] = {int: "INT", float: "FLOAT", str: "TEXT", Path: "PATH"}


class Lazy(TyperGroup):
    """Lists the commands by `moexbar.cli.commands` and imports the one that is called.

    Help is in panels; errors are plain lines, which can be searched and mailed.
    """

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help in panels."""
        from typer.rich_utils import rich_format_help  # rich: not for the version, nor a completion

        rich_format_help(obj=self, ctx=ctx, markup_mode="rich")

    def get_params(self, ctx: Any) -> list[Any]:
        """The options of `moexbar` itself."""
        return _without_value(super().get_params(ctx))

    def make_context(self, *words: Any, **settings: Any) -> Any:
        """Read the words of `moexbar` itself."""
        with _spelt_out():
            return super().make_context(*words, **settings)

    def invoke(self, ctx: Any) -> Any:
        """Read the words of the command, and run it."""
        with _spelt_out():
            return super().invoke(ctx)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command's name, the command itself, and the words after its name."""
        name, listed, rest = super().resolve_command(ctx, args)
        called = next((command for command in COMMANDS if command.name == name), None)
        return name, listed if called is None else load(called), rest


@contextmanager
def _spelt_out() -> Iterator[None]:
    """What is said of the words that were typed, which may be names of files, prints."""
    try:
        yield
    except _USAGE as error:
        error.message = visible(error.message)
        raise


class _Called(TyperCommand):
    """A command whose help says `DIR`, not `{DIR}`, and has `--help` in its last panel."""

    def get_params(self, ctx: Any) -> list[Any]:
        params = _without_value(super().get_params(ctx))
        for param in params:
            if "--help" in param.opts:
                param.rich_help_panel = OUTPUT
            if param.param_type_name == "argument":  # called by what it is: no `<path>` beside it
                param.display_type_rich = lambda ctx: None  # no setting of typer says so: tested
        return sorted(params, key=lambda param: getattr(param, "rich_help_panel", "") == OUTPUT)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]


def _without_value(params: Iterable[Any]) -> list[Any]:
    """The parameters; switches among them are not shown as taking a `<bool>`."""
    found = list(params)
    for param in found:
        if getattr(param, "is_flag", False):
            param.metavar = ""
    return found


def load(command: Command) -> Any:
    """Import a command and make of its function what parses its words and prints its help."""
    module = import_module(f"moexbar.cli.{command.module}")
    function: Callable[..., None] = getattr(module, command.function)
    _say_metavars(function)
    text, examples = help_of(function)
    one = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
    one.command(command.name, cls=_Called, help=text, epilog=examples)(function)
    return get_command(one)


def help_of(function: Callable[..., None]) -> tuple[str, str]:
    """(what a docstring says, its examples), each paragraph on one line: terminals wrap it."""
    paragraphs = [" ".join(p.split()) for p in cleandoc(function.__doc__ or "").split("\n\n")]
    examples = [p for p in paragraphs if p.startswith("Example: ")]
    said = [p for p in paragraphs if p not in examples]
    return "\n\n".join(said), "\n\n".join(examples)


def _say_metavars(function: Callable[..., None]) -> None:
    """Give every argument and option without a metavar the one of its type."""
    for parameter in signature(function, eval_str=True).parameters.values():
        annotated = get_args(parameter.annotation)  # the type, then what typer is told of it
        for info in annotated[1:]:
            if isinstance(info, ParameterInfo) and info.metavar is None:
                info.metavar = metavar(annotated[0])


def metavar(kind: Any) -> str | None:
    """What a value of a type is called in a help text; None for a switch, which takes none."""
    if get_origin(kind) is Literal:
        return "|".join(get_args(kind))
    if inner := [one for one in get_args(kind) if one is not NoneType]:  # X | None, list[X]
        return metavar(inner[0])
    return METAVARS.get(kind)
