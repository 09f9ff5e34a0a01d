"""Where the weights are: on crossbars by role or elsewhere, and how full crossbars are."""

from collections.abc import Iterator, Sequence
from typing import Any

from ir.chip import Chip, Crossbar
from ir.expert import Weight
from moexbar.figures.figure import Figure, Shown, Spec
from moexbar.figures.grammar import NARROW, hover, name, number, rows
from moexbar.figures.palette import BLUE, GREEN, GREY, ORANGE, coloured
from moexbar.files.chip_file import chip_of
from moexbar.report.mapped import BlockRow, MappingFile
from moexbar.report.weights import WeightsRow

CROSSBARS, DIGITAL, TABLES, ELSEWHERE = (
    "on crossbars",
    "digital units multiply it",
    "looked up or element-wise",
    "folded or unused",
)
COLOURS = {CROSSBARS: BLUE, DIGITAL: GREEN, TABLES: ORANGE, ELSEWHERE: GREY}
ROLES = {"up": "experts, up", "gate": "experts, gate", "down": "experts, down", "dense": "dense"}
Row = dict[str, Any]


def weights(shown: Shown) -> Figure | None:
    """Stored numbers by where they are; None for reports of versions that did not count them."""
    found = shown.report.weights
    if found is None:
        return None
    data = list(weight_rows(found, shown.mapping))
    full = list(fill_rows(shown.mapping, chip_of(shown.report.chip))) if shown.mapping else []
    return Figure(
        "weights",
        f"Where the weights are: {found.placed_percent:.4g} % of matrices and tables on crossbars",
        f"Above: the {found.elements:,} numbers that the model file stores, those on crossbars by "
        "the role of their matrix, the others by the type of the operator that holds them. Below: "
        "cells that hold a weight, over the cells of a crossbar for each tile.",
        {"vconcat": [_bars(data), *([_full(full)] if full else [])]},
    )


def weight_rows(found: WeightsRow, mapping: MappingFile | None) -> Iterator[Row]:
    """Elements of each part, the most first among those of one place; copies count once."""
    by_role: dict[str, int] = {}
    for block in mapping.blocks if mapping else ():
        if not block.replica:
            name_ = role_of(block)
            by_role[name_] = by_role.get(name_, 0) + block.shape[0] * block.shape[1]
    if not by_role and found.crossbar:
        by_role = {"all": found.crossbar}
    parts = [(part, CROSSBARS, n, "") for part, n in sorted(by_role.items(), key=lambda p: -p[1])]
    for group in found.groups:
        where = DIGITAL if group.held == "matrix" else TABLES
        parts.append((group.operator, where, group.elements, group.reason))
    names = [part for part, *_ in parts]
    parts += [("folded", ELSEWHERE, found.folded, ""), ("unused", ELSEWHERE, found.unused, "")]
    for part, where, elements, reason in parts:
        if elements:
            share = elements / max(found.elements, 1)
            yield {
                "part": f"{part}, {where}" if names.count(part) > 1 else part,
                "where": where,
                "elements": elements,
                "share": round(share, 8),
                "why": reason,
            }


def role_of(block: BlockRow) -> str:
    """What a matrix is for, in words."""
    return "shared experts" if block.shared >= 0 else ROLES[block.role]


def fill_rows(mapping: MappingFile, chip: Chip) -> Iterator[Row]:
    """How full the crossbars of each role's tiles are, all copies counted."""
    held: dict[str, list[int]] = {}
    bits = stored_bits(mapping.blocks, chip.crossbar)
    for block in mapping.blocks:
        inputs, outputs = block.shape
        weight = Weight(block.tensor, inputs, outputs, bits=bits, format=block.format)
        sums = held.setdefault(role_of(block), [0, 0])
        sums[0] += inputs * outputs * chip.crossbar.cells(weight)
        sums[1] += block.rows * block.columns
    cells = chip.crossbar.rows * chip.crossbar.columns
    for part, (used, tiles) in held.items():
        yield {"part": part, "fill": round(used / (tiles * cells), 6), "tiles": tiles}


def stored_bits(blocks: Sequence[BlockRow], crossbar: Crossbar) -> int:
    """Bits of a weight on the crossbars: the most with which matrices have the tiles they have."""
    most = crossbar.weight_bits
    columns = {(b.shape[1], b.columns) for b in blocks if b.format == "binary"}

    def fits(bits: int) -> bool:
        side = crossbar.columns // crossbar.slices(bits)
        return side > 0 and all(-(-outputs // side) == tiles for outputs, tiles in columns)

    return next((bits for bits in range(most, 0, -1) if fits(bits)), most)


def _bars(data: list[Row]) -> Spec:
    tips = hover(
        part="part",
        where="where",
        elements="numbers|,",
        share="of all|.3%",
        why="why not on crossbars",
    )
    colour = name("where", None, scale=coloured((row["where"] for row in data), COLOURS))
    x = number("elements", "numbers", axis={"format": "~s", "tickCount": 5})
    return {
        "width": NARROW,
        "height": {"step": 20},
        "data": rows(data),
        "encoding": {"y": name("part", None), "tooltip": tips},
        "layer": [
            {
                "mark": {"type": "bar", "height": {"band": 0.72}},
                "encoding": {
                    "x": x,
                    "color": {**colour, "legend": {"orient": "top", "columns": 2}},
                },
            },
            {
                "mark": {"type": "text", "style": "aside", "align": "left", "dx": 4},
                "encoding": {"x": x, "text": number("share", "", format=".3~p")},
            },
        ],
    }


def _full(data: list[Row]) -> Spec:
    x = number(
        "fill", "cells used", scale={"domain": [0, 1]}, axis={"format": ".0%", "tickCount": 5}
    )
    return {
        "width": NARROW,
        "height": {"step": 20},
        "data": rows(data),
        "encoding": {
            "y": name("part", None),
            "tooltip": hover(part="part", fill="cells used|.2%", tiles="tiles|,"),
        },
        "layer": [
            {
                "mark": {"type": "bar", "height": {"band": 0.72}, "color": BLUE},
                "encoding": {"x": x},
            },
            {
                "mark": {"type": "text", "style": "aside", "align": "left", "dx": 4},
                "encoding": {"x": x, "text": number("fill", "", format=".1%")},
            },
        ],
    }
