"""Sweeps, groups, stacks, digital experts and arrivals that cannot be: refused by field or line."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import moexbar as mx
from benchmarks.artifact_seeds import ARRIVALS, Seeds
from ir.errors import InputError
from moexbar.__main__ import main
from moexbar.files.arrivals_file import read_arrivals
from moexbar.files.digital_file import read_digital
from moexbar.files.grouping_file import read_grouping
from tests.hostile.damage import GONE, Bad, at, content, replaced

MODEL = 'model = "model.onnx"\n'
SWEEPS: dict[str, Bad] = {
    "not UTF-8": Bad("byte 0 is not UTF-8", content(b"\xff")),
    "a megabyte": Bad("expected at most 1048576", content(b"#" * (2**20 + 1))),
    "no TOML": Bad("not valid TOML", content(b"vary = =")),
    "nothing varies": Bad("nothing varies, expected one of", content(MODEL.encode())),
    "two ways": Bad("vary and random, expected one", content(b"[vary]\n[random]\n")),
    "no values": Bad(r"vary: chip.pg.mux: 0 values", replaced(b"[1, 2]", b"[]")),
    "a value for a list": Bad("vary: chip.pg.mux: 4, expected a list", replaced(b"[1, 2]", b"4")),
    "a list in a list": Bad(
        "vary: chip.pg.mux: list, expected text", replaced(b"[1, 2]", b"[[1]]")
    ),
    "an infinite value": Bad("vary: chip.pg.mux: ", replaced(b"[1, 2]", b"[inf]")),
    "a value of 10^30": Bad(
        "vary: chip.pg.mux: 1000", replaced(b"[1, 2]", b"[1" + b"0" * 30 + b"]")
    ),
    "a text of 2,000": Bad(
        "vary: chip.pg.mux|line", replaced(b"[1, 2]", b'["' + b"x" * 990 + b'"]')
    ),
    "an unknown key": Bad(
        "odd: unknown key", content(b'model = "m"\nodd = 3\n[vary]\nbatch = [1]\n')
    ),
    "an unknown chip key": Bad("vary: chip.pg.odd", replaced(b"chip.pg.mux", b"chip.pg.odd")),
    "an empty table": Bad("vary: chip: an empty table", content(b'model = "m"\n[vary.chip]\n')),
    "a table for a list": Bad(
        "points: .*, expected a list", content(b'model = "m"\n[points]\na = 1\n')
    ),
    "no model": Bad("no model", content(b"[vary]\nbatch = [1]\n")),
    "fixed and varied": Bad(
        "vary: batch: fixed too", content(b'model = "m"\nbatch = 1\n[vary]\nbatch = [1]\n')
    ),
    "10^10 points": Bad(
        "vary: .* points, expected 1 to 100000",
        content(
            MODEL.encode()
            + b"[vary]\n"
            + b"".join(
                f"{name} = {list(range(1, 201))}\n".replace(" ", "").encode()
                for name in ("batch", "decode", "prefill")
            )
        ),
    ),
    "draws of text": Bad(
        "random: draws", content(b'model = "m"\n[random]\ndraws = "x"\nseed = 0\nbatch = [1]\n')
    ),
    "low over high": Bad(
        "random: batch: low 9 and high 1",
        content(b'model = "m"\n[random]\ndraws = 2\nseed = 0\nbatch = { low = 9, high = 1 }\n'),
    ),
    "a step of none": Bad(
        "random: batch: step: 0",
        content(b'model = "m"\n[random]\ndraws = 2\nseed = 0\nbatch = { low=1, high=2, step=0 }\n'),
    ),
    "an objective of none": Bad(
        "search: objectives: 'beauty'",
        content(b'model = "m"\n[search]\nobjectives = ["beauty"]\ntrials = 2\nbatch = 1\n'),
    ),
    "figures of numbers": Bad(
        "figures: 3, expected text", content(b'model = "m"\nfigures = [3]\n[vary]\nbatch = [1]\n')
    ),
}


@pytest.mark.parametrize("bad", SWEEPS.values(), ids=SWEEPS)
def test_a_sweep(
    bad: Bad, artifacts: Seeds, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "sweep.toml"
    path.write_bytes(bad.damage(artifacts.files["sweep.toml"].read_bytes()))
    assert main(["explore", str(path), "-o", str(tmp_path / "out")]) == 2
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert said.out == ""
    assert line.startswith(f"error: {path}: ")
    assert re.search(bad.says, line), line
    assert line.isprintable()
    assert list(tmp_path.iterdir()) == [path]


def groups(path: Path) -> object:
    return read_grouping(path, {0: 8, 1: 8})


def digital(path: Path) -> object:
    return read_digital(str(path))


TWICE = json.dumps(
    {"format": "moexbar-stacks 1", "stacks": [[{"layer": 0, "stage": 0, "group": 1}] * 2]}
)
GIVEN: dict[str, tuple[str, Callable[[Path], object], Bad]] = {
    "groups of no JSON": ("groups.json", groups, Bad("line 1, column 1: ", content(b""))),
    "groups nested": ("groups.json", groups, Bad("limit document_depth", content(b"[" * 99))),
    "groups of a later form": ("groups.json", groups, Bad("schema: of form 99", at("schema", 99))),
    "no layers": ("groups.json", groups, Bad("layers: missing", at("layers", GONE))),
    "a layer twice": ("groups.json", groups, Bad("layer 0: 2 entries", at("layers.1.layer", 0))),
    "a layer of text": ("groups.json", groups, Bad("no layer 0", at("layers.0.layer", "0"))),
    "groups of texts": (
        "groups.json",
        groups,
        Bad("layer 0: groups: exp", at("layers.0.groups", ["a"])),
    ),
    "groups of halves": (
        "groups.json",
        groups,
        Bad("layer 0: groups", at("layers.0.groups", [[0.5]])),
    ),
    "an expert too many": (
        "groups.json",
        groups,
        Bad("layer 0: ", at("layers.0.groups.0", [0, 1, 99])),
    ),
    "few experts": (
        "groups.json",
        groups,
        Bad("layer 0: 1 experts in", at("layers.0.groups", [[0]])),
    ),
    "an expert of 10^30": (
        "groups.json",
        groups,
        Bad("layer 0: ", at("layers.0.groups.0", [10**30])),
    ),
    "stacks of another form": (
        "stacks.json",
        mx.read_stacks,
        Bad("format: 'x', expected", at("format", "x")),
    ),
    "stacks of a later form": (
        "stacks.json",
        mx.read_stacks,
        Bad("format: ", at("format", "moexbar-stacks 2")),
    ),
    "no stacks": ("stacks.json", mx.read_stacks, Bad("stacks: missing", at("stacks", GONE))),
    "stacks of numbers": ("stacks.json", mx.read_stacks, Bad(r"stacks\[0\]: 3", at("stacks", [3]))),
    "members of numbers": (
        "stacks.json",
        mx.read_stacks,
        Bad(r"stacks\[0\]\[0\]: 3", at("stacks", [[3]])),
    ),
    "a layer of 2^40": (
        "stacks.json",
        mx.read_stacks,
        Bad(r"stacks\[0\]\[0\].layer", at("stacks.0.0.layer", 2**40)),
    ),
    "a stage of true": (
        "stacks.json",
        mx.read_stacks,
        Bad(r"stacks\[0\]\[0\].stage", at("stacks.0.0.stage", True)),
    ),
    "an escape": (
        "stacks.json",
        mx.read_stacks,
        Bad(r"group: '\\x1b", at("stacks.0.0.group", "\x1b[2J")),
    ),
    "a member twice": (
        "stacks.json",
        mx.read_stacks,
        Bad("stack 0: holds", content(TWICE.encode())),
    ),
    "no digital": ("digital.json", digital, Bad("digital: expected a list", at("digital", GONE))),
    "digital of none": (
        "digital.json",
        digital,
        Bad("digital: expected a list", at("digital", [])),
    ),
    "digital of text": ("digital.json", digital, Bad("digital: 'x'", at("digital.0", "x"))),
    "an expert of half": ("digital.json", digital, Bad("digital: ", at("digital.0.expert", 0.5))),
    "digital of a later form": (
        "digital.json",
        digital,
        Bad("schema: of form 99", at("schema", 99)),
    ),
    "a slot of text": ("arrivals.txt", read_arrivals, Bad("line 1: 'x'", content(b"x\n"))),
    "a slot below none": (
        "arrivals.txt",
        read_arrivals,
        Bad("line 3: '-1'", content(ARRIVALS.encode()[:26] + b"\n-1\n-1")),
    ),
    "a slot of 2^31": (
        "arrivals.txt",
        read_arrivals,
        Bad("line 1: '2147483648'", content(b"2147483648")),
    ),
    "arrivals not UTF-8": (
        "arrivals.txt",
        read_arrivals,
        Bad("byte 1: not UTF-8", content(b"1\xff")),
    ),
}


@pytest.mark.parametrize(("name", "read", "bad"), GIVEN.values(), ids=GIVEN)
def test_a_file_that_is_given(
    name: str, read: Callable[[Path], object], bad: Bad, artifacts: Seeds, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(bad.damage(artifacts.files[name].read_bytes()))
    with pytest.raises(InputError) as refused:
        read(path)
    said = str(refused.value)
    assert said.startswith(f"{path}: ")
    assert re.search(bad.says, said), said
    assert said.isprintable()
