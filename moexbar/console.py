"""Where words go: results to standard output, progress and errors to standard error."""

import contextlib
import json
import sys
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

WIDTH = 100
_VISIBLE = str.maketrans({c: f"\\x{c:02x}" for c in [*range(32), 127]})


def printable(text: object) -> str:
    """A name from a file, safe for a terminal: control characters shown, not sent."""
    return str(text).translate(_VISIBLE)


def out() -> Console:
    """Console for results; 100 columns when it is not a terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    return console


def fail(message: str) -> None:
    """`error: ...` on one line of standard error."""
    line = " ".join(message.split("\n"))
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        Text("error: ", style="bold red") + Text(printable(line))
    )


def note(message: str) -> None:
    """A remark on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(printable(message), "yellow"))


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    json.dump(value, sys.stdout, allow_nan=False)
    sys.stdout.write("\n")


@contextlib.contextmanager
def progress(total: int, what: str) -> Iterator[Any]:
    """A bar on standard error (nothing when it is not a terminal); yields advance(label)."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task(what, total=total)

        def advance(label: str = "") -> None:
            bar.update(task, advance=1, description=f"{what} {label}".strip())

        yield advance


def table(*columns: str, title: str = "", left: int = 1) -> Table:
    """A plain table: the first `left` columns to the left, numbers to the right."""
    made = Table(
        title=title or None,
        title_justify="left",
        box=None,
        pad_edge=False,
        header_style="bold",
        show_edge=False,
    )
    for number, name in enumerate(columns):
        made.add_column(name, justify="left" if number < left else "right", overflow="fold")
    return made
