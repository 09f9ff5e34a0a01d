"""The JSON Schema of chip files: presets are as it says, mistakes are not, and it has every key."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ir.errors import InputError
from moexbar.chips import load_chip
from moexbar.chips.fields import SCHEMA, Field
from moexbar.chips.file_schema import chip_schema, least
from moexbar.chips.loader import PRESETS
from moexbar.chips.meanings import MEANINGS, TABLES_MEAN

FILES = sorted(PRESETS.rglob("*.toml"))
FIELDS = [field for fields in SCHEMA.values() for field in fields]
NUMBERS = [field for field in FIELDS if field.kind == "count"]
VALIDATOR = Draft202012Validator(chip_schema())


def problems(text: str) -> list[str]:
    """Where a file is not as the schema says."""
    document = tomllib.loads(text)
    return sorted(error.json_path for error in VALIDATOR.iter_errors(document))


def test_every_field_has_one_meaning() -> None:
    assert list(TABLES_MEAN) == list(SCHEMA)
    assert list(MEANINGS) == [field.path for field in FIELDS]
    lines = [*TABLES_MEAN.values(), *MEANINGS.values()]
    assert [line for line in lines if not line.endswith(".") or "\n" in line] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_shipped_files_are_valid(path: Path) -> None:
    assert problems(path.read_text(encoding="utf-8")) == []


def test_files_of_the_page_are_valid() -> None:
    """Also plain values, pairs and a file that is extended."""
    assert problems('extends = "mine.toml"\n[pg]\nmux = 4\nidle_mw = 0.2\n') == []
    assert problems('[die]\nlinks = [[0, 1], [1, 2]]\ncount = "auto"\n') == []
    assert problems('[mvm]\nread_ns = { value = 1, assumed = true, why = "w", low = 0 }\n') == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[mvm]\nread = 130\n", "$.mvm"),  # no unit
        ("[mvm]\nread_fj = 130\n", "$.mvm"),  # a unit of energy
        ("[mvm]\nreed_ns = 130\n", "$.mvm"),
        ("[mwm]\nread_ns = 130\n", "$"),
        ('[mvm]\nread_ns = "130"\n', "$.mvm.read_ns"),
        ("[mvm]\nread_ns = -1\n", "$.mvm.read_ns"),
        ("[crossbar]\nrows = 1.5\n", "$.crossbar.rows"),
        ("[crossbar]\nrows = 0\n", "$.crossbar.rows"),
        ("[crossbar]\nrows = true\n", "$.crossbar.rows"),
        ("[crossbar]\ndifferential = 1\n", "$.crossbar.differential"),
        ('[mvm]\nadc_kind = "slow"\n', "$.mvm.adc_kind"),
        ('[bus]\ntransfers_per_slot = "many"\n', "$.bus.transfers_per_slot"),
        ("[die]\nlinks = [[0, 1, 2]]\n", "$.die.links"),
        ("[pg]\nmux = { source = 'x' }\n", "$.pg.mux"),  # no value
        ("[pg]\nmux = { value = 'x', source = 'x' }\n", "$.pg.mux"),
        ("[pg]\nmux = { value = 2, sauce = 'x' }\n", "$.pg.mux"),
        ("[pg]\nmux = { value = 2, assumed = true }\n", "$.pg.mux"),  # no why
        ('extends = "hermez"\n', "$.extends"),
    ],
)
def test_mistakes_are_found(text: str, where: str, tmp_path: Path) -> None:
    """Each of them `load_chip` refuses too."""
    assert problems(text) == [where]
    (tmp_path / "chip.toml").write_text(text if "extends" in text else f'extends = "tiny"\n{text}')
    with pytest.raises(InputError):
        load_chip(tmp_path / "chip.toml")


@pytest.mark.parametrize("field", NUMBERS, ids=lambda field: field.path)
def test_the_least_number_is_what_chips_refuse_less_of(field: Field) -> None:
    """0 is refused exactly where the schema says 1; `base` has all that a table needs beside it."""
    base: dict[str, Any] = {"die.area_mm2": 100, "link.kind": "ucie-2.5d"}
    base |= {"digital.dpus_per_region": 1, "digital.mha_units_per_region": 1}
    if field.name in ("width", "height"):  # of the mesh: both or none
        base |= {"mesh.width": 0, "mesh.height": 0}
    if field.path in ("die.width_um", "die.height_um"):
        base = {**base, "die.width_mm": 10, "die.height_mm": 10}
        del base["die.area_mm2"]
    wanted = {key: value for key, value in base.items() if not _same(field, key)}
    key = f"{field.table}.{field.keys[0]}"
    try:
        load_chip("neurosim", {**wanted, key: 0})
        refused = False
    except InputError:
        refused = True
    assert refused == (least(field) == 1)


def _same(field: Field, key: str) -> bool:
    table, _, name = key.partition(".")
    return table == field.table and name in field.keys
