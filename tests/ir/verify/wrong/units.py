"""Units that the chip and the mapping do not have, and instructions on units of another kind."""

from dataclasses import replace
from typing import Any

import numpy as np

from ir.compiled import Compiled
from ir.program import Lists, Opcode
from tests.ir.verify.wrong.edits import Corrupt, Tables, edited, with_unit
from tests.ir.verify.wrong.find import routed, rows
from tests.ir.verify.wrong.programs import base


def unit_with_a_pg_less(c: Compiled) -> Compiled:
    at = next(i for i, u in enumerate(c.program.units) if u.kind == "group")
    units = list(c.program.units)
    units[at] = replace(units[at], pgs=units[at].pgs - 1)
    return replace(c, program=replace(c.program, units=tuple(units)))


def a_bus_for_wider_vectors(c: Compiled) -> Compiled:
    return bus_with(c, width=9999)


def a_bus_past_more_cores(c: Compiled) -> Compiled:
    return bus_with(c, rows=9)


def bus_with(c: Compiled, **sizes: Any) -> Compiled:
    first, *others = c.program.units
    assert first.kind == "bus"
    return replace(c, program=replace(c.program, units=(replace(first, **sizes), *others)))


def a_return_link_of_more_lanes(c: Compiled) -> Compiled:
    bus, link, *others = c.program.units
    assert link.kind == "return"
    wide = replace(link, lanes=link.lanes + 1)
    return replace(c, program=replace(c.program, units=(bus, wide, *others)))


def a_digital_unit_too_many(c: Compiled) -> Compiled:
    spare = replace(c.program.units[-1], kind="dpu", name="spare")
    return replace(c, program=replace(c.program, units=(*c.program.units, spare)))


def unit(name: str, of: str, /, **changes: Any) -> Corrupt:
    """The last unit of a kind with other fields."""

    def corrupt(c: Compiled) -> Compiled:
        at = max(i for i, u in enumerate(c.program.units) if u.kind == of)
        return with_unit(c, at, **changes)

    corrupt.__name__ = name
    return corrupt


def without_unit(kind: str) -> Corrupt:
    """The last unit of a kind is none: what ran there runs on the one before it."""

    def corrupt(c: Compiled) -> Compiled:
        p = c.program
        at = max(i for i, u in enumerate(p.units) if u.kind == kind)
        units = (*p.units[:at], *p.units[at + 1 :])

        def moved(column: Any) -> Any:
            return column - (column >= at) if at else np.maximum(column - 1, 0)

        dst = Lists(p.dst.offsets, moved(p.dst.values))
        src = np.where(p.src >= 0, moved(p.src), p.src)
        return replace(c, program=replace(p, units=units, unit=moved(p.unit), src=src, dst=dst))

    corrupt.__name__ = f"without_a_{kind}"
    return corrupt


def unit_twice(kind: str) -> Corrupt:
    """One more unit like the last of a kind, under a name of its own."""

    def corrupt(c: Compiled) -> Compiled:
        spare = replace(next(u for u in reversed(c.program.units) if u.kind == kind), name="spare")
        return replace(c, program=replace(c.program, units=(*c.program.units, spare)))

    corrupt.__name__ = f"one_{kind}_more"
    return corrupt


def two_units_of_a_name(c: Compiled) -> Compiled:
    *_, one, _ = c.program.units
    return with_unit(c, len(c.program.units) - 1, name=one.name)


def digital_unit_of_a_region_besides(c: Compiled) -> Compiled:
    """Beside those that all regions share."""
    spare = replace(next(u for u in c.program.units if u.kind == "dpu"), name="spare", layer=0)
    return replace(c, program=replace(c.program, units=(*c.program.units, spare)))


def norm_on_an_attention_unit(c: Compiled) -> Compiled:
    mha = next(i for i, u in enumerate(c.program.units) if u.kind == "mha")
    return edited(c, "unit", rows(c.program, Opcode.NORM)[0], mha)


def mvm_on_the_second_stage(c: Compiled) -> Compiled:
    p = c.program
    second = routed(p, Opcode.MVM, stage=1, layer=0)[0]
    return edited(c, "unit", routed(p, Opcode.MVM, stage=0, layer=0)[0], p.unit[second])


def sums_on_a_digital_unit(c: Compiled) -> Compiled:
    """Where peripheral groups have adders."""
    at = next(i for i, u in enumerate(c.program.units) if u.kind == "dpu")
    return edited(c, "unit", rows(c.program, Opcode.ACC)[0], at)


def crossing_on_a_chip_of_one_die(c: Compiled) -> Compiled:
    return edited(c, "opcode", rows(c.program, Opcode.NORM)[0], Opcode.CROSS)


TABLES: Tables = [
    (
        base,
        [
            ("units", unit_with_a_pg_less),
            ("units", a_bus_for_wider_vectors),
            ("units", a_bus_past_more_cores),
            ("units", a_return_link_of_more_lanes),
            ("units", a_digital_unit_too_many),
            ("units", unit("group_of_pgs_before_its_own", "group", first_pg=0)),
            ("units", unit("group_with_less_input", "group", input_bytes=1)),
            ("units", unit("group_that_no_mapping_has", "group", group=99)),
            ("units", unit("adders_that_no_mapping_has", "acc", group=99)),
            ("units", unit("way_that_no_mapping_has", "link", group=99)),
            ("units", unit("unit_of_a_kind_that_is_none", "acc", kind="adder")),
            ("units", unit("bus_with_a_group", "bus", group=0)),
            ("units", unit("adders_with_pgs", "acc", pgs=1)),
            ("units", unit("digital_unit_for_two", "dpu", units=2)),
            ("units", unit("digital_unit_of_a_region_that_shares_them", "dpu", layer=0, units=0)),
            ("units", unit("adders_for_two", "acc", units=2)),
            ("units", two_units_of_a_name),
            ("units", digital_unit_of_a_region_besides),
            *(
                ("units", without_unit(kind))
                for kind in ("group", "bus", "return", "mesh", "dpu", "mha", "dram")
            ),
            *(
                ("units", unit_twice(kind))
                for kind in "group acc link bus return mesh dpu mha dram".split()
            ),
            ("opcode-unit", norm_on_an_attention_unit),
            ("opcode-unit", mvm_on_the_second_stage),
            ("opcode-unit", sums_on_a_digital_unit),
            ("opcode-unit", crossing_on_a_chip_of_one_die),
        ],
    ),
]
