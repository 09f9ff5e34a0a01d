"""A chip at both ends of what is assumed of its areas."""

from dataclasses import replace

from ir.chip import Chip
from ir.program import Program


def area_band(program: Program, chip: Chip) -> tuple[Chip, Chip] | None:
    """The chip at both ends of what is assumed of its areas: the largest and the smallest.

    The split of a core into array and peripherals (see `_core_ends`), and the areas of digital and
    attention units. None when the preset states no band for any of them.
    """
    core = _core_ends(chip)
    dpu, mha = _band(chip, "digital.dpu_um2"), _band(chip, "digital.mha_um2")
    if core is None and dpu is None and mha is None:
        return None
    large, small = core or (chip, chip)
    if dpu is not None:
        large = replace(large, digital=replace(large.digital, dpu_um2=dpu[1]))
        small = replace(small, digital=replace(small.digital, dpu_um2=dpu[0]))
    if mha is not None:
        large = replace(large, digital=replace(large.digital, mha_um2=mha[1]))
        small = replace(small, digital=replace(small.digital, mha_um2=mha[0]))
    return large, small


def _core_ends(chip: Chip) -> tuple[Chip, Chip] | None:
    """The chip with the core that takes most area, and with the one that takes least.

    Where array and peripherals are an assumed split of a published core, so that the band of one is
    what that of the other leaves, their sum stays: the more peripherals, the less area, as
    crossbars share them. Else each part has its own band. None where the peripherals have none.
    """
    circuits, array = _band(chip, "pg.peripheral_um2"), _band(chip, "crossbar.array_um2")
    peripheral, cells = chip.pg.peripheral_um2, chip.crossbar.array_um2
    if circuits is None or peripheral is None or cells is None:
        return None
    if array is not None and array[1] == peripheral + cells - circuits[0]:
        return with_peripherals(chip, circuits[0]), with_peripherals(chip, circuits[1])
    low, high = array or (cells, cells)
    return _with_areas(chip, circuits[1], high), _with_areas(chip, circuits[0], low)


def _band(chip: Chip, path: str) -> tuple[int, int] | None:
    """Both ends of a fact, where it has them."""
    fact = next((fact for fact in chip.facts if fact.path == path), None)
    if fact is None or fact.low is None or fact.high is None:
        return None
    return int(fact.low), int(fact.high)


def with_peripherals(chip: Chip, published_um2: int) -> Chip:
    """The chip with its core split otherwise into array and peripherals; their sum stays.

    Unchanged where the areas are not published.
    """
    if chip.pg.peripheral_um2 is None or chip.crossbar.array_um2 is None:
        return chip
    whole = chip.pg.peripheral_um2 + chip.crossbar.array_um2
    return _with_areas(chip, published_um2, whole - published_um2)


def _with_areas(chip: Chip, published_um2: int, array_um2: int) -> Chip:
    return replace(
        chip,
        pg=replace(chip.pg, peripheral_um2=published_um2),
        crossbar=replace(chip.crossbar, array_um2=array_um2),
    )
