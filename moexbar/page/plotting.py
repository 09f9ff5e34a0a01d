"""One picture of an output folder as a file: the figures of a page, for a paper."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path

from ir.errors import InputError
from moexbar.arguments import check_path
from moexbar.compilation import Compilation
from moexbar.figures.draw import Theme, draw, form_of
from moexbar.figures.figure import Figure, Shown
from moexbar.figures.kinds import COMPARED, KINDS, SWEPT
from moexbar.figures.window import timeline_window
from moexbar.files.added import write_added
from moexbar.files.output import Output, read_output
from moexbar.page.reading import read_shown, shown_of
from moexbar.report.reading import read_document
from moexbar.report.traces import CompareReport

Source = Compilation | CompareReport | Path | str
WINDOW = "timeline-window"  # the kind that options cut


@dataclass(frozen=True)
class Cut:
    """Of which part a picture is: see `plot`; None: as the kind chooses."""

    from_ns: float | None = None
    to_ns: float | None = None
    layer: int | None = None
    of: tuple[str, str] | None = None

    def refuse(self, kind: str) -> None:
        """InputError where an option means nothing to a kind."""
        for option, value, known in (
            ("from_ns", self.from_ns, (WINDOW,)),
            ("to_ns", self.to_ns, (WINDOW,)),
            ("layer", self.layer, (WINDOW,)),
            ("of", self.of, tuple(SWEPT)),
        ):
            if value is not None and kind not in known:
                problem = f"means nothing to {kind}, expected with {' or '.join(known)}"
                raise InputError(f"--{option.replace('_', '-')}", problem)


WHOLE = Cut()


@dataclass(frozen=True)
class Drawable:
    """A kind of picture of a folder: what it shows in a line, and its pictures of a part."""

    shows: str
    of: Callable[[Cut], Sequence[Figure]]


def plot(
    folder: Path | str,
    kind: str,
    file: Path | str,
    *,
    from_ns: float | None = None,
    to_ns: float | None = None,
    layer: int | None = None,
    of: tuple[str, str] | None = None,
    theme: Theme = "light",
    unchecked: bool = False,
) -> tuple[Path, ...]:
    """Draw a kind of picture of a folder into a file; returns where it is.

    file: ends in .svg, .pdf, .png or .json (the Vega-Lite specification); of a kind with several
    pictures each has its number in its name. from_ns, to_ns, layer: of `timeline-window`, the
    stretch in ns and the layer; of: of a sweep, the figures across and up; unchecked: files of the
    folder may have been changed since they were written. Raises InputError naming folder, kind,
    option or file.
    """
    path = Path(file)
    form = form_of(path)
    found = figures_of(folder, kind, Cut(from_ns, to_ns, layer, of), unchecked=unchecked)
    many = len(found) > 1
    paths = [path.with_stem(f"{path.stem}-{i}") if many else path for i in range(1, len(found) + 1)]
    for figure, where in zip(found, paths, strict=True):
        write_added(where, draw(figure, form, theme))
    return tuple(paths)


def pictures(
    source: Source,
    kind: str,
    *,
    from_ns: float | None = None,
    to_ns: float | None = None,
    layer: int | None = None,
    of: tuple[str, str] | None = None,
    unchecked: bool = False,
) -> tuple[Figure, ...]:
    """The pictures of a kind, which a notebook shows: of a compilation, a comparison or a folder.

    The rest as for `plot`. Raises InputError naming kind or option.
    """
    return figures_of(source, kind, Cut(from_ns, to_ns, layer, of), unchecked=unchecked)


def figures_of(
    source: Source, kind: str, cut: Cut = WHOLE, *, unchecked: bool = False
) -> tuple[Figure, ...]:
    """The pictures of a kind; InputError where what they are to be drawn from has none."""
    known, where = drawable(source, unchecked=unchecked), _where(source)
    if kind not in known:
        near = get_close_matches(kind, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"`moexbar plot {where}` lists them"
        problem = f"no kind of picture {kind!r}, expected one of {', '.join(known)}"
        raise InputError(where, problem, hint)
    cut.refuse(kind)
    found = tuple(known[kind].of(cut))
    if not found:
        problem = f"nothing to draw: {known[kind].shows}"
        raise InputError(f"{where}: {kind}", problem, "what it shows is not in it")
    return found


def _where(source: Source) -> str:
    """What a message calls it."""
    return str(source) if isinstance(source, Path | str) else type(source).__name__


def drawable(source: Source, *, unchecked: bool = False) -> Mapping[str, Drawable]:
    """The kinds of pictures of a folder, or a value, by name; InputError where none are made."""
    if isinstance(source, CompareReport):
        return _compared(lambda: source)
    if isinstance(source, Compilation):
        done = source
        return _compiled(lambda: shown_of(done.compiled, done.routing, done.report))
    expected = "a Compilation, a CompareReport, or an output folder of moexbar"
    check_path("folder", source, expected)
    output = read_output(Path(source), FOLDERS, unchecked=unchecked)
    return FOLDERS[output.maker](output)


def _compiled(read: Callable[[], Shown]) -> Mapping[str, Drawable]:
    def of(kind: str, cut: Cut) -> Sequence[Figure]:
        shown = read()
        if kind == WINDOW:
            found = timeline_window(shown, cut.from_ns, cut.to_ns, cut.layer)
            return () if found is None else (found,)
        return KINDS[kind].draw(shown)

    return {name: Drawable(kind.shows, partial(of, name)) for name, kind in KINDS.items()}


def _compared(read: Callable[[], CompareReport]) -> Mapping[str, Drawable]:
    def of(kind: str, _: Cut) -> Sequence[Figure]:
        return COMPARED[kind].draw(read())

    return {name: Drawable(kind.shows, partial(of, name)) for name, kind in COMPARED.items()}


def _swept(output: Output) -> Mapping[str, Drawable]:
    def of(kind: str, cut: Cut) -> Sequence[Figure]:
        from moexbar.page.swept import sweep_of  # which loads all that makes a point

        return SWEPT[kind].draw(sweep_of(output, cut.of))

    return {name: Drawable(kind.shows, partial(of, name)) for name, kind in SWEPT.items()}


def _read_compared(output: Output) -> CompareReport:
    return read_document(CompareReport, output.file("compare.json"), "compare")


FOLDERS: Mapping[str, Callable[[Output], Mapping[str, Drawable]]] = {
    "compile": lambda output: _compiled(partial(read_shown, output)),
    "compare": lambda output: _compared(partial(_read_compared, output)),
    "explore": _swept,
}
