"""Routed experts that stay off the crossbars: compiled, checked, executed and counted."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import moexbar as mx
from ir.compiled import Compiled
from ir.errors import CheckError, InputError
from ir.mapping import RoutedOwner
from ir.program import Opcode
from ir.verify import verify_program
from moexbar.__main__ import main
from moexbar.report.executed import Executed
from tests.compiler.frontend import models

PREFILL = 24
DIGITAL = ((0, 1), (1, 0), (1, 3))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model of two MoE layers of 4 experts, top 2, with a shared expert, and its inputs."""
    folder = tmp_path_factory.mktemp("digital")
    path = models.write(folder, [models.dense_masked(shared=models.gated_shared)] * 2)
    np.savez(folder / "x.npz", **models.token_ids(PREFILL, 4))
    return path, folder / "x.npz"


def compiled(
    files: tuple[Path, Path], digital: tuple[tuple[int, int], ...], decode: int = 0
) -> mx.Compilation:
    return mx.compile(
        files[0],
        "neurosim",
        inputs=files[1],
        prefill=PREFILL - decode,
        decode=decode,
        grouping=mx.GroupingOptions(digital=digital),
        baselines="none",
        least_placed=0,
    )


@pytest.fixture(scope="module")
def split(files: tuple[Path, Path]) -> mx.Compilation:
    return compiled(files, DIGITAL)


def worst(done: mx.Compilation) -> float:
    executed = done.report.executed
    assert isinstance(executed, Executed) and executed.worst is not None
    return executed.worst


def digital_rows(done: Compiled) -> Any:
    p = done.program
    return np.flatnonzero((p.opcode == Opcode.DIGITAL) & (p.expert >= 0))


def test_their_pairs_run_on_digital_units_and_the_model_is_the_same(split: mx.Compilation) -> None:
    """Every chosen pair of a digital expert is one instruction, of the others none is."""
    done = split.compiled
    p, layers = done.program, [op.layer for op in done.workload.moe_layers]
    found = {(layer, e): 0 for layer in layers for e in range(models.EXPERTS)}
    for row in digital_rows(done).tolist():
        found[int(p.layer[row]), int(p.expert[row])] += 1
    wanted = {
        (layer, e): int(done.chosen[layer][:, e].sum()) if (layer, e) in DIGITAL else 0
        for layer, e in found
    }
    assert found == wanted
    assert sum(found.values()) > 0
    held = {
        (b.layer, b.owner.expert) for b in done.mapping.blocks if isinstance(b.owner, RoutedOwner)
    }
    assert held == set(found) - set(DIGITAL)
    assert worst(split) < 2e-6


def test_decode_steps_too(files: tuple[Path, Path]) -> None:
    """A chosen pair of a later step runs in that step."""
    done = compiled(files, DIGITAL, decode=3)
    assert {int(n) for n in done.program.step[digital_rows(done.compiled)]} >= {0, 1}
    assert worst(done) < 2e-6


def test_what_a_token_costs_there(split: mx.Compilation) -> None:
    """Three matrices of 16 x 24 in 32 bits: 4608 bytes from DRAM, for each token."""
    row = split.report.layers[1].digital
    assert row is not None
    assert [one.expert for one in row] == [0, 3]
    assert {one.weight_bytes for one in row} == {3 * models.D * models.HIDDEN * 4}
    done = split.compiled
    p, mine = done.program, digital_rows(done)
    assert {int(n) for n in p.macs[mine]} == {3 * models.D * models.HIDDEN}
    assert {n / 1e3 for n in p.duration_ps[mine].tolist()} == {one.token_ns for one in row}
    assert row[0].token_ns > 4608 * 1e3 / done.chip.memory.dram_mb_per_s  # MB/s: bytes a us


def test_a_program_without_one_of_them_is_refused(split: mx.Compilation) -> None:
    """An instruction that says it is of another expert: its own pair is missing."""
    done = split.compiled
    expert = done.program.expert.copy()
    row = digital_rows(done)[0]
    expert[row] = next(e for e in range(models.EXPERTS) if e != expert[row])
    with pytest.raises(CheckError, match="digital expert"):
        verify_program(replace(done, program=replace(done.program, expert=expert)))


def test_written_and_read_back(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the command, from what `accuracy` found; every other command takes the folder."""
    found = tmp_path / "found.json"
    found.write_text(json.dumps({"digital": [{"layer": n, "expert": e} for n, e in DIGITAL]}))
    out = str(tmp_path / "out")
    words = ["--inputs", str(files[1]), "--chip", "neurosim", "--prefill", str(PREFILL)]
    words += ["--no-baselines", "--least-placed", "0", "--digital-experts", str(found), "-o", out]
    assert main(["compile", str(files[0]), *words]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "layer 1: digital experts 0 (" in printed
    assert "4.5 KiB from DRAM each time" in printed
    assert json.loads((tmp_path / "out/mapping.json").read_text())["groups"][1]["digital"] == [0, 3]
    assert main(["verify", out]) == 0
    assert main(["simulate", out]) == 0
    assert mx.accuracy(out, routing="free").errors[-1].rms < 0.2
    assert mx.accuracy(out, routing="fixed").errors[-1].rms < 0.2


@pytest.mark.parametrize(
    ("experts", "problem"),
    [
        (((7, 0),), "layer 7, expected one of the MoE layers"),
        (((0, 4),), "layer 0: expert 4, expected 0 to 3"),
        (tuple((0, e) for e in range(4)), "all 4, expected at least one on crossbars"),
    ],
)
def test_refused(
    files: tuple[Path, Path], experts: tuple[tuple[int, int], ...], problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        compiled(files, experts)
