"""A picture of solvers at work: objective over time, one line per solver, as plain SVG."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 840, 440
LEFT, RIGHT, TOP, BOTTOM = 80, 190, 48, 56
COLOURS = (
    "#4477aa",
    "#ee6677",
    "#228833",
    "#ccbb44",
    "#66ccee",
    "#aa3377",
    "#888888",
    "#dd8452",
    "#1b5e9b",
    "#8c564b",
)
LABEL_GAP = 15  # pixels between two labels at least


@dataclass(frozen=True)
class Trail:
    """A solver's better answers, (seconds, objective) in order of time, and when it ended."""

    name: str
    points: tuple[tuple[float, int], ...]
    ended: float


@dataclass(frozen=True)
class _Scale:
    """Pixels of seconds and objective; time is linear, the objective does not start at zero."""

    longest: float
    low: float
    high: float

    def x(self, seconds: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * seconds / self.longest

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def plot(title: str, trails: Sequence[Trail], bound: int | None) -> str:
    """Draw every trail as a staircase and the bound as a dashed line; the text of an SVG file."""
    values = [value for trail in trails for _, value in trail.points]
    values += [] if bound is None else [bound]
    low, high = min(values, default=0), max(values, default=1)
    margin = max(1.0, 0.05 * (high - low))
    scale = _Scale(max([0.01, *(t.ended for t in trails)]), low - margin, high + margin)
    body = "\n".join(
        [
            *_axes(scale, title),
            *_bound(scale, bound),
            *_lines(scale, trails),
            *_labels(scale, trails),
        ]
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n{body}\n</svg>\n'
    )


def _text(x: float, y: float, words: str, anchor: str = "start", colour: str = "#333333") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
        f"{escape(words)}</text>"
    )


def _segment(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {style}/>'


def _axes(scale: _Scale, title: str) -> Iterator[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    yield _text(LEFT, TOP - 28, title)
    for step in range(5):
        seconds = scale.longest * step / 4
        yield _text(scale.x(seconds), bottom + 20, f"{seconds:.3g}", "middle")
        value = scale.low + (scale.high - scale.low) * step / 4
        y = scale.y(value)
        yield _segment(LEFT, y, right, y, 'stroke="#e5e5e5"')
        yield _text(LEFT - 8, y + 4, f"{value:.0f}", "end")
    yield _text((LEFT + right) / 2, bottom + 42, "seconds", "middle")
    yield _text(LEFT - 8, TOP - 10, "slots", "end")
    yield _segment(LEFT, bottom, right, bottom, 'stroke="#333333"')
    yield _segment(LEFT, TOP, LEFT, bottom, 'stroke="#333333"')


def _bound(scale: _Scale, bound: int | None) -> Iterator[str]:
    if bound is not None:
        y = scale.y(bound)
        style = 'stroke="#333333" stroke-dasharray="6 4"'
        yield _segment(LEFT, y, WIDTH - RIGHT, y, style)
        yield _text(LEFT + 6, y - 5, f"lower bound {bound}")


def _lines(scale: _Scale, trails: Sequence[Trail]) -> Iterator[str]:
    for number, trail in enumerate(trails):
        if not trail.points:
            continue
        colour = COLOURS[number % len(COLOURS)]
        at = [f"{scale.x(s):.1f},{scale.y(v):.1f}" for s, v in _stairs(trail)]
        yield (
            f'<polyline points="{" ".join(at)}" fill="none" stroke="{colour}" stroke-width="1.8"/>'
        )
        seconds, value = trail.points[-1]
        yield (
            f'<circle cx="{scale.x(seconds):.1f}" cy="{scale.y(value):.1f}" r="3" fill="{colour}"/>'
        )


def _stairs(trail: Trail) -> Iterator[tuple[float, int]]:
    """Corner points: a value holds until the next better one, the last until the end."""
    before: int | None = None
    for seconds, value in trail.points:
        if before is not None:
            yield seconds, before
        yield seconds, value
        before = value
    if before is not None:
        yield trail.ended, before


def _labels(scale: _Scale, trails: Sequence[Trail]) -> Iterator[str]:
    """Names at the right end, pushed apart where lines end close together."""
    ends = sorted(
        (scale.y(t.points[-1][1]), n, t.points[-1][1]) for n, t in enumerate(trails) if t.points
    )
    lowest = HEIGHT - BOTTOM - LABEL_GAP * (len(ends) - 1)
    y = 0.0
    for rank, (wanted, number, value) in enumerate(ends):
        y = max(min(wanted, lowest + LABEL_GAP * rank), y + LABEL_GAP if rank else 0.0)
        colour = COLOURS[number % len(COLOURS)]
        x = WIDTH - RIGHT
        yield _segment(x + 2, wanted, x + 16, y, f'stroke="{colour}"')
        yield _text(x + 20, y + 4, f"{trails[number].name} {value}", colour=colour)
