"""Dies and the links between them, and what no chip of several dies can be."""

from dataclasses import replace
from typing import Any

import pytest

from ir.chip import Chip, Dies, Link
from ir.errors import InputError
from moexbar.chips import load_chip

HERMES = load_chip("hermes-mux2")
DIES = Dies(4_000_000)
LINK = Link("own", 896, 1_143, 2_000, 600, 1_540_000)


def of(dies: Dies | None, link: Link | None = LINK, base: Chip = HERMES) -> Chip:
    return replace(base, dies=dies, link=link)


def test_bandwidth_and_area_of_a_link() -> None:
    """896 bits/ns/mm over 1.143 mm: 1024 bits/ns; 1.54 mm deep: 1.760 mm2 at either end."""
    assert LINK.bits_per_ns == 1024
    assert LINK.end_um2 == 1_760_220
    assert replace(LINK, bits_per_ns_per_mm=1, edge_um=1).bits_per_ns == 1


@pytest.mark.parametrize(
    "dies",
    [
        DIES,
        Dies(858_000_000, 26_000, 33_000, count=6, columns=3),
        replace(DIES, count=5, topology="ring"),
        replace(DIES, topology="all-to-all"),
        replace(DIES, count=3, topology="table", table=((0, 2), (2, 1))),
        replace(DIES, topology="table", table=((0, 1),)),
        replace(DIES, count=1, topology="table"),
    ],
)
def test_dies_that_can_be(dies: Dies) -> None:
    assert of(dies).dies == dies


WRONG: dict[str, dict[str, Any]] = {
    "die.area: 0, expected at least 1": {"area_um2": 0},
    "die.area: -4, expected at least 1": {"area_um2": -4},
    "die.count: -1, expected at least 0": {"count": -1},
    "die: 2000 x 0 um, expected both width and height, or neither": {"width_um": 2_000},
    "die.area: 4000000 um2, but 2000 x 1999 um are 3998000; expected both to agree": {
        "width_um": 2_000,
        "height_um": 1_999,
    },
    "die.area: 1760220 um2, but the end of one link takes 1760220; expected more": {
        "area_um2": 1_760_220
    },
    "link.edge: 1143 um, expected at most a side of a die, 1000 x 1000 um": {
        "area_um2": 1_000_000,
        "width_um": 1_000,
        "height_um": 1_000,
    },
    "die.columns: 4, expected at most die.count, 3": {"count": 3, "columns": 4},
    "die.columns: 2, expected auto where die.topology is ring": {"topology": "ring", "columns": 2},
    "die.links: given, but die.topology is mesh; expected table, or no links": {
        "table": ((0, 1),),
    },
    "die.links: none, expected pairs of dies that are joined, such as [[0, 1], [1, 2]]": {
        "topology": "table"
    },
    "die.links: [2, 2] joins a die to itself, expected two dies": {
        "topology": "table",
        "table": ((0, 1), (2, 2)),
    },
    "die.links: [1, 3], expected dies from 0 to 2": {
        "topology": "table",
        "count": 3,
        "table": ((0, 1), (1, 3)),
    },
    "die.links: [-1, 0], expected dies from 0": {"topology": "table", "table": ((-1, 0),)},
    "die.links: [1, 0] given twice, expected each pair once": {
        "topology": "table",
        "table": ((0, 1), (1, 0)),
    },
    "die.links: no way from die 0 to 2, 3, expected every die to be joined": {
        "topology": "table",
        "count": 4,
        "table": ((0, 1), (2, 3)),
    },
    "die.links: no way from die 0 to 3, 4, expected every die to be joined": {
        "topology": "table",
        "table": ((0, 1), (3, 4)),
    },
}


@pytest.mark.parametrize("words", WRONG)
def test_what_no_dies_can_be(words: str) -> None:
    link = replace(LINK, um2_per_mm=0) if "link.edge" in words else LINK
    with pytest.raises(InputError) as caught:
        of(replace(DIES, **WRONG[words]), link)
    assert str(caught.value) == f"chip hermes-mux2: {words}"


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("link.bits_per_ns_per_mm: 0, expected at least 1", {"bits_per_ns_per_mm": 0}),
        ("link.edge: 0, expected at least 1", {"edge_um": 0}),
        ("link.latency: -1, expected at least 0", {"latency_ps": -1}),
        ("link.bit: -1, expected at least 0", {"bit_fj": -1}),
    ],
)
def test_what_no_link_can_be(words: str, change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=words):
        of(DIES, replace(LINK, **change))


def test_dies_and_links_go_together() -> None:
    with pytest.raises(InputError, match=r"no \[link\], .*; set link.kind$"):
        of(DIES, None)
    with pytest.raises(InputError, match=r"no \[die\], .*; set die.area$"):
        of(None)


def test_every_die_has_units_of_its_own() -> None:
    """A pool for the whole chip is on none of them; which of the two pools, the hint says."""
    units = HERMES.digital
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"dpus": 5}, "set digital.dpus_per_region, to"),
        ({"mha_units": 4}, "set digital.mha_units_per_region, to"),
        (
            {"dpus": 5, "mha_units": 4},
            "set digital.dpus_per_region and digital.mha_units_per_region, to",
        ),
    )
    for change, told in cases:
        shared = replace(HERMES, digital=replace(units, **change))
        with pytest.raises(InputError, match=f"die: the whole chip shares units, .*; {told}"):
            of(DIES, base=shared)
