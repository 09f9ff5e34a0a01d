"""Where words go: results to standard output, progress and errors to standard error."""

import contextlib
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.console import (
    Console,
    ConsoleOptions,
    JustifyMethod,
    OverflowMethod,
    RenderableType,
    RenderResult,
)
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

import moexbar.progress
from moexbar.visible import visible

WIDTH, ENDLESS = 100, 100_000
FEW_STEPS, FEW_SECONDS = 10, 5.0


class Plain(Console):
    """A console to which a text is a text: no word in it is markup, no character steers."""

    def __init__(self, **settings: Any) -> None:
        """settings: as of `rich.console.Console`."""
        super().__init__(highlight=False, markup=False, emoji=False, **settings)

    def render_str(self, text: str, **settings: Any) -> Text:
        """The text of a line or cell, with what would not be seen spelt out."""
        return super().render_str(visible(text, lines=True), **settings)


def out() -> Console:
    """Console for results; 100 columns when it is not a terminal."""
    console = Plain()
    return console if console.is_terminal else Plain(width=WIDTH)


def fail(message: str) -> None:
    """`error: ...` on one line of standard error."""
    line = " ".join(message.split("\n"))
    Plain(stderr=True, soft_wrap=True).print(
        Text("error: ", style="bold red") + Text(visible(line))
    )


def note(message: str) -> None:
    """A remark on standard error."""
    Plain(stderr=True, soft_wrap=True).print(Text(visible(message), "yellow"))


def print_notes(notes: Iterable[str]) -> None:
    """What the front end found, each once, on standard error."""
    for line in dict.fromkeys(notes):
        note(f"note: {line}")


def print_json(value: object) -> None:
    """One JSON document on standard output, of a value or plain data."""
    from moexbar.report.plain import as_json  # numpy, which help and completion do without

    json.dump(as_json(value), sys.stdout, allow_nan=False)
    sys.stdout.write("\n")


def _progress_bar() -> Progress:
    """A bar on standard error that is gone when the work is; nothing where it is no terminal."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Plain(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


@contextlib.contextmanager
def progress(total: int, what: str) -> Iterator[Any]:
    """A bar on standard error (nothing when it is not a terminal); yields advance(label)."""
    bar = _progress_bar()
    with bar:
        task = bar.add_task(what, total=total)

        def advance(label: str = "") -> None:
            bar.update(task, advance=1, description=f"{what} {label}".strip())

        yield advance


@dataclass(frozen=True)
class _Column:
    """A column of a table: the place of its cells in a row, its heading, how they stand."""

    place: int
    header: str
    justify: JustifyMethod
    overflow: OverflowMethod
    no_wrap: bool
    max_width: int | None


class Fitting:
    """A table that leaves columns out on a terminal too narrow for it, and says which.

    least: headings of columns that go first, the least important before others; settings: as of
    `rich.table.Table`. Numbers are never cut or wrapped: where that is not enough, columns of
    numbers go from the right.
    """

    def __init__(self, least: Sequence[str] = (), **settings: Any) -> None:
        """A table without columns."""
        self._least, self._settings = tuple(least), settings
        self._columns: list[_Column] = []
        self._rows: list[tuple[tuple[RenderableType, ...], str | None]] = []

    def add_column(
        self,
        header: str,
        *,
        justify: JustifyMethod = "left",
        overflow: OverflowMethod = "ellipsis",
        no_wrap: bool = False,
        max_width: int | None = None,
    ) -> None:
        """A further column to the right; what is justified to the right counts as numbers."""
        place = len(self._columns)
        self._columns.append(_Column(place, header, justify, overflow, no_wrap, max_width))

    def add_row(self, *cells: RenderableType, style: str | None = None) -> None:
        """A further row, one cell for each column."""
        self._rows.append((cells, style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render what fits; where it is no terminal, all of it."""
        if not console.is_terminal:
            yield self._of(self._columns)
            return
        left_out: list[str] = []
        kept = [replace(c, no_wrap=c.justify == "right") for c in self._columns]
        numbers = [c.header for c in kept if c.justify == "right"]
        for name in self._least:
            if self._width(kept, console, options, wrapped=False) > options.max_width:
                left_out += _take(kept, name)
        for name in reversed(numbers[1:]):
            if self._width(kept, console, options, wrapped=True) > options.max_width:
                left_out += _take(kept, name)
        yield self._of(kept)
        if left_out:
            names = ", ".join(" ".join(name.replace("-\n", "").split()) for name in left_out)
            yield Text(f"left out for width: {names} (--json has all)", style="dim")

    def _of(self, columns: Sequence[_Column]) -> Table:
        """The table of some of its columns."""
        made = Table(**self._settings)
        for c in columns:
            made.add_column(
                c.header,
                justify=c.justify,
                overflow=c.overflow,
                no_wrap=c.no_wrap,
                max_width=c.max_width,
            )
        for cells, style in self._rows:
            made.add_row(*(cells[c.place] for c in columns), style=style)
        return made

    def _width(
        self,
        columns: Sequence[_Column],
        console: Console,
        options: ConsoleOptions,
        *,
        wrapped: bool,
    ) -> int:
        """The width that some columns take, their texts wrapped or not, their numbers never."""
        endless = options.update_width(ENDLESS)  # nothing is measured as wider than its options
        texts = self._of([c for c in columns if c.justify == "left"])
        spared = Measurement.get(console, endless, texts).span if wrapped else 0
        return Measurement.get(console, endless, self._of(columns)).maximum - spared


def _take(columns: list[_Column], name: str) -> list[str]:
    """Take the last column of that name out; returns the names taken."""
    at = max((n for n, column in enumerate(columns) if column.header == name), default=None)
    if at is None:
        return []
    del columns[at]
    return [name]


def table(*columns: str, title: str = "", left: int = 1, least: Sequence[str] = ()) -> Fitting:
    """A plain table: the first `left` columns to the left, numbers to the right.

    least: columns that a narrow terminal may do without, the least important first.
    """
    made = Fitting(
        least,
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


class _Lines:
    """Progress as lines on standard error, each with the seconds so far: for logs.

    Of work in many steps a line every few seconds.
    """

    def __init__(self) -> None:
        self._begun, self._work, self._last = time.perf_counter(), "", -FEW_SECONDS

    def begin(self, work: str, steps: int) -> None:
        self._work, self._pause = work, 0.0 if steps <= FEW_STEPS else FEW_SECONDS

    def step(self, name: str) -> None:
        seconds = time.perf_counter() - self._begun
        if seconds - self._last < self._pause:
            return
        self._last = seconds
        sys.stderr.write(f"[{seconds:7.1f} s] {visible(self._work)}: {visible(name)}\n")

    def end(self) -> None:
        self._work = ""

    def note(self, text: str) -> None:
        print_notes([text])


class _Bar:
    """Progress as one bar for each piece of work."""

    def __init__(self, bar: Progress) -> None:
        self._bar, self._task, self._work, self._at = bar, TaskID(0), "", 0

    def begin(self, work: str, steps: int) -> None:
        self._work, self._at = work, -1
        self._task = self._bar.add_task(visible(work), total=steps)

    def step(self, name: str) -> None:
        self._at += 1
        label = f"{self._work}: {name}"
        self._bar.update(self._task, completed=self._at, description=visible(label))

    def end(self) -> None:
        self._bar.remove_task(self._task)

    def note(self, text: str) -> None:
        self._bar.console.print(Text(visible(f"note: {text}"), "yellow"), soft_wrap=True)


@contextlib.contextmanager
def bar() -> Iterator[moexbar.progress.Progress]:
    """Progress as one bar for each piece of work (nothing when it is not a terminal)."""
    with _progress_bar() as shown:
        yield _Bar(shown)


@contextlib.contextmanager
def stages() -> Iterator[moexbar.progress.Progress]:
    """Progress of work in stages on standard error: a bar on a terminal, else a line a stage."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    with bar() as shown:
        yield shown
