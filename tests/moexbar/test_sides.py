"""Encoder-decoders from the command line to execution, sides of different lengths."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moexbar.__main__ import main
from tests.compiler.frontend import models as m
from tests.compiler.frontend.sides import SOURCE, TARGET, ids, two_sided, write_sides

WORDS = ["--chip", "tiny", "--grouping", "sorted", "--no-baselines"]


def written(folder: Path, source: int, target: int) -> list[str]:
    """A model with experts on both sides and four sequences of inputs: the words to compile it."""
    blocks, inputs = [m.dense_masked()], folder / "x.npz"
    model = write_sides(folder, blocks, blocks, batch="batch")
    np.savez(inputs, **ids(source, target, 4))
    return ["compile", str(model), "--inputs", str(inputs), *WORDS, "-o", str(folder / "out")]


def report_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "out" / "report.json").read_text())
    return found


def test_lengths_as_the_inputs_have_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 7 and 5 tokens, without --prefill; executed, and again from the folder."""
    assert main(written(tmp_path, 7, 5)) == 0
    told = capsys.readouterr().out
    assert "prefill of 7 and 5 tokens" in told
    assert "executed: largest error" in told
    report = report_of(tmp_path)
    window = report["window"]
    assert window["sides"] == [
        {"inputs": [SOURCE], "prefill": 7},
        {"inputs": [TARGET], "prefill": 5},
    ]
    assert (window["tokens"], window["prefill"], window["trace_tokens"]) == (7, 7, 28)
    assert main(["verify", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["worst"] == report["executed"]["worst"]
    out = str(tmp_path / "out")
    for routing, positions in (("free", 4 * 4), ("fixed", 4)):  # each token but the last of five
        assert main(["accuracy", out, "--routing", routing, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["language"]["positions"] == positions
    assert main(["accuracy", out, "--tokens", "3"]) == 2
    assert "sides of 7,5 tokens; leave it out" in " ".join(capsys.readouterr().err.split())


def test_two_sequences_cut_to_what_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first 6 and 4 tokens of 7 and 5, from a trace of its own, as recorded on the way."""
    words = written(tmp_path, 7, 5)
    assert main([*words, "--prefill", "6,4", "--batch", "2"]) == 0
    recorded = (tmp_path / "out" / "program.parquet").read_bytes()
    model, inputs, trace = words[1], words[3], str(tmp_path / "r.npz")
    profile = ["profile", model, "--inputs", inputs, "-o", trace]
    capsys.readouterr()
    assert main([*profile, "--tokens", "6,4", "--json"]) == 0
    layers = json.loads(capsys.readouterr().out)["layers"]
    assert [layer["pairs"] for layer in layers] == [4 * 6 * 2, 4 * 4 * 2]
    again = ["compile", model, "--routing", trace, *WORDS, "-o", str(tmp_path / "out")]
    assert main([*again, "--prefill", "6,4", "--batch", "2"]) == 0
    assert (tmp_path / "out" / "program.parquet").read_bytes() == recorded
    assert main([*again, "--prefill", "6,3"]) == 2
    assert "moexbar profile --tokens 6,3" in " ".join(capsys.readouterr().err.split())


def test_made_up_routing_is_of_both_sides(tmp_path: Path) -> None:
    words = written(tmp_path, 7, 5)
    made = ["compile", words[1], "--routing", "synthetic", *words[4:], "--prefill", "3,6"]
    assert main(made) == 0
    rows = {row["layer"]: row for row in report_of(tmp_path)["layers"]}
    assert len(rows) == 2


def test_a_single_number_is_for_both(tmp_path: Path) -> None:
    """5,5 gives what 5 gives, byte by byte, and the report has no sides."""
    words = written(tmp_path, 5, 5)
    assert main([*words, "--prefill", "5"]) == 0
    one = (tmp_path / "out" / "program.parquet").read_bytes()
    assert "sides" not in report_of(tmp_path)["window"]
    assert main([*words, "--prefill", "5,5"]) == 0
    assert (tmp_path / "out" / "program.parquet").read_bytes() == one


def test_padding_of_one_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The mask hides 2 of 6 source tokens of each sequence; a mean over them is of no side."""
    path = two_sided(tmp_path, "source", "target", masked=True)
    mask = np.ones((4, 6), dtype=np.int64)
    mask[:, 4:] = 0
    np.savez(tmp_path / "x.npz", **ids(6, 9, 4), attention_mask=mask)
    out = str(tmp_path / "out")
    words = ["compile", str(path), "--inputs", str(tmp_path / "x.npz"), *WORDS, "-o", out]
    assert main(words) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "executed: largest error" in told
    assert "; 2 tokens that the attention mask hides are not routed" in told


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("7", "'input_ids' has 7, 'decoder_input_ids' has 5; one number .* each side: 7,5"),
        ("7,9", "'decoder_input_ids': sequences of 5 tokens, --prefill 7,9 needs 9"),
        ("7,5,3", "asked for --prefill 7,5,3, but the model has 2 sides"),
        ("7,0", "Input should be greater than or equal to 1"),
        ("7,x", "Input should be a valid integer"),
    ],
)
def test_lengths_that_cannot_be(
    typed: str, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*written(tmp_path, 7, 5), "--prefill", typed]) == 2
    assert re.search(problem, " ".join(capsys.readouterr().err.split()))
