"""`moexbar compile --placement`: the certificate in the report, and requests that cannot be met."""

import json
from pathlib import Path

import pytest

from compiler.options import PLACERS
from moexbar.__main__ import main
from tests.paths import MODELS

QUICK = ["--prefill", "16", "--no-baselines", "--grouping", "sorted", "--scheduling", "compact"]


def test_every_placement_carries_its_certificate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compile", str(MODELS / "token_choice.onnx"), "--time", "0.5", *QUICK]
    words += ["--inputs", str(MODELS / "heldout.npz"), "--json"]
    traffic = {}
    for placer in PLACERS:
        out = str(tmp_path / placer)
        assert main([*words, "--placement", placer, "-o", out]) == 0
        placed = json.loads(capsys.readouterr().out)["placement"]
        assert placed["solver"] == placer
        traffic[placer] = placed["traffic"]
        assert traffic[placer]["objective"] == "packets x hops"
        assert traffic[placer]["bound"] <= traffic[placer]["value"]
    # 125 PGs of 16 to a core: regions of 2 x 2 cores instead of 1 x 4
    assert traffic["cp-sat"]["value"] < 0.8 * traffic["in-order"]["value"]
    assert traffic["cp-sat"]["value"] <= traffic["squares"]["value"] < traffic["in-order"]["value"]


def test_an_unknown_placer_is_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compile", str(MODELS / "token_choice.onnx"), "--placement", "magic", *QUICK]
    words += ["--inputs", str(MODELS / "heldout.npz"), "-o", str(tmp_path / "out")]
    assert main(words) == 2
    assert "'magic' is not one of 'in-order', 'squares', 'cp-sat'" in capsys.readouterr().err


def test_a_matrix_larger_than_the_mesh_is_code_5(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # 128 x 128 weights on 8 x 8 cells, 2 a weight: 16 x 32 tiles; 8 x 8 cores of 4 PGs hold 256
    words = ["compile", str(MODELS / "token_choice.onnx"), "--chip", "tiny", *QUICK]
    words += ["--set", "mesh.width=8", "--set", "mesh.height=8", "--placement", "cp-sat"]
    words += ["--inputs", str(MODELS / "heldout.npz"), "-o", str(tmp_path / "out")]
    assert main(words) == 5
    told = capsys.readouterr().err
    assert "peripheral groups for layer 0 dense" in told
    assert "needs 512 (16 x 32 tiles that fire together), has 256" in told
    assert "set mesh.height to at least 16" in told


def test_copies_that_would_never_get_a_token_are_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Copies take the 16 tokens of a pass in turn: the 17th would have none."""
    words = ["compile", str(MODELS / "token_choice.onnx"), "--dense-copies", "17", *QUICK]
    words += ["--inputs", str(MODELS / "heldout.npz"), "-o", str(tmp_path / "out")]
    assert main(words) == 2
    assert "dense copies: 17, expected at most the 16 tokens of a pass" in capsys.readouterr().err
