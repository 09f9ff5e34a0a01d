"""A picture of settings and what they cost a model's perplexity: panels side by side, as SVG."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, GAP, TOP, BOTTOM = 840, 400, 64, 72, 64, 56
PANEL = (WIDTH - LEFT - GAP - 24) / 2
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44")
LEAST = 0.002  # the logarithmic axis begins there


@dataclass(frozen=True)
class Line:
    """One line: (setting, changes of the seeds) in the order of the settings."""

    name: str
    points: Sequence[tuple[int, Sequence[float]]]


@dataclass(frozen=True)
class Panel:
    """Lines over the same settings, which stand at equal distances."""

    label: str
    settings: Sequence[int]
    lines: Sequence[Line]


def plot(title: str, panels: Sequence[Panel]) -> str:
    """The text of an SVG file: two panels with one logarithmic axis of changes."""
    changes = [
        c for panel in panels for line in panel.lines for _, each in line.points for c in each
    ]
    top = 10 ** math.ceil(math.log10(max([*changes, 0.1])))
    body = [_text(LEFT, 22, title)]
    for number, panel in enumerate(panels):
        left = LEFT + number * (PANEL + GAP)
        body += [*_axes(panel, left, top), *_lines(panel, left, top)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _text(x: float, y: float, words: str, anchor: str = "start", colour: str = "#333333") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
        f"{escape(words)}</text>"
    )


def _segment(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _x(panel: Panel, left: float, setting: int) -> float:
    step = PANEL / len(panel.settings)
    return left + step * (panel.settings.index(setting) + 0.5)


def _y(change: float, top: float) -> float:
    part = math.log(max(change, LEAST) / LEAST) / math.log(top / LEAST)
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part


def _axes(panel: Panel, left: float, top: float) -> Iterator[str]:
    right, bottom = left + PANEL, HEIGHT - BOTTOM
    exponents = range(-3, round(math.log10(top)) + 1)
    ticks = [n * 10.0**e for e in exponents for n in (1, 2, 5)]
    for tick in (t for t in ticks if LEAST <= t <= top):
        y = _y(tick, top)
        yield _segment(left, y, right, y, "#e5e5e5")
        yield _text(left - 6, y + 4, f"+{100 * tick:g} %", "end")
    for setting in panel.settings:
        yield _text(_x(panel, left, setting), bottom + 18, str(setting), "middle")
    yield _text(left + PANEL / 2, bottom + 40, panel.label, "middle")
    yield _segment(left, bottom, right, bottom, "#333333")
    yield _segment(left, TOP, left, bottom, "#333333")


def _lines(panel: Panel, left: float, top: float) -> Iterator[str]:
    """Means joined, with a bar over the range of the seeds; names above the panel."""
    for number, line in enumerate(panel.lines):
        colour = COLOURS[number % len(COLOURS)]
        at = [
            (_x(panel, left, setting) + 4 * (number - 1), sum(each) / len(each), each)
            for setting, each in line.points
        ]
        joined = " ".join(f"{x:.1f},{_y(mean, top):.1f}" for x, mean, _ in at)
        yield f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="1.8"/>'
        for x, mean, each in at:
            yield _segment(x, _y(min(each), top), x, _y(max(each), top), colour)
            yield f'<circle cx="{x:.1f}" cy="{_y(mean, top):.1f}" r="3" fill="{colour}"/>'
        yield _text(left + 124 * number, TOP - 14, line.name, colour=colour)
