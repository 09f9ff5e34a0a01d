"""What `moexbar size` prints: the model, the best without experts, what binds, the frontier."""

from collections.abc import Iterator

from moexbar.console import out, table
from moexbar.report.sized import SizedRow, SizeReport
from moexbar.report.sizes import RETICLE_MM2
from moexbar.scaling.law import short

WITHOUT = {"area": "more area", "rate": "no rate", "range": "models outside the law's range"}


def print_sized(report: SizeReport) -> None:
    """The answer and what it is beside."""
    console = out()
    shown = table(
        "model", "experts", "mux", "layers", "width", "active", "total", "loss", "mm2", left=1
    )
    for name, row in (
        ("best", report.best),
        ("no experts", report.dense),
        ("no experts, as good", report.dense_as_good),
    ):
        if row is not None:
            shown.add_row(name, *_cells(row))
    console.print(shown)
    for line in _told(report):
        console.print(line, soft_wrap=True)
    if report.frontier:
        curve = table("mm2", "experts", "mux", "layers", "width", "loss", "without experts")
        for point in report.frontier:
            mine = point.best
            dense = "-" if point.dense is None else f"{point.dense.loss:.4f}"
            size = (f"{mine.area_um2 / 1e6:,.0f}", str(mine.experts), str(mine.mux))
            curve.add_row(*size, str(mine.layers), str(mine.width), f"{mine.loss:.4f}", dense)
        console.print(curve)


def _cells(row: SizedRow) -> Iterator[str]:
    yield from (str(row.experts), str(row.mux), str(row.layers), str(row.width))
    yield short(row.active)
    yield short(row.total)
    yield f"{row.loss:.4f}"
    yield f"{row.area_um2 / 1e6:,.0f}"


def _told(report: SizeReport) -> Iterator[str]:
    best = report.best
    yield (
        f"{report.chip}: {best.area_um2 / 1e6 / RETICLE_MM2:.2g} reticles; at most "
        f"{best.most_tokens_per_s:,.0f} tokens/s; trained on {short(report.tokens)} tokens, "
        f"{best.tokens_per_active:.3g} for each active parameter, {best.training_flops:.2g} FLOPs"
    )
    parts = ", ".join(f"{name} {um2 / 1e6:,.4g}" for name, um2 in best.parts_um2.items())
    yield f"mm2: {parts}"
    if best.outside:
        yield f"OUTSIDE the law's range: {'; '.join(best.outside)}"
    for row in report.binds:
        yield f"{row.limit} binds: {row.loss:.4f} with {WITHOUT[row.limit]}"
    yield (
        f"loss in nats per token, by {report.law}; off by {report.rmse} (root mean square) on runs "
        "that the law was not fitted to"
    )
    yield f"not counted: {'; '.join(report.left_out)}"
