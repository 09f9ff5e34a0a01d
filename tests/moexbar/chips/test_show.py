"""What `moexbar chips` prints."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from moexbar.chips import load_chip, preset_names
from moexbar.chips.fields import SCHEMA, TABLES
from moexbar.chips.sheet import chip_sheet, summary
from moexbar.chips.show import describe, overview
from moexbar.report.plain import as_json

ONE_DIE = {name: fields for name, fields in SCHEMA.items() if not TABLES[name].optional}
RETICLES = {
    "die.width_mm": "26",
    "die.height_mm": "33",
    "die.topology": "table",
    "die.links": "0-1,1-2",
    "link.kind": "ucie-2.5d",
}


def printed(renderable: RenderableType, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(renderable)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_table_of_presets() -> None:
    text = printed(overview([load_chip(name) for name in preset_names()]))
    assert max(map(len, text.splitlines())) <= 100
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    assert rows["hermes"][1:7] == ["256x256", "1", "130", "12.5", "508000*", "127000*"]
    assert rows["ibm-3dcim"][1:7] == ["512x512", "8", "100", "10", "n/p", "n/p"]
    assert rows["isaac"][1:7] == ["128x128", "1", "1600", "4.816", "1256", "25"]


@pytest.mark.parametrize("name", preset_names())
def test_one_chip_shows_every_field(name: str) -> None:
    text = printed(describe(load_chip(name)))
    assert max(map(len, text.splitlines())) <= 100
    for fields in ONE_DIE.values():
        for field in fields:
            assert any(f"{field.table}.{key} " in text for key in field.keys), field.path


def test_values_units_bands_and_marks() -> None:
    lines = [" ".join(line.split()) for line in printed(describe(load_chip("hermes"))).splitlines()]
    assert "mvm.read_ns 130 ns Khaddam-Aljameh et al., JSSC 2022" in lines
    assert any(line.startswith("pg.mux_settle_ns 0 ns * no published") for line in lines)
    assert any(line.startswith("0 to 10 ns ") for line in lines)
    assert any(line.startswith("memory.region_buffer_bytes auto *") for line in lines)
    assert any(line.startswith("digital.dpu_mm2 1.25 mm2 * assumed by") for line in lines)
    assert any(line.startswith("0.16 to 2.5 mm2 ") for line in lines)
    assert any(line.startswith("digital.dpus_per_region auto *") for line in lines)
    assert any(line.startswith("digital.dpus not set") for line in lines)
    paper = printed(describe(load_chip("paper")))
    assert " ".join(paper.split()).count("digital.dpu_um2 not published") == 1
    chip = load_chip("hermes")
    assert lines[-1].startswith(f"{len(chip.assumed)} of {len(chip.facts)} values assumed")


def test_json_holds_every_field_in_internal_units() -> None:
    chip = load_chip("hermes-mux4", {"mvm.read_us": "0.2"})
    data = json.loads(json.dumps(as_json(chip_sheet(chip))))
    assert list(data["fields"]) == [f.path for fields in ONE_DIE.values() for f in fields]
    assert data["fields"]["mvm.read_ps"] == {
        "value": 200_000,
        "written": "0.2 us",
        "source": "set on the command line",
        "assumed": True,
        "low": None,
        "high": None,
    }
    assert data["fields"]["write.row_ps"]["value"] is None
    assert (data["name"], data["mux"], data["mvm_ps"]) == ("hermes-mux4", 4, 200_000)


def test_summary_names_the_citation_alone() -> None:
    assert summary(load_chip("hermes-4phase")).source == "Le Gallo et al., Nature Electronics 2023"


def test_markup_in_a_users_file_is_text(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text(
        'extends = "hermes"\ndescription = "[red]x[/red]"\n'
        '[pg]\nmux = { value = 2, source = "[link=http://x]y[/link]" }'
    )
    text = printed(describe(load_chip(str(path))))
    assert "my: [red]x[/red]" in text
    assert "[link=http://x]y[/link]" in text


def test_bits_of_converters_stand_beside_those_that_lose_nothing() -> None:
    """128 rows of 1-bit cells and inputs sum to 128, which takes 8 bits; of 16 rows, 5."""
    text = " ".join(printed(describe(load_chip("neurosim"))).split())
    told = "8 would lose nothing (128 rows at once, 1-bit cells, 1-bit inputs)"
    assert f"converters: 16 a crossbar, 5 bits each; {told}; mvm.adc_bits changes no time" in text
    some = as_json(chip_sheet(load_chip("neurosim", {"mvm.rows_per_read": 16})))
    assert some["converters"] == {
        "adcs": 16,
        "bits": 5,
        "lossless_bits": 5,
        "rows_read": 16,
        "reads": 8,
        "time_depends_on_bits": False,
    }
    assert "changes no time" not in " ".join(printed(describe(load_chip("isaac"))).split())
    assert "mvm.rows_per_read all" in text


def test_a_chip_of_one_die_says_nothing_of_dies() -> None:
    text = printed(describe(load_chip("hermes")))
    assert "die." not in text
    assert "link." not in text


def test_dies_and_links_are_shown() -> None:
    """Their values as written; 26 mm x 33 mm = 858 mm2; what is not stated as it counts."""
    chip = load_chip("hermes", RETICLES)
    text = printed(describe(chip))
    assert max(map(len, text.splitlines())) <= 100
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for line in (
        "die.area_mm2 858 mm2 * width x height of the die",
        "die.width_mm 26 mm * set on the command line",
        "die.count auto",
        "die.topology table * set on the command line",
        "die.columns auto",
        "die.links 0-1, 1-2 * set on the command line",
        "link.kind ucie-2.5d * set on the command line",
    ):
        assert line in lines
    assert any(line.startswith("link.bits_per_ns_per_mm 5268 Das Sharma") for line in lines)
    bare = printed(describe(load_chip("hermes", {"die.area_mm2": "4", "link.kind": "ucie-2d"})))
    rows = [" ".join(line.split()) for line in bare.splitlines()]
    assert {"die.width_um not set", "die.topology mesh", "die.links not set"} <= set(rows)


def test_json_of_dies() -> None:
    data = as_json(chip_sheet(load_chip("hermes", RETICLES)))["fields"]
    names = [f.path for fields in SCHEMA.values() for f in fields]
    assert list(data) == names
    assert {path for path in names if path.startswith("die.")} == {
        "die.area_um2",
        "die.width_um",
        "die.height_um",
        "die.count",
        "die.topology",
        "die.columns",
        "die.links",
    }
    assert data["die.area_um2"]["value"] == 858_000_000
    assert (data["die.links"]["value"], data["die.count"]["value"]) == ("0-1, 1-2", 0)
    assert data["link.edge_um"]["value"] == 389
