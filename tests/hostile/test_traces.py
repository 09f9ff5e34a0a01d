"""Routing traces and load counts that cannot be: refused by array, column, row or line."""

import io
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.artifact_seeds import Seeds
from moexbar.__main__ import main
from tests.hostile.damage import Bad, arrays, column, content, cut, rearranged, replaced, retyped


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return out.getvalue()


def header(code: str, shape: str, data: bytes = b"") -> bytes:
    text = f"{{'descr': '{code}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


CHOICES = np.zeros((1, 4, 2), dtype=np.int16) + np.array([0, 1], dtype=np.int16)
TABLE = b"layer,token,expert\n0,0,1\n0,1,2\n"
TRACES: dict[str, tuple[str, Bad]] = {
    "nothing": ("choices.npz", Bad("not a zip archive", content(b""))),
    "half": ("choices.npz", Bad("not a zip archive|broken archive", cut(0.5))),
    "a bomb": (
        "choices.npz",
        Bad(
            "choices: .* bytes when inflated with the others, limit",
            content(zipped(choices=header("<i2", "(1, 100000000, 2)", bytes(400_000_000)))),
        ),
    ),
    "a shape that is not there": (
        "choices.npz",
        Bad("choices: shape .* needs", content(zipped(choices=header("<i2", "(1, 1000000, 2)")))),
    ),
    "a shape of 10^40": (
        "choices.npz",
        Bad("choices: shape ", content(zipped(choices=header("<i2", f"({10**40},)")))),
    ),
    "a negative shape": (
        "choices.npz",
        Bad("choices: shape ", content(zipped(choices=header("<i2", "(-1, 4, 2)")))),
    ),
    "pickled objects": (
        "choices.npz",
        Bad("choices: element type", arrays(choices=np.array([{}], dtype=object))),
    ),
    "records": (
        "choices.npz",
        Bad("choices: unreadable header", content(zipped(choices=header("<i2', 'x", "(1,)")))),
    ),
    "a name that leaves the folder": (
        "choices.npz",
        Bad(r"member '../choices.npy'", content(zipped(**{"../choices": b""}))),
    ),
    "a member twice": (
        "choices.npz",
        Bad(
            "found twice",
            lambda d: zipped(choices=b"", choicez=b"").replace(b"choicez", b"choices"),
        ),
    ),
    "complex numbers": ("choices.npz", Bad("choices: element type", arrays(choices=CHOICES * 1j))),
    "two axes": ("choices.npz", Bad("choices: |choices|axes", arrays(choices=CHOICES[0, 0]))),
    "ids of 2^20": (
        "choices.npz",
        Bad("choices: ids from 1048576 to", arrays(choices=CHOICES + np.int32(2**20))),
    ),
    "ids of -2": ("choices.npz", Bad("choices: ", arrays(choices=CHOICES - np.int16(2)))),
    "an id twice": ("choices.npz", Bad("choices|token 0", arrays(choices=CHOICES * np.int16(0)))),
    "no experts": ("choices.npz", Bad("num_experts: ", arrays(num_experts=0))),
    "2^40 experts": ("choices.npz", Bad("num_experts: .*expected 1 to", arrays(num_experts=2**40))),
    "experts of nan": ("choices.npz", Bad("num_experts: element type", arrays(num_experts=np.nan))),
    "a gate of nan": (
        "choices.npz",
        Bad("weights: layer 0, token 0", arrays(weights=np.full((2, 40, 2), np.nan, np.float32))),
    ),
    "layers twice": ("choices.npz", Bad("layer: expected different", arrays(layer=[1, 1]))),
    "a sequence of 2^64": (
        "choices.npz",
        Bad("sequence: 18446744073709551615", arrays(sequence=np.full(40, 2**64 - 1, np.uint64))),
    ),
    "a later form": ("choices.npz", Bad("form: of form 2, expected 1", arrays(form=2))),
    "a form of nan": ("choices.npz", Bad("form: element type", arrays(form=np.nan))),
    "scores of nan": (
        "scores.npz",
        Bad("scores: ", arrays(scores=np.full((2, 40, 8), np.nan, np.float32))),
    ),
    "no capacity": ("scores.npz", Bad("capacity: missing", arrays(capacity=None))),
    "a capacity of -1": ("scores.npz", Bad("capacity: -1", arrays(capacity=-1))),
    "steps below none": ("scores.npz", Bad("decode: ", arrays(decode=-1))),
    "a pickle": ("ids.npy", Bad("array: ", content(header("|O", "(1,)", b"cos\nsystem\n.")))),
    "an array of no end": ("ids.npy", Bad("array: shape", content(header("<i8", "(10, 10, 10)")))),
    "no table": ("trace.csv", Bad("columns .*, expected layer", content(b"a\n1\n"))),
    "no rows": ("trace.csv", Bad("no rows|not a readable table", content(b"layer,token,expert\n"))),
    "a word for a number": ("trace.csv", Bad("column|Row", content(TABLE + b"0,x,1\n"))),
    "a column twice": (
        "trace.csv",
        Bad("columns 'layer' and 'layer_id'", content(b"layer,layer_id,token,expert\n0,0,0,1\n")),
    ),
    "half a token": ("trace.csv", Bad("column token, row 3: 0.5", content(TABLE + b"0,0.5,1\n"))),
    "an infinite token": ("trace.csv", Bad("column token, row 3", content(TABLE + b"0,inf,1\n"))),
    "a layer below none": (
        "trace.csv",
        Bad("column layer, row 3: -1", content(TABLE + b"-1,2,1\n")),
    ),
    "an expert of 10^9": ("trace.csv", Bad("num_experts: ", content(TABLE + b"0,2,1000000000\n"))),
    "a row twice": ("trace.csv", Bad("rows 1 and 3: the same", content(TABLE + b"0,0,1\n"))),
    "names of no text": ("trace.csv", Bad("trace.csv: ", content(b"\xff\xfe,token\n0,1\n"))),
    "a line of an escape": ("trace.csv", Bad("trace.csv: ", content(TABLE + b"\x1b[2J,1,1\n"))),
    "no Parquet": ("trace.parquet", Bad("not a readable table", content(b"PAR1PAR1"))),
    "a tenth": ("trace.parquet", Bad("not a readable table", cut(0.1))),
    "texts": (
        "trace.parquet",
        Bad("column token: .*, expected numb", retyped("token", pa.string())),
    ),
    "no layers": (
        "trace.parquet",
        Bad("columns .*, expected layer", rearranged(lambda t: t.drop_columns(["layer"]))),
    ),
    "an id of -7": ("trace.parquet", Bad("column expert, row 4: -7", column("expert", -7))),
    "a bomb of rows": (
        "trace.parquet",
        Bad("rows need .* bytes, limit", rearranged(lambda t: t.take(pa.array([0] * 4_000_000)))),
    ),
    "no lines": ("trace.jsonl", Bad("line 1 is no JSON object", content(b"\n"))),
    "a list a line": ("trace.jsonl", Bad("line 1 is no JSON object", content(b"[1]\n"))),
    "nested lines": ("trace.jsonl", Bad("line 1 is no JSON object", content(b"[" * 100_000))),
    "a text in a line": (
        "trace.jsonl",
        Bad("not a readable table", content(b'{"layer": "x", "token": 0, "expert": 1}\n')),
    ),
    "counts below none": (
        "load.csv",
        Bad("column count, row 1: -5", replaced(b"0,0,5", b"0,0,-5")),
    ),
    "a count of half": (
        "load.csv",
        Bad("column count, row 1: 0.5", replaced(b"0,0,5", b"0,0,0.5")),
    ),
    "loads of nan": ("load.npz", Bad("load: element", arrays(load=np.full((2, 3), np.nan)))),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("name", "bad"), TRACES.values(), ids=TRACES)
def test_refused(
    name: str, bad: Bad, artifacts: Seeds, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / name, tmp_path / "routing-out.npz"
    path.write_bytes(bad.damage(artifacts.files[name].read_bytes()))
    words = ["group", str(path), "--json"]
    if name.startswith(("trace", "choices", "scores", "ids")):
        words = ["trace-import", str(path), "-o", str(out)]
    assert main(words) == 2
    said = capsys.readouterr()
    (line,) = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert said.out == ""
    assert line.startswith(f"error: {path}: ")
    assert re.search(bad.says, line), line
    assert line.isprintable()
    assert list(tmp_path.iterdir()) == [path]
