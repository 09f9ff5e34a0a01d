"""`compile --decode`: steps and caches on the shipped models, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moexbar.__main__ import main
from tests.paths import MODELS


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four sequences of the held-out text."""
    path = tmp_path_factory.mktemp("inputs") / "four.npz"
    with np.load(MODELS / "heldout.npz") as held:
        np.savez(path, **{name: held[name][:4] for name in held.files})
    return path


def compiled(tmp_path: Path, inputs: Path, model: str, *more: str) -> dict[str, Any]:
    """The report of a small compilation with four decode steps."""
    out = tmp_path / "out"
    done = main(
        [
            "compile",
            str(MODELS / f"{model}.onnx"),
            "--inputs",
            str(inputs),
            "--prefill",
            "12",
            "--decode",
            "4",
            "--grouping",
            "lpt",
            "--no-baselines",
            "-o",
            str(out),
            *more,
        ]
    )
    assert done == 0
    report: dict[str, Any] = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return report


@pytest.mark.parametrize("kv", ["on", "off"])
@pytest.mark.parametrize("go", ["on", "off"])
def test_every_cache_mode_of_the_expert_choice_model(
    tmp_path: Path, inputs: Path, kv: str, go: str, capsys: pytest.CaptureFixture[str]
) -> None:
    report = compiled(tmp_path, inputs, "expert_choice", "--kv", kv, "--go", go)
    assert len(report["steps"]["decode_ns"]) == 4
    held = report["memory"]
    assert (held["kv_bytes"] > 0, held["go_bytes"] > 0) == (kv == "on", go == "on")
    dynamic = report["methods"][0]["energy_nj"]["dynamic"]
    assert ("KV_RD" in dynamic, "GO_RD" in dynamic) == (kv == "on", go == "on")
    static = report["methods"][0]["energy_nj"]["static"]
    assert ("DRAM idle" in static) == (kv == "on" or go == "on")
    shown = capsys.readouterr().out
    assert "4 steps of" in shown
    assert ("no KV cache" in shown, "no GO cache" in shown) == (kv == "off", go == "off")


def test_token_choice_keeps_every_key_and_has_no_use_for_a_go_cache(
    tmp_path: Path, inputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = compiled(tmp_path, inputs, "token_choice")["memory"]
    # 4 layers x 16 tokens x a key and a value of 128 bytes
    assert held["kv_bytes"] == 4 * 16 * 2 * 128
    assert held["go_bytes"] == 0
    assert "token choice needs no GO cache" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["token_choice", "expert_choice"])
def test_two_sequences_together_are_what_the_runtime_computes(
    tmp_path: Path, inputs: Path, name: str
) -> None:
    """Both shipped files have a free batch axis; keys and values are of both sequences."""
    report = compiled(tmp_path, inputs, name, "--batch", "2")
    # 2 sequences x 4 layers x 16 tokens x a key and a value of 128 bytes
    assert report["memory"]["kv_bytes"] == 2 * 4 * 16 * 2 * 128
    assert report["executed"]["first_wrong_instruction"] == -1
    assert report["executed"]["worst"] < 1e-4


def test_caches_larger_than_the_memory_are_refused(
    tmp_path: Path, inputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = main(
        [
            "compile",
            str(MODELS / "token_choice.onnx"),
            "--inputs",
            str(inputs),
            "--prefill",
            "12",
            "--decode",
            "4",
            "--grouping",
            "lpt",
            "--no-baselines",
            "--set",
            "memory.dram_kib=8",
            "-o",
            str(tmp_path / "out"),
        ]
    )
    assert done == 5
    error = capsys.readouterr().err
    assert "needs 16384 bytes" in error
    assert "has memory.dram_bytes 8192" in error
    assert not (tmp_path / "out").exists()
