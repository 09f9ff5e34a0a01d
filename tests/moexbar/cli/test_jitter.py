"""`moexbar compile --jitter`: ranges of times and gains, the word equal, and the same as JSON."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from rich.console import Console

from moexbar.__main__ import main
from moexbar.cli.bands_text import figures_table
from moexbar.cli.jitter_text import jitter_line, jitter_table
from moexbar.report.banded import BandsRow, FigureRow, RangeRow
from moexbar.report.jittered import JitterRow, MethodJitterRow, QuotientRow, SpreadRow
from moexbar.report.methods import GainsRow
from moexbar.report.plain import as_json
from moexbar.report.reading import read_report
from moexbar.report.schema import document_schema
from moexbar.report.tables import gain_lines
from tests.paths import TINY

WORDS = [str(TINY / "model.onnx"), "--inputs", str(TINY / "inputs.npz"), "--prefill", "8"]
ASKED = ["compile", *WORDS, "--grouping", "lpt", "--no-verify", "--jitter", "2"]
GAINS = GainsRow(1.59, None, 1.006, 0.97, None, None, None)
NOISE = JitterRow(
    8,
    0.02,
    3,
    1,
    (
        MethodJitterRow("paper's method", SpreadRow(99_610, 98_970, 100_460), None),
        MethodJitterRow(
            "moexbar", SpreadRow(98_230, 97_630, 99_040), QuotientRow(1.0, 0.998, 1.004, True)
        ),
    ),
    {
        "sharing": QuotientRow(1.588, 1.5849, 1.5893, False),
        "over_paper": QuotientRow(1.003, 0.9996, 1.0064, True),
        "over_paper_baseline": QuotientRow(0.98, 0.9604, 0.9993, False),
    },
)


def rendered(table: object) -> list[str]:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(table)
    return [line.rstrip() for line in capture.get().splitlines()]


def test_a_gain_whose_range_includes_1_is_called_equal() -> None:
    assert list(gain_lines(GAINS, NOISE)) == [
        "sharing: 1.590 (1.585-1.589) x MoE GOPS/mm2 (our order, our groups against unshared)",
        "over the paper's method: equal (1.000-1.006) in MoE GOPS/mm2",
        "over the paper's baseline: 0.970 (0.960-0.999) x MoE GOPS/mm2",
    ]
    assert list(gain_lines(GAINS)) == [
        "sharing: 1.59 x MoE GOPS/mm2 (our order, our groups against unshared)",
        "over the paper's method: 1.01 x MoE GOPS/mm2",
        "over the paper's baseline: 0.97 x MoE GOPS/mm2",
    ]


def test_bands_call_it_the_same() -> None:
    nothing = RangeRow(None, None)
    rows = (
        FigureRow("sharing", 1.59, nothing, nothing, None),
        FigureRow("over_paper", 1.006, RangeRow(0.99, 1.01), nothing, None),
    )
    bands = BandsRow(0, 0, 0, rows, (), ())
    (_, sharing, over) = rendered(figures_table(bands, NOISE))
    assert sharing.split() == ["gain", "of", "sharing", "1.59", "-", "-", "-"]
    assert over.split() == [
        "gain",
        "over",
        "the",
        "paper's",
        "equal",
        "0.99",
        "to",
        "1.01",
        "-",
        "-",
    ]
    (_, _, over) = rendered(figures_table(bands))
    assert over.split()[4] == "1.006"


def test_times_and_their_quotients() -> None:
    assert [line.split("  ")[0] for line in rendered(jitter_table(NOISE))] == [
        "over 8 runs",
        "paper's method",
        "moexbar",
    ]
    (_, paper, equal) = rendered(jitter_table(NOISE))
    assert paper.split()[2:] == ["99.61", "98.97-100.46"]
    assert equal.split()[1:] == ["98.23", "97.63-99.04", "equal", "(0.998-1.004)"]
    line = jitter_line(NOISE)
    assert (
        "in 0.98-1.02" in line
        and "seed 3" in line
        and line.endswith("1 of 8 runs left out: no room")
    )


def test_printed_with_marks_and_the_same_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*ASKED, "--bands", "--draws", "0", "-o", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines if "weights on crossbars" not in line) <= 100
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    assert not list(Draft202012Validator(document_schema("compile")).iter_errors(found))
    assert as_json(read_report(tmp_path / "out" / "report.json")) == found
    rows, times = found["jitter"]["methods"], {r["method"]: r["time_ns"] for r in found["methods"]}
    same = {row["method"] for row in rows if row["of_ours"] and row["of_ours"]["equal"]}
    begun = next(n for n, line in enumerate(lines) if line.startswith("method"))
    shown = {r["method"]: next(x for x in lines[begun:] if x.startswith(r["method"])) for r in rows}
    for method, line in shown.items():
        time = f"{times[method] / 1000:.2f}"
        assert (f" ={time} " in line, f" {time} " in line) == (method in same, method not in same)
    assert same and same < set(shown)
