"""A model whose routed experts are ternary in the file, compiled: cells, PGs and errors."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import moexbar as mx
from tests.compiler.frontend import models
from tests.compiler.frontend.ternary import multiplied, shared_in_full

PREFILL = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compiled for `neurosim` (1-bit cells, 8-bit weights) with 16 columns, two experts to a PG."""
    made = tmp_path_factory.mktemp("ternary")
    path = models.write(made, [models.dense_masked(shared=shared_in_full)], stored=multiplied)
    np.savez(made / "x.npz", **models.token_ids(PREFILL, 4))
    done = mx.compile(
        path,
        inputs=made / "x.npz",
        chip=mx.load_chip("neurosim", {"crossbar.columns": 16, "pg.mux": 2}),
        prefill=PREFILL,
        baselines="none",
        least_placed=0,
    )
    done.save(made / "out")
    return made / "out"


def blocks(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "mapping.json").read_text())["blocks"]
    return found


def test_ternary_experts_take_a_pair_of_cells_and_the_shared_one_eight(folder: Path) -> None:
    """Up is 16 x 24: 16 // 2 = 8 ternary weights in a row of cells, 3 tiles; 16 // 8 = 2, 12 tiles.

    Nothing was rounded for that, and what was executed is the file's own model.
    """
    report = json.loads((folder / "report.json").read_text())
    assert report["model"]["experts"] == "stored"
    assert report["executed"]["worst"] < 2e-6
    ups = [b for b in blocks(folder) if b["role"] == "up"]
    assert {(b["format"], b["columns"]) for b in ups if b["expert"] >= 0} == {("ternary", 3)}
    assert {(b["format"], b["columns"]) for b in ups if b["shared"] >= 0} == {("binary", 12)}


def test_the_shared_expert_shares_no_pg(folder: Path) -> None:
    pgs: dict[bool, list[int]] = {True: [], False: []}
    for b in blocks(folder):
        if b["expert"] >= 0 or b["shared"] >= 0:
            first = b["pg_start"]
            pgs[b["shared"] >= 0] += range(first, first + b["rows"] * b["columns"])
    assert len(set(pgs[True])) == len(pgs[True])
    assert not set(pgs[True]) & set(pgs[False])
    assert len(set(pgs[False])) == len(pgs[False]) // 2


def test_its_errors_are_told(folder: Path) -> None:
    """With ideal converters only inputs and the weights in full are rounded: 8 bits of each."""
    ideal = mx.Analog.of(mx.read_compiled(folder).executable.chip, adc_bits=None)
    found = mx.accuracy(folder, ideal)
    assert np.isfinite(found.errors[-1].rms)
    assert found.errors[-1].rms < 0.05
