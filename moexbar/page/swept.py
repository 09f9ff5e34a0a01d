"""The page of a sweep: any two figures of its points against each other, and every point."""

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import combinations
from typing import Any

from ir.errors import InputError
from moexbar import __version__
from moexbar.exploration.figures import FIGURES
from moexbar.exploration.results import Results, read_results
from moexbar.figures.figure import Figure
from moexbar.figures.kinds import SWEPT
from moexbar.figures.pareto import pareto_spec
from moexbar.figures.swept import Sweep
from moexbar.files.output import Output
from moexbar.page.document import Page, Section
from moexbar.page.front import Axis, Point, front_of
from moexbar.page.html import Html, data, join, tag
from moexbar.page.parts import Cell, facts, number, paragraph, picture, pictures, table

USUAL = ("area_mm2", "time_us")  # the figures that are seen first: across, up
MAIN = (
    *("time_us", "energy_uj", "area_mm2", "tokens_per_s", "moe_gops_per_mm2", "gops_per_w_mm2"),
    "time_gap_percent",
)
KNOWN = {figure.name: figure for figure in FIGURES}
DONE = "done"
CAPTION = (
    "Every dot is a point of the sweep. On the front: no other point is better in one of the two "
    "figures and as good in the other. Knee: farthest from the line between the ends of the front."
)


def swept_page(output: Output) -> Page:
    """What a folder of `moexbar explore` tells; InputError where it is none."""
    return page_of_results(read_results(output), output.folder.name)


def page_of_results(found: Results, name: str) -> Page:
    """Which points there are, which no other beats, and how to compile each."""
    rows = found.table.to_pylist()
    axes, points = axes_of(found, rows), points_of(found, rows)
    failed = [row for row in rows if row["status"] != DONE]
    told = f"{len(rows)} points, {len(rows) - len(failed)} of them compiled"
    sections = [
        Section("what", "What varies", (_varied(found, rows),)),
        Section("front", "Points by two figures", _front(found, rows, axes, points), "sweep"),
        Section("effects", "What each setting does", (_effects(found, axes),)),
        Section("failed", "Points without figures", (_failed(found, failed),)),
        Section("columns", "What the figures are", (_meanings(axes),)),
    ]
    return Page(
        title=f"Sweep {name}",
        over="Many chips, models and options at once",
        under=f"{told}.",
        written=f"Written by moexbar {__version__} from an output of moexbar explore.",
        sections=tuple(one for one in sections if any(one.body)),
    )


def sweep_of(output: Output, of: tuple[str, str] | None = None) -> Sweep:
    """The points that are done, as pictures take them, with front and knee of two figures.

    of: the two, which come first; None: area and time. InputError for one that no point has.
    """
    found = read_results(output)
    names = [axis.name for axis in axes_of(found, found.table.to_pylist())]
    for name in of or USUAL:
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names) or 'none'}"
            raise InputError(f"{output.folder}: {name}", "no figure that points have", hint)
    return _marked(found, of or USUAL, () if of else MAIN)


def _marked(found: Results, of: tuple[str, str], more: Sequence[str] = ()) -> Sweep:
    """The points that are done with the front of two figures, and more figures beside these."""
    axes = axes_of(found, found.table.to_pylist())
    names = [axis.name for axis in axes]
    points = points_of(found, found.table.to_pylist())
    best = front_of(points, axes, *(names.index(name) for name in of))
    table = found.table.to_pandas()
    table = table[table["status"] == DONE].reset_index(drop=True)
    table["front"], table["knee"] = table["point"].isin(best.front), table["point"].isin(best.knee)
    shown = (*of, *(name for name in names if name in more and name not in of))
    return Sweep(table, tuple(found.settings), shown)


def axes_of(found: Results, rows: Sequence[dict[str, Any]]) -> tuple[Axis, ...]:
    """The figures of which some point has a number."""
    return tuple(_axis(name) for name in found.figures if any(_is(row[name]) for row in rows))


def _axis(name: str) -> Axis:
    known = KNOWN.get(name)
    if known is None:  # a gain is the better the more of it, a number by its path the less
        return Axis(name, "", name.startswith("gain_"))
    return Axis(name, known.unit, known.sense == "more")


def points_of(found: Results, rows: Sequence[dict[str, Any]]) -> tuple[Point, ...]:
    """The points that have figures."""
    names = [axis.name for axis in axes_of(found, rows)]
    done = (row for row in rows if row["status"] == DONE)
    return tuple(
        Point(row["point"], words_of(found, row), [_number(row[name]) for name in names])
        for row in done
    )


def words_of(found: Results, row: dict[str, Any]) -> str:
    """The settings of a point."""
    return ", ".join(f"{name} = {_told(row[name])}" for name in found.settings)


def _is(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> float | None:
    return value if _is(value) else None


def _told(value: Any) -> str:
    return "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _varied(found: Results, rows: Sequence[dict[str, Any]]) -> Html:
    """Every setting with the values that points have."""
    shown = []
    for name in found.settings:
        values = list(dict.fromkeys(_told(row[name]) for row in rows))
        more = f" and {len(values) - 12} more" if len(values) > 12 else ""
        shown.append((name, f"{', '.join(values[:12])}{more}"))
    return facts(shown)


def _front(
    found: Results, rows: Sequence[dict[str, Any]], axes: Sequence[Axis], points: Sequence[Point]
) -> tuple[Html, ...]:
    """The picture with its choices, the point that is looked at, and the table of all."""
    if not points or len(axes) < 2:
        return (paragraph("No point has figures."), _points(found, rows))
    chosen = [next((i for i, a in enumerate(axes) if a.name == n), k) for k, n in enumerate(USUAL)]
    choice = tag(
        "div",
        _select("axis", "Across", axes, chosen[0]),
        _select("axis", "Up", axes, chosen[1]),
        class_="choices",
    )
    template = pareto_spec({"values": []}, "across", "up")
    block = data(_block(found, rows, axes, points, template), class_="sweep")
    shown = Figure("pareto", "Points and their front", CAPTION, {}, wide=True)
    return choice, picture(shown, block), _looked_at(), _filters(), _points(found, rows)


def _effects(found: Results, axes: Sequence[Axis]) -> Html:
    """The other pictures of a sweep, where its points have the usual figures."""
    if not set(USUAL) <= {axis.name for axis in axes}:
        return Html()
    marked = _marked(found, USUAL, MAIN)
    kinds = (kind for name, kind in SWEPT.items() if name != "pareto")
    return pictures(figure for kind in kinds for figure in kind.draw(marked))


def _block(
    found: Results,
    rows: Sequence[dict[str, Any]],
    axes: Sequence[Axis],
    points: Sequence[Point],
    template: dict[str, Any],
) -> dict[str, Any]:
    """What the page's script needs: all points, and the front of every two figures."""
    figures = {point.number: point.figures for point in points}
    fronts = {
        f"{i},{j}": front_of(points, axes, i, j) for i, j in combinations(range(len(axes)), 2)
    }
    told = [
        {
            "number": row["point"],
            "words": words_of(found, row),
            "command": row["command"],
            "reason": row["reason"] or "",
            "figures": figures.get(row["point"], ()),
        }
        for row in rows
    ]
    return {
        "points": told,
        "names": [axis.title for axis in axes],
        "fronts": fronts,
        "spec": template,
    }


def _select(kind: str, label: str, axes: Sequence[Axis], chosen: int) -> Html:
    options = (
        tag("option", axis.name, value=place, selected=place == chosen)
        for place, axis in enumerate(axes)
    )
    return tag("label", f"{label} ", tag("select", *options, class_=kind))


def _looked_at() -> Html:
    """The point that was clicked: hidden until one is."""
    copy = tag("button", "Copy", type="button", class_="copy", data_of="command")
    code = tag("pre", tag("code", id="command"))
    return tag("div", tag("h3"), tag("p"), code, tag("p", copy), class_="point", hidden=True)


def _filters() -> Html:
    kinds = {"all": "all points", "front": "those on the front", "failed": "those without figures"}
    options = (tag("option", words, value=value) for value, words in kinds.items())
    search = tag("input", type="search", class_="search", placeholder="with this in a cell")
    return tag(
        "div",
        tag("label", "Show ", tag("select", *options, class_="show")),
        tag("label", "Search ", search),
        class_="choices",
    )


def _points(found: Results, rows: Sequence[dict[str, Any]]) -> Html:
    """Every point; a click shows its command."""
    shown = [name for name in found.figures if name in MAIN or name not in KNOWN]
    shown = [name for name in shown if any(_is(row[name]) for row in rows)]
    head = [*found.settings, *shown, "status"]
    top = tag("tr", *(tag("th", _breakable(name), scope="col") for name in ("point", *head)))
    body = (_row(found, shown, row) for row in rows)
    caption = tag("caption", "Click a point for its settings and command, a heading to sort")
    made = tag("table", caption, tag("thead", top), tag("tbody", *body), class_="sorted points")
    return tag("div", made, class_="scroll tall", tabindex=0)


def _breakable(name: str) -> Html:
    """A heading that may end a line behind a dot or an underscore."""
    return join(re.split(r"(?<=[._])", name), Html("<wbr>"))


def _row(found: Results, shown: Iterable[str], row: dict[str, Any]) -> Html:
    cells = [tag("td", tag("button", row["point"], type="button"), data_v=row["point"])]
    cells += [tag("td", _told(row[name])) for name in found.settings]
    cells += [_figure(row[name]) for name in shown]
    done = row["status"] == DONE
    cells.append(tag("td", row["status"], class_="good" if done else "bad", title=row["reason"]))
    return tag("tr", *cells, data_point=row["point"], data_failed=None if done else "1")


def _figure(value: Any) -> Html:
    if not _is(value):
        return tag("td", "-", class_="number")
    return tag("td", number(value), class_="number", data_v=repr(value))


def _failed(found: Results, rows: Sequence[dict[str, Any]]) -> Html:
    if not rows:
        return Html()
    told = [(str(r["point"]), words_of(found, r), r["status"], r["reason"] or "") for r in rows]
    return table(("point", "settings", "status", "reason"), told, words=(0, 1, 2, 3))


def _meanings(axes: Sequence[Axis]) -> Html:
    return table(("figure", "unit", "better", "what it is"), _meant(axes), words=(0, 1, 2, 3))


def _meant(axes: Sequence[Axis]) -> Iterator[tuple[Cell, ...]]:
    for axis in axes:
        known = KNOWN.get(axis.name)
        words = known.meaning if known else "a number of report.json, by its path"
        gain = "times the MoE GOPS/mm2 of another method"
        words = gain if axis.name.startswith("gain_") else words
        yield axis.name, axis.unit, "more" if axis.more else "less", words
