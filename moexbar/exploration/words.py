"""A point is a command line: its settings as the words of `moexbar compile`, and what they mean.

So there is one table of what can be asked, with one parser, one set of defaults and one set of
messages; and the command of a point is the point itself.
"""

import difflib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ir.errors import InputError
from moexbar.chips.fields import SCHEMA, find, nearest, shown
from moexbar.exploration.sweep import Setting, Settings

if TYPE_CHECKING:
    from compiler.baselines import Baselines
    from moexbar.cli.compile_options import CompileRequest

CHIP = "chip."
QUICK = ("--no-verify",)  # a sweep executes nothing
USUAL: Settings = {"baselines": "none"}
LEFT_OUT = {  # options of `moexbar compile` that no point has, and why
    "output": "it is the command's: -o DIR",
    "set": 'say it of the field: "chip.pg.mux" = 4',
    "verify": "a sweep executes nothing; run the command of a point",
    "no_baselines": 'say baselines = "none"',
    "bands": "run the command of a point with --bands",
    "draws": "run the command of a point with --bands",
    "write": "run the command of a point",
    "dump_dir": "run the command of a point",
    "json": "it is the command's: --json",
    "processes": "it is the command's: --processes",
    "limit": "write the trace anew: moexbar trace-import",
}


@dataclass(frozen=True)
class Line:
    """A point as what the words of its command ask.

    model: as it is written; baselines, jitter, trust_traced: options that are not in `asked`.
    """

    model: Path
    asked: "CompileRequest"
    baselines: "Baselines"
    jitter: int
    trust_traced: bool


def check_name(name: str, where: str) -> str:
    """The name of a setting; InputError with the nearest where there is none of that name."""
    if name == "model" or name in _options():
        return name
    if name.startswith(CHIP):
        table, _, key = name.removeprefix(CHIP).partition(".")
        if table not in SCHEMA:
            hint = nearest(table, SCHEMA)
            raise InputError(where, f"{shown(name)}: the chip has no table {shown(table)!r}", hint)
        found = find(table, key)
        if isinstance(found, str):
            raise InputError(where, f"{shown(name)}: {found}")
        return name
    if name in LEFT_OUT:
        raise InputError(where, f"{name}: no setting of a point", LEFT_OUT[name])
    near = difflib.get_close_matches(name, ["model", *_options()], n=1)
    hint = f"did you mean {near[0]}?" if near else "expected an option of moexbar compile"
    raise InputError(where, f"{shown(name)}: unknown key", hint)


def command_of(settings: Settings, number: int) -> str:
    """What a shell runs in the folder of the sweep to have a point alone."""
    said = {**USUAL, **settings}
    words = (str(said.get("model", "")), *_words(said), *_set(said))
    return shlex.join(("moexbar", "compile", *words, *QUICK, "-o", f"point-{number}"))


def line_of(settings: Settings, where: str) -> Line:
    """What the command line of a point asks; InputError for what the options do not take."""
    model = str(settings.get("model", ""))
    if not model or model.startswith("-"):
        raise InputError(f"{where}: model", f"{shown(model)!r}, expected the path of a model")
    said = {**USUAL, **settings}
    words = (model, *_words(said))
    try:
        values = dict(_parsed(words))
    except typer.BadParameter as error:
        raise InputError(where, " ".join(error.format_message().split())) from error
    own = {name: values.pop(name) for name in ("model", "baselines", "jitter", "trust_traced")}
    asked = replace(_request(values), settings=list(_chip_words(said)))
    return Line(Path(own.pop("model")), asked, **own)


def _words(settings: Settings) -> Iterator[str]:
    """The words of all settings but the chip's fields; what is false is not said."""
    for name, value in settings.items():
        if name == "model" or name.startswith(CHIP):
            continue
        option = _options()[name]
        if isinstance(value, bool):
            if value:
                yield option
        else:
            yield from (option, word(value))


def _chip_words(settings: Settings) -> Iterator[str]:
    """FIELD=VALUE of each field of the chip."""
    for name, value in settings.items():
        if name.startswith(CHIP):
            yield f"{name.removeprefix(CHIP)}={word(value)}"


def _set(settings: Settings) -> Iterator[str]:
    for one in _chip_words(settings):
        yield from ("--set", one)


def word(value: Setting) -> str:
    """A value as one types it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@cache
def _command() -> Any:
    """What parses the words of `moexbar compile`."""
    from moexbar.cli.commands import COMMANDS
    from moexbar.cli.lazy import load

    return load(next(command for command in COMMANDS if command.name == "compile"))


@cache
def _options() -> dict[str, str]:
    """{key of a sweep: the long option}, in the order of the command's help."""
    long = [word for param in _command().params for word in param.opts if word.startswith("--")]
    keys = {word.removeprefix("--").replace("-", "_"): word for word in long}
    return {key: word for key, word in keys.items() if key not in LEFT_OUT}


@lru_cache(maxsize=1024)
def _parsed(words: tuple[str, ...]) -> tuple[tuple[str, Any], ...]:
    """The options' values by their names in Python; typer's error for words that are not taken."""
    context = _command().make_context("compile", [*words, "-o", "point"])
    return tuple(context.params.items())


def _request(values: dict[str, Any]) -> "CompileRequest":
    """Those of the values that the request of `moexbar compile` has."""
    from moexbar.cli.compile_options import CompileRequest

    names = {field.name for field in fields(CompileRequest)}
    return CompileRequest(**{name: value for name, value in values.items() if name in names})
