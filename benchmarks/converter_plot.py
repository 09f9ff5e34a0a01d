"""The picture of `benchmarks.converter_sweep`: a panel for each chip and setting, as plain SVG."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log2

WIDE, HIGH, LEFT, TOP, RIGHT, BOTTOM = 300, 210, 46, 34, 14, 40
LEGEND = 30
COLOURS = {"time": "#4477aa", "energy": "#ee6677", "area": "#228833"}
MARKS = {"time": "", "energy": "6 3", "area": "2 3"}


@dataclass(frozen=True)
class Panel:
    """Lines over the values of a setting, as multiples of those at `own`; `best` is marked."""

    title: str
    values: Sequence[int]
    lines: Mapping[str, Sequence[float]]
    own: int
    best: int


def picture(rows: Sequence[Sequence[Panel]]) -> str:
    """Rows of panels: the text of an SVG file."""
    width, height = max(map(len, rows)) * WIDE, len(rows) * HIGH + LEGEND
    body = [*_legend()]
    for row, panels in enumerate(rows):
        for column, panel in enumerate(panels):
            x, y, inner = column * WIDE, row * HIGH + LEGEND, "\n".join(_panel(panel))
            body.append(f'<g transform="translate({x},{y})">{inner}</g>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">\n'
        f'<rect width="{width}" height="{height}" fill="white"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _legend() -> Iterator[str]:
    for number, (name, colour) in enumerate(COLOURS.items()):
        x = LEFT + 90 * number
        yield _line(x, 18, x + 26, 18, f'stroke="{colour}" stroke-width="2" {_dash(name)}')
        yield _text(x + 32, 22, name)
    x = LEFT + 90 * len(COLOURS)
    yield _text(x, 22, "over the preset's own setting (grey); ring: most GOPS/W/mm2")


def _panel(panel: Panel) -> Iterator[str]:
    every = [value for line in panel.lines.values() for value in line]
    low, high = floor(log2(min(every))), ceil(log2(max(every)))
    high += high == low
    right, bottom = WIDE - RIGHT, HIGH - BOTTOM
    step = (right - LEFT) / max(1, len(panel.values) - 1)

    def x(number: int) -> float:
        return LEFT + step * number

    def y(value: float) -> float:
        return bottom - (bottom - TOP) * (log2(value) - low) / (high - low)

    yield _text(LEFT, TOP - 12, panel.title)
    for power in range(low, high + 1, max(1, (high - low + 3) // 4)):
        at = y(2.0**power)
        yield _line(LEFT, at, right, at, 'stroke="#e5e5e5"')
        yield _text(LEFT - 6, at + 4, f"{2.0**power:g}", "end")
    yield _line(LEFT, bottom, right, bottom, 'stroke="#333333"')
    for number, value in enumerate(panel.values):
        if value == panel.own:
            yield _line(x(number), TOP, x(number), bottom, 'stroke="#bbbbbb" stroke-width="4"')
        yield _text(x(number), bottom + 20, f"{value}", "middle")
    for name, line in panel.lines.items():
        at_points = " ".join(f"{x(n):.1f},{y(v):.1f}" for n, v in enumerate(line))
        style = f'fill="none" stroke="{COLOURS[name]}" stroke-width="2" {_dash(name)}'
        yield f'<polyline points="{at_points}" {style}/>'
    best = panel.values.index(panel.best)
    yield (
        f'<circle cx="{x(best):.1f}" cy="{bottom + 16}" r="10" fill="none" stroke="#333333" '
        f'stroke-width="1.5"/>'
    )


def _dash(name: str) -> str:
    return f'stroke-dasharray="{MARKS[name]}"' if MARKS[name] else ""


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {style}/>'


def _text(x: float, y: float, words: str, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#333333">'
        f"{escape(words)}</text>"
    )
