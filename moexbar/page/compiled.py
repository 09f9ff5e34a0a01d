"""The page of a compilation."""

from collections.abc import Callable, Iterator

from backends.binding import binding_lines, bound_by
from moexbar import __version__
from moexbar.figures.figure import Shown
from moexbar.figures.kinds import KINDS
from moexbar.files.chip_file import chip_of
from moexbar.page.document import Page, Section
from moexbar.page.headline import headline
from moexbar.page.html import Html
from moexbar.page.parts import lines, pictures
from moexbar.page.proofs import assumed, certificates, checks, chip_numbers, origin, weights

Draw = Callable[..., Html]


def compiled_page(shown: Shown) -> Page:
    """All that is told of a compilation, the most asked for first."""
    report = shown.report
    return Page(
        title=f"{report.model.name} on {report.chip.summary.name}",
        over="Compiled for a crossbar chip",
        under=f"{report.chip.summary.description}.",
        written=f"Written by moexbar {__version__} from an output of moexbar {report.moexbar}.",
        sections=tuple(one for one in _sections(shown) if any(one.body)),
    )


def _sections(shown: Shown) -> Iterator[Section]:
    report, figures = shown.report, _Figures(shown)
    yield Section("what", "What was compiled", (origin(report), lines(report.model.notes)))
    yield Section("assumed", "What is assumed", (*assumed(report), figures("bands")))
    yield Section("headline", "Headline figures", (*headline(report), figures("methods")))
    yield Section("breakdown", "Time, energy and area", (figures("time", "energy", "area"),))
    yield Section("binds", "What binds", (_binds(shown), figures("bounds")))
    yield Section("timeline", "Timeline of units", (figures("timeline"),))
    yield Section("floor", "Floor plan", (figures("floor"),))
    yield Section("experts", "Experts", (figures("load", "together"),))
    yield Section("slots", "Before and after scheduling", (figures("slots"),))
    if report.weights is not None:
        yield Section("weights", "Weights on and off crossbars", (*weights(report.weights),))
    yield Section("chip", "The chip's numbers", chip_numbers(report))
    yield Section("checks", "Checks that passed", checks(report))
    yield Section("proofs", "Certificates", certificates(report))


class _Figures:
    """The pictures of some kinds, each drawn once."""

    def __init__(self, shown: Shown) -> None:
        self.shown = shown

    def __call__(self, *kinds: str) -> Html:
        found = (KINDS[kind].draw(self.shown) for kind in kinds if kind in KINDS)
        return pictures(figure for figures in found for figure in figures)


def _binds(shown: Shown) -> Html:
    """What the proven bound of the time is made of, in words."""
    if shown.program is None:
        return Html()
    chip = chip_of(shown.report.chip)
    return lines(
        f"{line[0].upper()}{line[1:]}." for line in binding_lines(bound_by(shown.program, chip))
    )
