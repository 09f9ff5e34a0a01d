"""What messages and help advise is there: options, commands with their options, files of docs/."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer

from moexbar.cli.commands import COMMANDS
from moexbar.cli.lazy import load

ROOT = Path(__file__).parents[3]
PACKAGES = ("ir", "compiler", "backends", "moexbar")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
CALL = re.compile(r"moexbar ([a-z][a-z-]*)([^;|\n`]*)")
PAGE = re.compile(r"\bdocs/[\w/.-]*\w")
SECTION = re.compile(r"\b(docs/[\w/-]+\.md), section ([A-Z][\w ]*)")
PROSE = {"as", "did", "in", "that", "wrote"}  # what follows the project's name and is no command


@cache
def options(name: str) -> frozenset[str]:
    """All that a command takes."""
    (command,) = [command for command in COMMANDS if command.name == name]
    called = load(command)
    params = called.get_params(typer.Context(called))
    return frozenset(o for p in params for o in (*p.opts, *p.secondary_opts))


@cache
def texts() -> tuple[tuple[str, str], ...]:
    """(place, text) of every string of the sources; what is put into one is `{}`."""
    found: list[tuple[str, str]] = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            place = str(path.relative_to(ROOT))
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found += [(f"{place}:{line}", text) for line, text in _strings(tree)]
    return tuple(found)


def _strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Strings, and what f-strings have between their values, in one piece."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [p.value if isinstance(p, ast.Constant) else "{}" for p in node.values]
            yield node.lineno, "".join(str(part) for part in parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        yield from _strings(node)


def test_options_exist() -> None:
    known = frozenset().union(*(options(command.name) for command in COMMANDS)) | {"--version"}
    lost = [
        f"{place}: {option}"
        for place, text in texts()
        for option in OPTION.findall(text)
        if option not in known
    ]
    assert not lost, "\n".join(lost)


def test_commands_take_what_is_advised() -> None:
    names, wrong, seen = {command.name for command in COMMANDS}, list[str](), 0
    for place, text in texts():
        for name, rest in CALL.findall(text):
            if name in PROSE:
                continue
            if name not in names:
                wrong.append(f"{place}: moexbar {name} is no command")
                continue
            seen += 1
            given = OPTION.findall(rest)
            wrong += [f"{place}: moexbar {name} {o}" for o in given if o not in options(name)]
    assert seen > 20
    assert not wrong, "\n".join(wrong)


def test_pages_exist() -> None:
    named = [(place, page) for place, text in texts() for page in PAGE.findall(text)]
    assert len(named) > 10
    lost = [f"{place}: {page}" for place, page in named if not list(ROOT.glob(f"{page}*"))]
    assert not lost, "\n".join(lost)


def test_sections_exist() -> None:
    named = [(place, *found) for place, text in texts() for found in SECTION.findall(text)]
    assert named
    lost = [
        f"{place}: {page}, section {section}"
        for place, page, section in named
        if not re.search(
            rf"(?m)^#+ (\d+\. )?{section}( <|$)", (ROOT / page).read_text(encoding="utf-8")
        )
    ]
    assert not lost, "\n".join(lost)


@pytest.mark.parametrize(
    ("text", "command", "option"),
    [
        ("see moexbar profile MODEL --inputs X.npz -o R.npz", "profile", "--inputs"),
        ("give --least-placed 0; moexbar compile needs no weights", "compile", ""),
    ],
)
def test_what_is_looked_for(text: str, command: str, option: str) -> None:
    """A call ends at a semicolon; an option before it is no part of it."""
    ((name, rest),) = CALL.findall(text)
    assert (name, OPTION.findall(rest)) == (command, [option] if option else [])
