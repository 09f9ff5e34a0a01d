"""A configuration in the commands: costed and simulated like a model, never executed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import moexbar as mx
from ir.errors import InputError
from moexbar.__main__ import main
from moexbar.files.routing_file import load_routing
from tests.moexbar.configurations.small import config


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main([str(word) for word in words])
    shown = capsys.readouterr()
    return code, " ".join(shown.out.split()), shown.err


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """A folder with a config.json alone, and a trace of its shape: 4 sequences of 64 tokens."""
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "config.json").write_text(json.dumps(config("mixtral")), encoding="utf-8")
    random = np.random.default_rng(0)
    choices = random.random((2, 256, 8)).argsort(axis=2)[:, :, :2].astype(np.int16)
    np.savez(
        tmp_path / "trace.npz",
        layer=np.arange(2),
        num_experts=np.full(2, 8),
        sequence=np.repeat(np.arange(4), 64),
        choices=choices,
    )
    return tmp_path / "hub"


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("given", ["config.json", "."])
def test_compiles_and_simulates_without_being_executed(
    given: str, hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ("--routing", tmp_path / "trace.npz", "--prefill", 32, "-o", out)
    code, shown, _ = run(capsys, "compile", hub / given, *words)
    assert code == 0
    assert "not executed: nothing to execute: a configuration has no weights fitted" in shown
    found = report(out)
    assert found["executed"] == {"skipped": "nothing to execute: a configuration has no weights"}
    assert found["model"]["name"] == "mixtral"
    assert found["model"]["notes"][0].startswith("read from a configuration (mixtral)")
    assert not any("made up" in note for note in found["model"]["notes"])
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["inputs"]["model"]["file"] == "config.json"
    assert manifest["inputs"]["model"]["sha256"] == found["model"]["sha256"]
    code, shown, _ = run(capsys, "simulate", out)
    assert code == 0
    assert "all times hold" in shown
    for command in ("verify", "accuracy"):
        code, _, told = run(capsys, command, out)
        assert code == 2
        assert "config.json: a configuration has no weights: nothing to execute" in told


def test_routing_is_asked_for_and_can_be_made_up(
    hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    code, _, told = run(capsys, "compile", hub, "-o", out)
    assert code == 2
    assert "no routing; give --routing R.npz or --routing synthetic, made up" in told
    words = ("--routing", "synthetic", "--seed", 3, "--prefill", 32)
    code, _, told = run(capsys, "compile", hub, *words, "-o", out)
    assert code == 0
    made_up = "the routing is made up (synthetic, seed 3, docs/examples.md): 8192 tokens"
    assert made_up in told
    assert any(made_up in note for note in report(out)["model"]["notes"])
    routing = load_routing(out / "routing.npz")
    assert (routing.layers, routing.tokens, routing.num_experts.tolist()) == (2, 8192, [8, 8])
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert "routing" not in manifest["inputs"]


def test_made_up_routing_is_as_long_as_the_window(hub: Path) -> None:
    """2 sequences of 1100 tokens: 8 are drawn of 4 topics, each of 275 tokens instead of 256."""
    done = mx.compile(
        hub,
        routing="synthetic",
        prefill=1100,
        batch=2,
        baselines="none",
        grouping=mx.GroupingOptions("sorted"),
    )
    assert done.routing.tokens == 8 * 1100
    assert done.report.window.tokens == 2 * 1100


def test_inputs_are_refused(hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "inputs.npz", input_ids=np.zeros((1, 8), dtype=np.int64))
    words = ("--inputs", tmp_path / "inputs.npz", "-o", tmp_path / "out")
    for command in ("compile", "profile"):
        code, _, told = run(capsys, command, hub, *words)
        assert code == 2
        assert "a configuration has no weights" in told
    with pytest.raises(InputError, match="a configuration has no weights"):
        mx.profile(hub, tmp_path / "inputs.npz")


def test_model_lists_it(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, told = run(capsys, "model", hub / "config.json")
    assert code == 0
    assert "mixtral: 2 layers, 2 MoE layers, 9 dense matrices" in shown
    assert "read from a configuration (mixtral): a shape without weights" in told
    code, shown, _ = run(capsys, "model", hub, "--json")
    assert code == 0
    assert json.loads(shown)["decode"] == "derived"


def test_a_dense_model_needs_no_routing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "small-llama.json"
    path.write_text(json.dumps(config("llama")), encoding="utf-8")
    for routing in ((), ("--routing", "synthetic")):
        words = (*routing, "--prefill", 16, "--decode", 2, "-o", tmp_path / "out")
        code, shown, _ = run(capsys, "compile", path, *words)
        assert code == 0
        assert shown.startswith("small-llama on")


def test_python(hub: Path, tmp_path: Path) -> None:
    with mx.open_model(hub) as model:
        assert model.configuration is not None
        assert model.configuration.sizes.experts == 8
        assert model.path == hub / "config.json"
        assert repr(model) == f"<Model {hub / 'config.json'}>"
        done = mx.compile(model, routing=tmp_path / "trace.npz", prefill=16, baselines="none")
    assert len(done.program) > 0
    with pytest.raises(InputError, match=r'give routing=\.\.\., or "synthetic", made up'):
        mx.compile(hub)
