"""What a picture is, and what those of a compilation are drawn from."""

from dataclasses import dataclass
from typing import Any

from ir.program import Program
from ir.routing import Routing
from moexbar.report.compiled import Report
from moexbar.report.mapped import MappingFile

Spec = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """One picture.

    kind: by which it is asked for; title, caption: what is seen, in which units and under which
    assumptions, for one who has nothing else before him. spec: in Vega-Lite 6, with its data, but
    without what all pictures have in common (schema, theme, fonts, background), which whoever draws
    it adds. wide: it wants the width of a page.
    """

    kind: str
    title: str
    caption: str
    spec: Spec
    wide: bool = False

    def _repr_svg_(self) -> str | None:
        """For a notebook: the picture; nothing where what draws is not installed."""
        from moexbar.figures.draw import can_draw, draw  # which draws figures

        return draw(self, "svg").decode() if can_draw() else None


@dataclass(frozen=True, eq=False)
class Shown:
    """A compilation as pictures see it: what its output folder holds, model and chip file apart.

    mapping, program, routing: None where the folder was written without.
    """

    report: Report
    mapping: MappingFile | None
    program: Program | None
    routing: Routing | None
