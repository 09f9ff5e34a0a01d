"""The files that `benchmarks.fuzz_artifacts` changes: of each kind a small one, made once."""

import json
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np

import moexbar as mx
from moexbar.__main__ import main as moexbar
from tests.paths import TINY

SWEEP = """
model = "{model}"
inputs = "{inputs}"
prefill = 4
chip = "hermes-mux2"

[vary]
"chip.pg.mux" = [1, 2]
"""
CHIP = """
description = "changed at random"
extends = "hermes-mux2"

[pg]
mux = { value = 4, source = "somewhere" }

[mvm]
read_ns = { value = 130, assumed = true, why = "as good as any", low = 100, high = 200 }

[bus]
transfers_per_slot = "auto"

[die]
count = 2
width_mm = 10
height_mm = 10
topology = "table"
links = [[0, 1]]

[link]
kind = "board"
"""
ARRIVALS = "0 0 1 2 # the first four\n3, 4, 5\n6\n"


@dataclass(frozen=True)
class Seeds:
    """Folders of ours and single files, each small. compiled: with two MoE layers and 4 tokens."""

    compiled: Path
    explored: Path
    compared: Path
    designed: Path
    files: dict[str, Path]


def made(folder: Path) -> Seeds:
    """Make all in a folder: some seconds."""
    names = ("compiled", "explored", "compared", "designed")
    compiled, explored, compared, designed = (folder / name for name in names)
    tiny = [str(TINY / "model.onnx"), "--inputs", str(TINY / "inputs.npz"), "--prefill", "4"]
    _run("compile", *tiny, "--baselines", "none", "-o", str(compiled))
    sweep = folder / "sweep.toml"
    sweep.write_text(SWEEP.format(model=TINY / "model.onnx", inputs=TINY / "inputs.npz"))
    _run("explore", str(sweep), "-o", str(explored), "--processes", "1")
    trace = compiled / "routing.npz"
    few = ["--solvers", "sorted", "--layer", "0", "--window", "16"]
    _run("compare", str(trace), *few, "-o", str(compared))
    _run("design", *tiny, "--latency", "1000", "--frontier", "4", "-o", str(designed))
    files = {"sweep.toml": sweep} | _given(folder, trace)
    return Seeds(compiled, explored, compared, designed, files)


def _given(folder: Path, trace: Path) -> dict[str, Path]:
    """Files that people give."""
    routing = mx.load_routing(trace)
    assert routing.choices is not None
    table = routing.to_arrow().to_pandas()
    choices = routing.choices[:, :40]
    small = table[table["token"] < 40]
    paths = {
        name: folder / name
        for name in (
            "groups.json",
            "stacks.json",
            "digital.json",
            "arrivals.txt",
            "chip.toml",
            "choices.npz",
            "scores.npz",
            "ids.npy",
            "trace.csv",
            "trace.parquet",
            "trace.jsonl",
            "load.npz",
            "load.csv",
        )
    }
    paths["groups.json"].write_text(
        _said("group", str(trace), "--grouping", "sorted", "--window", "16", "--json")
    )
    stacks = {"format": "moexbar-stacks 1", "solver": "by hand", "certificate": None}
    members = [[{"layer": 0, "stage": 0, "group": 4}, {"layer": 1, "stage": 0, "group": 4}]]
    paths["stacks.json"].write_text(json.dumps({**stacks, "stacks": members}))
    digital = {"schema": 2, "digital": [{"layer": 0, "expert": 1}, {"layer": 1, "expert": 3}]}
    paths["digital.json"].write_text(json.dumps(digital))
    paths["arrivals.txt"].write_text(ARRIVALS)
    paths["chip.toml"].write_text(CHIP)
    np.savez_compressed(paths["choices.npz"], choices=choices, num_experts=8)
    draw = np.random.default_rng(0)
    scores = draw.random((2, 40, 8)).astype(np.float32)
    np.savez_compressed(paths["scores.npz"], scores=scores, num_experts=8, capacity=10)
    np.save(paths["ids.npy"], choices[0])
    small.to_csv(paths["trace.csv"], index=False)
    small.to_parquet(paths["trace.parquet"])
    small.to_json(paths["trace.jsonl"], orient="records", lines=True)
    np.savez_compressed(paths["load.npz"], load=draw.integers(0, 90, (3, 2, 8)))
    paths["load.csv"].write_text("layer,expert,count\n0,0,5\n0,1,7\n1,0,2\n1,1,9\n")
    return paths


def _run(*words: str) -> None:
    _said(*words)


def _said(*words: str) -> str:
    """What a command prints; RuntimeError where it fails."""
    said = StringIO()
    with redirect_stdout(said):
        code = moexbar(list(words))
    if code:
        raise RuntimeError(" ".join(words))
    return said.getvalue()
