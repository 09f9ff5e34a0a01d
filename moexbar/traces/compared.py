"""The same grouping problem through several solvers: their answers side by side."""

from dataclasses import replace

from compiler.grouping import REPLICATING, LayerAnswer, window_slots
from compiler.grouping.parallel import Answers
from compiler.options import GROUPING_SOLVERS, GroupingOptions, GroupingSolver
from ir.arrays import Bools, Span
from ir.errors import InputError
from moexbar import __version__
from moexbar.report.certificates import CertificateRow
from moexbar.report.traces import ComparedLayer, CompareReport, CompareRow
from moexbar.traces.scope import Scope


def able_solvers(options: GroupingOptions, size: int) -> list[GroupingSolver]:
    """All solvers that can make the groups of `options`, of at most `size` experts."""
    able = REPLICATING if options.replicas else GROUPING_SOLVERS
    return [name for name in able if name != "matching" or size == 2]


def named_solvers(text: str) -> list[GroupingSolver]:
    """The solvers of `lpt,cp-sat`, each once; none of an empty text."""
    if not text:
        return []
    known: dict[str, GroupingSolver] = {name: name for name in GROUPING_SOLVERS}
    names = dict.fromkeys(name.strip() for name in text.split(","))
    for name in names:
        if name not in known:
            raise InputError(
                "--solvers", f"{name!r}, expected some of {', '.join(GROUPING_SOLVERS)}"
            )
    return [known[name] for name in names]


def compare_report(solved: Answers, scope: Scope, time_s: float) -> CompareReport:
    """All that is told of the answers: a row a layer and solver."""
    done = [answer for answer in solved.answers if answer is not None]
    return CompareReport(
        moexbar=__version__,
        window=scope.window,
        size=scope.size,
        seed=scope.seed,
        time_s=time_s,
        interrupted=solved.interrupted,
        layers=tuple(
            _layer(i, [a for a in done if a.grouping.layer == i], scope) for i in scope.layers
        ),
    )


def _layer(layer: int, answers: list[LayerAnswer], scope: Scope) -> ComparedLayer:
    """Rows of one layer; the best bound of any solver holds for all."""
    chosen = scope.routing.matrix(scope.routing.row(layer))
    spans = scope.score_spans()
    bound = max((a.grouping.certificate.bound for a in answers), default=None)
    rows = tuple(_row(a, chosen, spans, bound or 0) for a in answers)
    return ComparedLayer(layer, bound, rows)


def _row(answer: LayerAnswer, chosen: Bools, spans: list[Span], bound: int) -> CompareRow:
    """One solver's answer; `bound`: the best of any solver, which its gap is to."""
    grouping, known = answer.grouping, answer.grouping.certificate
    certificate = replace(
        CertificateRow.of(known), gap=(known.value - bound) / known.value if known.value else 0.0
    )
    if known.value == bound and not known.proven:
        certificate = replace(certificate, status="optimal (other solver)")
    points = answer.found.progress or ((known.seconds, known.value),)
    return CompareRow(
        solver=grouping.solver,
        certificate=certificate,
        score=int(window_slots(grouping, chosen, spans).sum()),
        groups=grouping.groups,
        progress=tuple((round(seconds, 4), value) for seconds, value in points),
    )
