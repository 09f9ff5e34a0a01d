"""Experts grouped by load counts, which say how many tokens each took and not which."""

from dataclasses import dataclass

from compiler.grouping import Counted, Job
from compiler.options import GroupingOptions, SolverOptions
from ir.chip import Chip
from ir.load import Load
from ir.mapping import LayerGrouping
from moexbar.efficiency.tile_area import tile_area_um2
from moexbar.report.certificates import CertificateRow
from moexbar.report.traces import LoadGroupRow


@dataclass(frozen=True, eq=False)
class LoadScope:
    """Counts, their layers to group, and what is asked of the groups.

    mux: experts that a group of the chip holds.
    """

    load: Load
    layers: tuple[int, ...]
    mux: int
    options: GroupingOptions

    @classmethod
    def of(
        cls, load: Load, chip: Chip, options: GroupingOptions, layer: int | None = None
    ) -> "LoadScope":
        """One layer or all; InputError for a layer that is not there."""
        if layer is not None:
            load.of(layer)
        layers = tuple(load.layer.tolist()) if layer is None else (layer,)
        return cls(load, layers, chip.pg.mux, options)

    @property
    def size(self) -> int:
        """Experts in a group at most."""
        return self.options.size or self.mux

    def jobs(self, limits: SolverOptions) -> list[Job]:
        """Every layer, to be solved by the solver of the options."""
        fits = [Counted(self.load.of(layer)) for layer in self.layers]
        return [
            Job(layer, fit, self.mux, self.options, limits, fit.costs)
            for layer, fit in zip(self.layers, fits, strict=True)
        ]


def load_group_row(found: LayerGrouping, scope: LoadScope, chip: Chip) -> LoadGroupRow:
    """The groups of a layer, their area, how even they are, and the proof."""
    pairs = int(scope.load.of(found.layer).sum())
    columns, largest = found.experts + found.replicas, found.certificate.value
    return LoadGroupRow(
        layer=found.layer,
        groups=found.groups,
        solver=found.solver,
        replicas=found.replicas,
        columns=columns,
        area_um2=tile_area_um2(chip, len(found.groups), columns, scope.size),
        pairs=pairs,
        largest_over_mean=largest * len(found.groups) / pairs if pairs else 1.0,
        certificate=CertificateRow.of(found.certificate),
    )
