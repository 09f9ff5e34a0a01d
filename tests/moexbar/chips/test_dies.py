"""Tables [die] and [link] of a chip file, and set on the command line."""

from pathlib import Path
from typing import Any

import pytest

from ir.chip import Change, Dies
from ir.errors import InputError
from moexbar.bands.assumptions import assumptions, with_numbers
from moexbar.chips import change_chip, changed_chip, load_chip, preset_names
from moexbar.chips.dies import resized

SMALL = {"die.area_mm2": "4", "link.kind": "ucie-2.5d"}
OWN_UNITS = {"digital.dpus_per_region": "auto", "digital.mha_units_per_region": "auto"}
SHARED = ("ibm-3dcim", "neurosim", "paper", "tiny")


def write(tmp_path: Path, text: str, name: str = "my") -> Path:
    path = tmp_path / f"{name}.toml"
    path.write_text('extends = "hermes-mux2"\n' + text, encoding="utf-8")
    return path


def refused(tmp_path: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        load_chip(write(tmp_path, text))
    return str(caught.value).replace(str(tmp_path) + "/", "")


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_has_one_die_until_dies_are_set(name: str) -> None:
    chip = load_chip(name)
    assert (chip.dies, chip.link) == (None, None)
    if name in SHARED:
        with pytest.raises(InputError) as caught:
            changed_chip(name, SMALL, "--set ")
        assert str(caught.value) == (
            "--set die.area_mm2=4 --set link.kind=ucie-2.5d: die: the whole chip shares units, "
            "expected each region to have its own; set digital.dpus_per_region and "
            "digital.mha_units_per_region, to auto or a number"
        )
    several = load_chip(name, SMALL | (OWN_UNITS if name in SHARED else {}))
    assert several.dies == Dies(4_000_000)
    assert several.link is not None
    assert several.link.kind == "ucie-2.5d"


def test_a_file_with_every_field(tmp_path: Path) -> None:
    text = """
[die]
area_mm2 = { value = 858, source = "a reticle", low = 800, high = 858 }
width_mm = 26
height_mm = 33
count = { value = 3, assumed = true, why = "a choice" }
topology = "table"
links = { value = [[0, 1], [2, 1]], source = "a drawing" }

[link]
bits_per_ns_per_mm = 1000
edge_mm = 2
latency_ns = 1.5
bit_pj = { value = 0.25, source = "mine" }
um2_per_mm = 1500000
"""
    chip = load_chip(write(tmp_path, text))
    table = ((0, 1), (2, 1))
    assert chip.dies == Dies(858_000_000, 26_000, 33_000, 3, "table", 0, table)
    assert chip.link is not None
    assert (chip.link.kind, chip.link.bits_per_ns, chip.link.end_um2) == ("own", 2_000, 3_000_000)
    assert (chip.link.latency_ps, chip.link.bit_fj) == (1_500, 250)
    facts = {fact.path: fact for fact in chip.facts}
    assert (facts["die.links"].text, facts["die.links"].source) == ("0-1, 2-1", "a drawing")
    assert (facts["die.area_um2"].low, facts["die.area_um2"].assumed) == (800e6, False)
    assert facts["die.width_um"].assumed


def test_sides_give_the_area() -> None:
    chip = load_chip(
        "hermes", {"die.width_mm": "26", "die.height_mm": "33", "link.kind": "ucie-2d"}
    )
    assert chip.dies == Dies(858_000_000, 26_000, 33_000)
    fact = next(fact for fact in chip.facts if fact.path == "die.area_um2")
    assert (fact.text, fact.source, fact.assumed) == ("858 mm2", "width x height of the die", True)


def test_a_size_takes_the_place_of_an_inherited_one(tmp_path: Path) -> None:
    """Sides drop the area, the area drops the sides, whichever was said below."""
    sides = "[die]\nwidth_mm = 26\nheight_mm = 33\n[link]\nkind = 'ucie-2d'\n"
    base = write(tmp_path, sides)
    smaller = load_chip(base, {"die.area_mm2": "400"})
    assert smaller.dies == Dies(400_000_000)
    assert not {"die.width_um", "die.height_um"} & {fact.path for fact in smaller.facts}
    narrow = load_chip(base, {"die.width_mm": "13"})
    assert narrow.dies == Dies(429_000_000, 13_000, 33_000)
    squared = change_chip(smaller, {"die.width_mm": "10", "die.height_mm": "10"})
    assert squared.dies == Dies(100_000_000, 10_000, 10_000)
    assert squared.changes == (Change("die.width_mm", "10"), Change("die.height_mm", "10"))
    assert "die.area_um2" not in {fact.path for fact in squared.facts}
    assert change_chip(squared, {"die.area_mm2": "5"}).dies == Dies(5_000_000)
    assert change_chip(squared, {"die.count": "4"}).dies == Dies(100_000_000, 10_000, 10_000, 4)


def test_dies_are_set_on_a_chip_that_has_none() -> None:
    chip = change_chip(load_chip("hermes"), SMALL | {"die.count": "4"})
    assert chip.dies == Dies(4_000_000, count=4)
    assert chip.link == load_chip("hermes", SMALL).link
    with pytest.raises(InputError, match="die: missing area_um2 or area_mm2; state the area, or"):
        change_chip(load_chip("hermes"), {"die.count": "4", "link.kind": "board"})
    with pytest.raises(InputError, match=r"die\.width_mm alone, expected width and height"):
        change_chip(load_chip("hermes"), SMALL | {"die.width_mm": "2"})


def test_another_kind_of_link_takes_the_place_of_its_numbers() -> None:
    chip = load_chip("hermes", SMALL | {"die.area_mm2": "858", "link.edge_mm": "1"})
    assert chip.link is not None
    assert chip.link.bits_per_ns == 5_268  # 5268 bits a ns in a millimetre, of one millimetre
    other = change_chip(chip, {"link.kind": "board"})
    assert other.link is not None
    assert other.link.bits_per_ns == 400
    assert [change.key for change in other.changes] == ["die.area_mm2", "link.kind"]


@pytest.mark.parametrize("links", ["0-1,1-2", " 0-1 , 1-2 "])
def test_links_of_a_table_in_a_word(links: str) -> None:
    words = SMALL | {"die.topology": "table", "die.count": "3", "die.links": links}
    chip = load_chip("hermes", words)
    assert chip.dies is not None
    assert chip.dies.table == ((0, 1), (1, 2))


LINK = "\n[link]\nkind = 'ucie-2.5d'\n"
PAIRS = "expected pairs of dies, such as [[0, 1], [1, 2]]"
TABLE = "[die]\narea_mm2 = 4\ntopology = 'table'\nlinks = "
WRONG = {
    "no area": ("[die]\ncount = 4", "die: missing area_um2 or area_mm2; state the area, or width"),
    "area 0": ("[die]\narea_mm2 = 0", "die.area: 0, expected at least 1"),
    "area below 0": ("[die]\narea_mm2 = -4", "die.area_mm2: found -4, expected at least 0"),
    "area in a wrong unit": (
        "[die]\narea_mm = 4",
        "die.area_mm: mm is a unit of length, expected a unit of area: area_um2, area_mm2",
    ),
    "one side": (
        "[die]\nwidth_mm = 26",
        "die.width_mm alone, expected width and height, or the area",
    ),
    "a side of 0": (
        "[die]\nwidth_mm = 0\nheight_mm = 33",
        "die.width_mm: found 0, expected at least 1",
    ),
    "sides against area": (
        "[die]\nwidth_mm = 26\nheight_mm = 33\narea_mm2 = 800",
        "die.area: 800000000 um2, but 26000 x 33000 um are 858000000; expected both to agree",
    ),
    "no dies": ("[die]\narea_mm2 = 4\ncount = 0", "die.count: found 0, expected at least 1"),
    "too many dies": (
        "[die]\narea_mm2 = 4\ncount = 20000",
        "die.count: found 20000, expected at most 10000",
    ),
    "half a die": (
        "[die]\narea_mm2 = 4\ncount = 1.5",
        "die.count: found 1.5, expected a whole number",
    ),
    "more columns than dies": (
        "[die]\narea_mm2 = 4\ncount = 2\ncolumns = 3",
        "die.columns: 3, expected at most die.count, 2",
    ),
    "another topology": (
        "[die]\narea_mm2 = 4\ntopology = 'torus'",
        'die.topology: found "torus", expected "mesh" or "ring" or "all-to-all" or "table"',
    ),
    "links of a mesh": (
        "[die]\narea_mm2 = 4\nlinks = [[0, 1]]",
        "die.links: given, but die.topology is mesh; expected table, or no links",
    ),
    "links that are none": (TABLE + "3", f"die.links: found 3, {PAIRS}"),
    "a link of three": (TABLE + "[[0, 1, 2]]", f"die.links: found [0, 1, 2], {PAIRS}"),
    "a flag in a link": (TABLE + "[[true, 1]]", f"die.links: found [True, 1], {PAIRS}"),
    "a fraction in a link": (
        TABLE + "[[0.5, 1]]",
        f"die.links: found [Decimal('0.5'), 1], {PAIRS}",
    ),
    "a word that is no link": (TABLE + "'0-1,2'", f"die.links: found 2, {PAIRS}"),
    "a die below 0": (
        TABLE + "[[-1, 0]]",
        "die.links: found [-1, 0], expected dies from 0 to 9999",
    ),
    "a die of a number beyond": (
        TABLE + "[[0, 1000000]]",
        "die.links: found [0, 1000000], expected dies from 0 to 9999",
    ),
    "a die joined to itself": (
        TABLE + "[[1, 1]]",
        "die.links: [1, 1] joins a die to itself, expected two dies",
    ),
    "a die that is not there": (
        TABLE + "[[0, 4]]\ncount = 2",
        "die.links: [0, 4], expected dies from 0 to 1",
    ),
    "dies apart": (
        TABLE + "[[0, 1]]\ncount = 3",
        "die.links: no way from die 0 to 2, expected every die to be joined",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_dies(tmp_path: Path, case: str) -> None:
    text, words = WRONG[case]
    assert refused(tmp_path, text + LINK).startswith(f"my.toml: {words}")


def test_wrong_links(tmp_path: Path) -> None:
    die = "[die]\narea_mm2 = 4\n"
    assert refused(tmp_path, die) == (
        "my.toml: no [link], expected both [die] and [link], or neither; set link.kind"
    )
    assert refused(tmp_path, LINK) == (
        "my.toml: no [die], expected both [die] and [link], or neither; set die.area"
    )
    assert refused(tmp_path, die + "[link]\nedge_mm = 1").startswith(
        "my.toml: link: missing bits_per_ns_per_mm; set link.kind, or state all numbers of a link"
    )
    assert refused(tmp_path, die + "[link]\nkind = 'pcie'").startswith(
        'my.toml: link.kind: found "pcie", expected "own" or "ucie-2d" or "ucie-2.5d" or "ucie-3d"'
    )
    assert refused(tmp_path, die + LINK + "edge_mm = 0") == (
        "my.toml: link.edge: 0, expected at least 1"
    )
    assert refused(tmp_path, die + "[link]\nkind = 'hypertransport'") == (
        "my.toml: die.area: 4000000 um2, but the end of one link takes 5720000; expected more"
    )


def test_numbers_with_a_band_move(tmp_path: Path) -> None:
    """A side moves the area with it; the area alone drops the sides."""
    text = """
[die]
width_mm = { value = 26, low = 20, high = 26, source = "mine" }
height_mm = 33
[link]
kind = "ucie-2.5d"
"""
    chip = load_chip(write(tmp_path, text))
    moved = {one.path: one for one in assumptions(chip)}
    assert moved["die.width_um"].effect == moved["link.um2_per_mm"].effect == "place"
    assert moved["link.bit_fj"].effect == "time"
    numbers = {"die.width_um": 20_000, "link.bit_fj": 500}
    other = with_numbers(chip, numbers)
    assert other.dies == Dies(660_000_000, 20_000, 33_000)
    assert other.link is not None
    assert other.link.bit_fj == 500


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ({"area_um2": 9}, Dies(9)),
        ({"width_um": 4}, Dies(12, 4, 3)),
        ({"area_um2": 20, "width_um": 4, "height_um": 5}, Dies(20, 4, 5)),
        ({"columns": 2}, Dies(6, 2, 3, columns=2)),
    ],
)
def test_resized(new: dict[str, Any], expected: Dies) -> None:
    assert resized(Dies(6, 2, 3), new) == expected
