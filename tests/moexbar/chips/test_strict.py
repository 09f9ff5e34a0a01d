"""Chip files that are wrong, each with the exact words the user reads."""

from pathlib import Path
from typing import Any

import pytest

from compiler.baselines import unshared
from ir.errors import InputError
from moexbar.chips import change_chip, changed_chip, load_chip


def load(tmp_path: Path, text: str) -> str:
    """Return the error of a chip file with this content, without the file's folder."""
    path = tmp_path / "my.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_chip(str(path))
    return str(caught.value).replace(str(tmp_path) + "/", "")


BASE = 'extends = "hermes"\n'

WRONG = {
    "unknown table": (
        "[crosbar]\nrows = 8",
        "my.toml: crosbar: unknown table; did you mean crossbar?",
    ),
    "unknown key": (
        "[crossbar]\nrow = 8",
        "my.toml: crossbar.row: unknown key; did you mean rows?",
    ),
    "one number for every curve": (
        "[digital]\nact_ns = 1",
        "my.toml: digital.act_ns: no longer one number for every curve; say relu_ns and relu_pj "
        "for those that clip, smooth_base_ns, smooth_ns and smooth_pj for the others",
    ),
    "unknown key, nothing near": (
        "[accumulate]\nzzz = 8",
        "my.toml: accumulate.zzz: unknown key; expected one of: where, hop_ps, hop_ns, hop_us, "
        "hop_ms, hop_fj, hop_pj, hop_nj, hop_uj, psum_bits, order, add_ps, add_ns, add_us, add_ms, "
        "add_fj, add_pj, add_nj, add_uj",
    ),
    "unit of the wrong kind": (
        "[mvm]\nread_pj = 130",
        "my.toml: mvm.read_pj: pj is a unit of energy, expected a unit of time: "
        "read_ps, read_ns, read_us, read_ms",
    ),
    "no unit": (
        "[mvm]\nread = 130",
        "my.toml: mvm.read: no unit, expected one of: read_ps, read_ns, read_us, read_ms",
    ),
    "two units": (
        "[mvm]\nread_ns = 130\nread_us = 0.13",
        "my.toml: mvm.read: given twice, as read_ns and as read_us",
    ),
    "text for a number": (
        '[mvm]\nread_ns = "fast"',
        'my.toml: mvm.read_ns: found "fast", expected a number',
    ),
    "wrong word": (
        '[bus]\ntransfers_per_slot = "many"',
        'my.toml: bus.transfers_per_slot: found "many", expected a number or "unlimited" or "auto"',
    ),
    "word of another field": (
        '[crossbar]\narray_um2 = "unlimited"',
        'my.toml: crossbar.array_um2: found "unlimited", expected a number or "not published"',
    ),
    "true for a number": (
        "[pg]\nmux = true",
        "my.toml: pg.mux: found true, expected a number",
    ),
    "a list": ("[pg]\nmux = [2]", "my.toml: pg.mux: found a list, expected a number"),
    "a date": (
        "[pg]\nmux = 2022-01-01",
        "my.toml: pg.mux: found a date or time, expected a number",
    ),
    "number for a flag": (
        "[pg]\nretain_input = 1",
        "my.toml: pg.retain_input: found 1, expected true or false",
    ),
    "wrong choice": (
        '[accumulate]\nwhere = "dpus"',
        'my.toml: accumulate.where: found "dpus", expected "pg" or "dpu"; did you mean dpu?',
    ),
    "number for a choice": (
        "[accumulate]\nwhere = 3",
        'my.toml: accumulate.where: found 3, expected "pg" or "dpu"',
    ),
    "nan": ("[mvm]\nread_ns = nan", "my.toml: mvm.read_ns: found nan, expected a finite number"),
    "inf": (
        "[mvm]\nread_ns = -inf",
        "my.toml: mvm.read_ns: found -infinity, expected a finite number",
    ),
    "negative": ("[mvm]\ndrain_ns = -1", "my.toml: mvm.drain_ns: found -1, expected at least 0"),
    "zero where at least one": (
        "[crossbar]\nrows = 0",
        "my.toml: crossbar.rows: 0, expected at least 1",
    ),
    "no bus at all": (
        "[bus]\ntransfers_per_slot = 0",
        "my.toml: bus.transfers_per_slot: 0, expected at least 1",
    ),
    "no width at all": (
        "[bus]\nbits_per_ns = 0",
        "my.toml: bus.bits_per_ns: 0, expected at least 1",
    ),
    "no DRAM bandwidth": (
        "[memory]\ndram_gb_per_s = 0",
        "my.toml: memory.dram: 0, expected at least 1",
    ),
    "fraction of a count": (
        "[pg]\nmux = 2.5",
        "my.toml: pg.mux: found 2.5, expected a whole number",
    ),
    "vanishes when rounded": (
        "[mvm]\ndrain_ns = 0.0001",
        "my.toml: mvm.drain_ns: 0.0001 ns is less than the smallest step, 1 ps",
    ),
    "too large a count": (
        "[crossbar]\nrows = 2000000",
        "my.toml: crossbar.rows: found 2000000, expected at most 1000000",
    ),
    "too large a time": (
        "[mvm]\nread_ms = 2000000",
        "my.toml: mvm.read_ms: found 2000000, expected at most 1000000000000000 ps",
    ),
    "beyond any float": (
        "[mvm]\nread_ns = 1e400",
        "my.toml: mvm.read_ns: found 1E+400, expected at most 1000000000000000",
    ),
    "weights wider than a row": (
        "[crossbar]\ncolumns = 4\ncell_bits = 1",
        "my.toml: crossbar.columns: 4 cells hold no weight of 8 cells",
    ),
    "half a mesh": (
        "[mesh]\nwidth = 4",
        "my.toml: mesh: 4 x 0 cores, expected both or no auto",
    ),
    "both bus widths": (
        "[bus]\ntransfers_per_slot = 2\nbits_per_ns = 64",
        "my.toml: bus: transfers_per_slot and bits_per_ns both given, expected one of them",
    ),
    "value for a table": (
        "mvm = 3",
        "my.toml: mvm: found a value, expected a table [mvm]",
    ),
    "unknown part": (
        "[pg]\nmux = { value = 2, sauce = 'x' }",
        "my.toml: pg.mux.sauce: unknown key; did you mean source?",
    ),
    "no value": (
        "[pg]\nmux = { source = 'x' }",
        "my.toml: pg.mux: no value, expected pg.mux = { value = ... }",
    ),
    "assumed without why": (
        "[pg]\nmux = { value = 2, assumed = true }",
        'my.toml: pg.mux: assumed, but no why; say why = "..."',
    ),
    "not assumed, no source": (
        "[pg]\nmux = { value = 2, assumed = false }",
        "my.toml: pg.mux: assumed = false, but no source",
    ),
    "outside the band": (
        "[mvm]\nread_ns = { value = 130, low = 140 }",
        "my.toml: mvm.read_ns: the value 130 ns lies outside its band low to high",
    ),
    "extends nothing": (
        'extends = "hermse"',
        "my.toml: extends: no preset 'hermse'; did you mean hermes?",
    ),
    "extends another folder": (
        'extends = "../x.toml"',
        "my.toml: extends: found '../x.toml', expected a preset or a file in the same folder",
    ),
    "not TOML": (
        "[mvm",
        "my.toml: not valid TOML: Expected ']' at the end of a table declaration "
        "(at end of document)",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_words(tmp_path: Path, case: str) -> None:
    text, expected = WRONG[case]
    base = "" if text.startswith("extends") else BASE
    assert load(tmp_path, base + text) == expected


def test_missing_key(tmp_path: Path) -> None:
    assert load(tmp_path, "[crossbar]\nrows = 8") == (
        "my.toml: crossbar: missing columns; "
        'a file that starts with extends = "hermes" states only what differs'
    )


def test_missing_key_with_a_unit_names_every_spelling(tmp_path: Path) -> None:
    text = "[crossbar]\nrows = 8\ncolumns = 8\ncell_bits = 1\nweight_bits = 8\ndifferential = false"
    assert "crossbar: missing array_um2 or array_mm2;" in load(tmp_path, text)


def test_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(InputError, match="chip: no preset 'hermes-mux3'; did you mean hermes-mux"):
        load_chip("hermes-mux3")
    with pytest.raises(InputError, match="no preset 'qq'; expected one of: hermes, hermes-4phase"):
        load_chip("qq")


def test_extends_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('extends = "b.toml"')
    (tmp_path / "b.toml").write_text('extends = "a.toml"')
    with pytest.raises(InputError, match="extends: goes round in a circle: a -> b -> a"):
        load_chip(str(tmp_path / "a.toml"))


def test_extends_too_deep(tmp_path: Path) -> None:
    for i in range(9):
        (tmp_path / f"c{i}.toml").write_text(f'extends = "c{i + 1}.toml"')
    with pytest.raises(InputError, match="extends: more than 8 files deep"):
        load_chip(str(tmp_path / "c0.toml"))


def test_a_file_may_extend_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text(BASE + "[pg]\nmux = 4\ninput_buffers = 1\n")
    (tmp_path / "top.toml").write_text('extends = "base.toml"\n[pg]\nmux = 8\n')
    chip = load_chip(str(tmp_path / "top.toml"))
    assert (chip.name, chip.pg.mux, chip.pg.input_buffers) == ("top", 8, 1)
    assert chip.description == load_chip("hermes").description


@pytest.mark.parametrize(
    ("key", "number", "ps"),
    [("read_ps", "130000", 130_000), ("read_ns", "130", 130_000), ("read_us", "0.13", 130_000)],
)
def test_any_unit_of_time_will_do(tmp_path: Path, key: str, number: str, ps: int) -> None:
    path = tmp_path / "my.toml"
    path.write_text(BASE + f"[mvm]\n{key} = {number}")
    assert load_chip(str(path)).mvm.read_ps == ps


def test_decimals_are_exact_and_rounding_is_said(tmp_path: Path) -> None:
    """0.0015 ns = 1.5 ps rounds to the even 2; 0.1 + 0.2 style errors cannot occur."""
    path = tmp_path / "my.toml"
    path.write_text(BASE + "[mvm]\nread_ns = 0.0015\ndrain_us = 0.3")
    chip = load_chip(str(path))
    facts = {fact.path: fact for fact in chip.facts}
    assert (chip.mvm.read_ps, facts["mvm.read_ps"].text) == (2, "0.0015 ns, rounded to 2 ps")
    assert (chip.mvm.drain_ps, facts["mvm.drain_ps"].text) == (300_000, "0.3 us")


def test_a_plain_number_counts_as_assumed(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text(BASE + "[pg]\nmux = 4\nidle_mw = { value = 0.5, source = 'mine', low = 0.25 }")
    facts = {fact.path: fact for fact in load_chip(str(path)).facts}
    assert (facts["pg.mux"].assumed, facts["pg.mux"].source) == (True, "no source given")
    idle = facts["pg.idle_uw"]
    assert (idle.assumed, idle.source, idle.text) == (False, "mine", "0.5 mW")
    assert (idle.low, idle.high) == (250.0, None)  # in uW, the field's own unit


def test_bus_width_in_bits_replaces_the_inherited_width() -> None:
    chip = load_chip("hermes", {"bus.bits_per_ns": "64"})
    assert (chip.bus.transfers_per_slot, chip.bus.bits_per_ns) == (None, 64)
    chip = load_chip("hermes", {"bus.transfers_per_slot": "4"})
    assert (chip.bus.transfers_per_slot, chip.bus.bits_per_ns) == (4, None)


def test_overrides() -> None:
    chip = load_chip(
        "hermes",
        {
            "pg.mux": "4",
            "bus.transfers_per_slot": "unlimited",
            "mvm.read_us": "0.2",
            "pg.retain_input": "false",
            "accumulate.where": "dpu",
            "crossbar.array_um2": "not published",
            "wires.cost": "published",  # lengths need the area
        },
    )
    assert (chip.pg.mux, chip.bus.transfers_per_slot, chip.mvm.read_ps) == (4, None, 200_000)
    assert (chip.pg.retain_input, chip.accumulate.where) == (False, "dpu")
    assert chip.crossbar.array_um2 is None
    fact = next(fact for fact in chip.facts if fact.path == "pg.mux")
    assert (fact.assumed, fact.source) == (True, "set on the command line")


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("pg.mix", "4", "--set pg.mix=4: pg.mix: unknown key; did you mean mux?"),
        ("pgs.mux", "4", "--set pgs.mux=4: pgs: unknown table; did you mean pg?"),
        ("mux", "4", "--set mux=4: mux: unknown table; did you mean pg.mux?"),
        ("pg.mux", "four", '--set pg.mux=four: pg.mux: found "four", expected a number'),
        ("pg.mux", "nan", "--set pg.mux=nan: pg.mux: found nan, expected a finite number"),
        ("pg.mux", "0", "--set pg.mux=0: pg.mux: 0, expected at least 1"),
        (
            "headline",
            "4",
            "--set headline=4: headline: is a table, expected a field of it: "
            "headline.tops_per_w, headline.tops_per_mm2",
        ),
    ],
)
def test_wrong_overrides(path: str, text: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        changed_chip("hermes", {path: text}, "--set ")
    assert str(caught.value) == expected
    with pytest.raises(InputError) as caught:  # from Python: nothing was typed
        load_chip("hermes", {path: text})
    assert str(caught.value) == expected.removeprefix("--set ")


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["a"], """overrides: ['a'], expected fields and their values, such as {"pg.mux": 4}"""),
        (
            {"pg": {"mux": 4}},
            "overrides: 'pg': {'mux': 4}, expected a field such as 'pg.mux' and text, a number, "
            "true or false",
        ),
        (
            {3: 4},
            "overrides: 3: 4, expected a field such as 'pg.mux' and text, a number, true or false",
        ),
    ],
)
def test_overrides_of_a_wrong_kind(overrides: Any, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        load_chip("hermes", overrides)
    assert str(caught.value) == expected


def test_a_chip_of_a_wrong_kind() -> None:
    with pytest.raises(InputError) as caught:
        load_chip(4)  # type: ignore[arg-type]
    assert str(caught.value) == "chip: 4, expected the name of a preset or the path of a TOML file"


def test_what_was_set_goes_with_the_chip() -> None:
    """Its title says it; a later setting of the same field, or width of the bus, replaces it."""
    chip = load_chip("hermes", {"mvm.read_ns": 260, "bus.transfers_per_slot": 4})
    assert chip.title == "hermes with mvm.read_ns = 260, bus.transfers_per_slot = 4"
    again = change_chip(chip, {"mvm.read_us": "0.5", "bus.bits_per_ns": "64"})
    assert again.title == "hermes with mvm.read_us = 0.5, bus.bits_per_ns = 64"
    assert load_chip("hermes").title == "hermes"
    assert load_chip("hermes", {"pg.mux": 1}).pg == load_chip("hermes").pg
    assert unshared(load_chip("hermes", {"pg.mux": 4})).title == "hermes unshared"


def test_a_fault_of_the_file_is_not_said_of_what_was_set(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text(BASE + "[mvm]\ninput_bits = 0")
    with pytest.raises(InputError, match=r"my\.toml: mvm\.input_bits: 0, expected at least 1"):
        load_chip(path, {"pg.mux": 4})


def test_names_equally_near_are_all_named() -> None:
    with pytest.raises(InputError) as caught:
        load_chip("hermes-mux3")
    hint = "did you mean hermes-mux2, hermes-mux4 or hermes-mux8?"
    assert str(caught.value) == f"chip: no preset 'hermes-mux3'; {hint}"
