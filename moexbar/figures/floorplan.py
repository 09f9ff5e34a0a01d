"""The dies from above: how busy each core is, and what goes through it."""

from typing import Any

import numpy as np

from ir.placement import Placement
from ir.program import Program
from moexbar.figures.cores import Field, core_use, field_of, frames, placement_of
from moexbar.figures.figure import Figure, Shown, Spec
from moexbar.figures.grammar import WIDE, columns, hover, number, rows
from moexbar.figures.palette import AMOUNT, ORANGE
from moexbar.figures.traffic import EAST, NORTH, SOUTH, WEST, traffic

TALL, LARGEST = 720, 44  # pixels of the picture's height, of a core's side
LINK = 6  # pixels of the width of the busiest link between dies
ASIDE = 0.04  # of a die's longer side, from the middle to the line of one direction


def floorplan(shown: Shown) -> tuple[Figure, ...]:
    """Two pictures: use and traffic of every core; none without mapping and program."""
    if shown.mapping is None or shown.program is None or not shown.program.makespan_ps:
        return ()
    placement = placement_of(shown.mapping)
    field = field_of(placement)
    return (
        _use(field, placement, shown.program),
        _traffic(field, placement, shown.program),
    )


def _use(field: Field, placement: Placement, program: Program) -> Figure:
    groups, busy = (field.blocks(of) for of in core_use(program, placement))
    share = busy / np.maximum(groups, 1) / program.makespan_ps
    whole = busy.sum() / max(groups.sum(), 1) / program.makespan_ps
    held = groups > 0
    data = _places(field, held) | {
        "v": share[held].round(4).tolist(),
        "n": groups[held].astype(np.int64).tolist(),
    }
    tips = hover(d="die", cx="core x", cy="y", n="peripheral groups|,", v="busy|.2%")
    colour = number(
        "v",
        "busy",
        scale={"scheme": AMOUNT, "domainMin": 0},
        legend={"format": ".0%"},
    )
    return Figure(
        "floorplan",
        f"Floor plan: peripheral groups are busy {whole:.1%} of the time",
        f"The share of the time that the peripheral groups of {_each(field)} are busy, in the "
        "mean over them. Frames are the regions of layers, with their numbers; cores without "
        "peripheral groups are left out.",
        _spec(field, placement, data, colour, tips, []),
        wide=True,
    )


def _traffic(field: Field, placement: Placement, program: Program) -> Figure:
    found = traffic(program, placement)
    through = field.blocks(found.through.ravel()) / 1024
    used = through > 0
    sides = {key: field.blocks(found.over_link[side].ravel())[used] / 1024 for side, key in SIDES}
    data = _places(field, used) | {
        "v": through[used].round(3).tolist(),
        **{key: values.round(3).tolist() for key, values in sides.items()},
    }
    tips = hover(
        d="die",
        cx="core x",
        cy="y",
        v="KiB through it|,.4~f",
        e="KiB over its link east|,.4~f",
        w="west|,.4~f",
        s="south|,.4~f",
        n="north|,.4~f",
    )
    colour = number("v", "KiB", scale={"scheme": AMOUNT, "domainMin": 0}, legend={})
    links = _links(field, found.between)
    total = found.over_link.sum() / 1024**2
    crossing = (
        f" Lines between dies: the wider, the more goes over that link, at most "
        f"{max(found.between.values()) / 1024:,.4g} KiB."
        if links
        else ""
    )
    return Figure(
        "floorplan",
        f"Traffic on the mesh: {total:,.4g} MiB x hops",
        f"What XFERs, between regions and between the stages of experts, take through "
        f"{_each(field)}: along the row first, then along the column, from port to port or to the "
        f"far corner of a group.{crossing} Frames are the regions of layers.",
        _spec(field, placement, data, colour, tips, links),
        wide=True,
    )


SIDES = ((EAST, "e"), (WEST, "w"), (SOUTH, "s"), (NORTH, "n"))


def _each(field: Field) -> str:
    side = field.side
    return "each core" if side == 1 else f"each block of {side} x {side} cores"


def _places(field: Field, kept: Any) -> dict[str, list[Any]]:
    """Where the cells are that are drawn, by die, core and corner in the picture."""
    die, x, y = field.cells()
    corners = np.array([field.corner(d) for d in range(field.topology.count)])
    left, top = corners[die].T
    right = np.minimum(x + field.side, field.width)
    below = np.minimum(y + field.side, field.height)
    return {
        "d": die[kept].tolist(),
        "cx": x[kept].tolist(),
        "cy": y[kept].tolist(),
        "x": (left + x)[kept].tolist(),
        "y": (top + y)[kept].tolist(),
        "x2": (left + right)[kept].tolist(),
        "y2": (top + below)[kept].tolist(),
    }


def _links(field: Field, between: dict[tuple[int, int], int]) -> list[Spec]:
    """A line for each direction of a link between dies, beside that of the other one."""
    most = max(between.values(), default=0)
    if not most:
        return []
    data = [
        {**_gap_between(field, die, to), "d": die, "to": to, "kib": round(sent / 1024, 3)}
        for (die, to), sent in sorted(between.items())
    ]
    size = {
        "field": "kib",
        "type": "quantitative",
        "scale": {"domain": [0, most / 1024], "range": [0.5, LINK]},
        "legend": None,
    }
    return [
        {
            "data": rows(data),
            "mark": {"type": "rule", "color": ORANGE, "opacity": 0.85, "strokeCap": "butt"},
            "encoding": {
                **_at(field),
                "strokeWidth": size,
                "tooltip": hover(d="from die", to="to die", kib="KiB over the link|,.4~f"),
            },
        }
    ]


def _gap_between(field: Field, die: int, to: int) -> dict[str, float]:
    """A line from the edge of one die to that of another, beside the line of the way back."""
    (x, y), (x2, y2) = (_middle(field, each) for each in (die, to))
    dx, dy = x2 - x, y2 - y
    inside = min(
        field.width / 2 / abs(dx) if dx else 1.0, field.height / 2 / abs(dy) if dy else 1.0
    )
    aside = ASIDE * max(field.width, field.height) / max(abs(dx) + abs(dy), 1)
    return {
        "x": x + dx * inside + dy * aside,
        "y": y + dy * inside - dx * aside,
        "x2": x2 - dx * inside + dy * aside,
        "y2": y2 - dy * inside - dx * aside,
    }


def _middle(field: Field, die: int) -> tuple[float, float]:
    x, y = field.corner(die)
    return x + field.width / 2, y + field.height / 2


def _at(field: Field) -> Spec:
    """Positions in cores, x to the right and y downwards."""
    across, down = field.extent
    scale = {"nice": False, "zero": False}
    return {
        "x": number("x", "", axis=None, scale={**scale, "domain": [0, across]}),
        "x2": {"field": "x2"},
        "y": number("y", "", axis=None, scale={**scale, "domain": [0, down], "reverse": True}),
        "y2": {"field": "y2"},
    }


def _spec(
    field: Field,
    placement: Placement,
    data: dict[str, list[Any]],
    colour: Spec,
    tips: list[Spec],
    links: list[Spec],
) -> Spec:
    """Cells, dies, regions with names, and links between dies on top."""
    across, down = field.extent
    pixels = min((WIDE - 120) / across, TALL / down, LARGEST)
    pixels = int(pixels) if pixels >= 2 else pixels  # whole ones leave no seams between cores
    at, outlines = _at(field), rows(frames(field, placement.regions))
    corners = [field.corner(die) for die in range(field.topology.count)]
    dies = rows({"x": x, "y": y, "x2": x + field.width, "y2": y + field.height} for x, y in corners)
    middle = {
        "x": {**at["x"], "field": "cx"},
        "y": {**at["y"], "field": "cy"},
        "text": {"field": "name"},
    }
    names = {"type": "text", "fontSize": 10, "fontWeight": "bold"}
    return {
        "width": max(round(pixels * across), 1),
        "height": max(round(pixels * down), 1),
        "layer": [
            {"data": dies, "mark": {"type": "rect", "style": "grid"}, "encoding": at},
            {
                "data": columns(data),
                "mark": {"type": "rect"},
                "encoding": {**at, "color": colour, "tooltip": tips},
            },
            {
                "data": outlines,
                "mark": {"type": "rect", "filled": False, "style": "frame", "strokeWidth": 1},
                "encoding": at,
            },
            {
                "data": outlines,
                "mark": {**names, "style": "halo", "strokeWidth": 2.5},
                "encoding": middle,
            },
            {"data": outlines, "mark": names, "encoding": middle},
            *links,
        ],
    }
