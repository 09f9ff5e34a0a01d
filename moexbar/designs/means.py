"""Figures of several models' programs on one chip as those of the mix."""

from collections.abc import Mapping, Sequence

from moexbar.designs.programs import Programmed, gops_per_w_mm2
from moexbar.report.designed import DesignFigures

OWN = ("peripheral groups", "arrays", "mux switches", "input buffers")  # of layers by their sizes


def mean_of(programs: Sequence[Programmed], weights: Sequence[int]) -> DesignFigures:
    """Means of the figures of programs by weights, and the area that has enough for each."""
    each = [one.figures for one in programs]
    if len(each) == 1:
        return each[0]
    time = mean([one.time_ns for one in each], weights)
    rate = 1 / mean([1 / one.tokens_per_s for one in each], weights)
    area = area_of([one.area_um2 for one in programs])
    energies = [one.energy_nj for one in each if one.energy_nj is not None]
    if len(energies) < len(each):
        return DesignFigures(time, rate, area, None)
    energy, macs = mean(energies, weights), mean([one.macs for one in programs], weights)
    dense = gops_per_w_mm2(macs, energy * 1e6, area)
    return DesignFigures(time, rate, area, energy, energy / time, dense)


def mean(numbers: Sequence[float], weights: Sequence[int]) -> float:
    """By weights."""
    return sum(w * n for w, n in zip(weights, numbers, strict=True)) / sum(weights)


def area_of(areas: Sequence[Mapping[str, int]]) -> int:
    """Of what layers hold that of the model that has most of it, of all else the most of each."""
    own = max(sum(area.get(kind, 0) for kind in OWN) for area in areas)
    kinds = {kind for area in areas for kind in area if kind not in OWN}
    return own + sum(max(area.get(kind, 0) for area in areas) for kind in kinds)
