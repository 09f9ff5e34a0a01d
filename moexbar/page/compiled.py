"""The page of a compilation."""

from collections.abc import Iterator, Sequence

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


KINDS_OF = {  # section: kinds of its pictures; what is in none comes last
    "assumed": ("bands",),
    "headline": ("methods",),
    "breakdown": ("time", "energy", "area"),
    "timeline": ("timeline", "timeline-window", "steps"),
    "floor": ("floorplan",),
    "experts": ("loads", "coactivation"),
    "slots": ("before-after",),
    "weights": ("weights",),
    "proofs": ("bounds",),
}


def _sections(shown: Shown) -> Iterator[Section]:
    report = shown.report
    figures = {key: _figures(shown, kinds) for key, kinds in KINDS_OF.items()}
    placed = {kind for kinds in KINDS_OF.values() for kind in kinds}
    more = _figures(shown, [kind for kind in KINDS if kind not in placed])
    yield Section("what", "What was compiled", (origin(report), lines(report.model.notes)))
    yield Section("assumed", "What is assumed", (*assumed(report), figures["assumed"]))
    yield Section("headline", "Headline figures", (*headline(report), figures["headline"]))
    told = _binds(shown), figures["breakdown"]
    yield Section("breakdown", "Time, energy, area, and what binds", told)
    yield Section("timeline", "Timeline of units", (figures["timeline"],))
    yield Section("floor", "Floor plan", (figures["floor"],))
    yield Section("experts", "Experts and their groups", (figures["experts"],))
    yield Section("slots", "Before and after scheduling", (figures["slots"],))
    held = weights(report.weights) if report.weights is not None else ()
    yield Section("weights", "Weights on and off crossbars", (*held, figures["weights"]))
    yield Section("more", "More pictures", (more,))
    yield Section("chip", "The chip's numbers", chip_numbers(report))
    yield Section("checks", "Checks that passed", checks(report))
    yield Section("proofs", "Certificates", (*certificates(report), figures["proofs"]))


def _figures(shown: Shown, kinds: Sequence[str]) -> Html:
    found = (KINDS[kind].draw(shown) for kind in kinds if kind in KINDS)
    return pictures(figure for several in found for figure in several)


def _binds(shown: Shown) -> Html:
    """What the proven bound of the time is made of, in words."""
    if shown.program is None:
        return Html()
    chip = chip_of(shown.report.chip)
    return lines(
        f"{line[0].upper()}{line[1:]}." for line in binding_lines(bound_by(shown.program, chip))
    )
