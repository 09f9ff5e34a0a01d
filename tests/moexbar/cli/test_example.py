"""`moexbar example` as users run it."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from ir.onnxdoor.processes.session import Runtime
from moexbar.__main__ import main
from moexbar.examples import write
from moexbar.examples.catalogue import EXAMPLES
from moexbar.files.routing_file import load_routing
from tests.moexbar.examples.small_examples import small


@pytest.fixture(autouse=True)
def small_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's own catalogue, with small sizes under the same names."""
    for name in list(EXAMPLES):
        monkeypatch.setitem(EXAMPLES, name, small(name))
    monkeypatch.setattr(write, "SEQUENCES", 4)


def test_writes_a_folder_that_compiles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "e"
    assert main(["example", "llama-moe-3.5b", "-o", str(folder), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["example"] == "llama-moe-3.5b"
    assert facts["sizes"]["experts"] == 16
    assert facts["routing"]["traits"]["rank"] > 0
    assert sorted(p.name for p in folder.iterdir()) == sorted([*facts["files"], "manifest.json"])
    trace = load_routing(folder / "routing.npz")
    assert (trace.layers, trace.tokens) == (2, 4 * 4 * 256)  # sequences of four topics
    done = main(
        [
            "compile",
            str(folder / "llama-moe-3.5b.onnx"),
            "--routing",
            str(folder / "routing.npz"),
            "--prefill",
            "32",
            "--chip",
            "tiny",
            "--set",
            "pg.mux=2",
            "--no-baselines",
            "-o",
            str(tmp_path / "out"),
        ]
    )
    assert done == 0


def test_says_what_to_do_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["example", "deepseek-v3", "-o", str(tmp_path / "e")]) == 0
    shown = capsys.readouterr().out
    assert "simplified: float16 weights instead of float8" in shown
    assert f"next: moexbar compile {tmp_path / 'e' / 'deepseek-v3.onnx'} --routing" in shown


def test_same_seed_same_files(tmp_path: Path) -> None:
    for folder, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main(["example", "mixtral-8x7b", "-o", str(tmp_path / folder), "--seed", seed]) == 0
    model, trace = (
        [(tmp_path / f / name).read_bytes() for f in "abc"]
        for name in ("mixtral-8x7b.onnx", "routing.npz")
    )
    assert model[0] == model[1] == model[2]
    assert load_routing(tmp_path / "a" / "routing.npz").matrix(0).tolist() == (
        load_routing(tmp_path / "b" / "routing.npz").matrix(0).tolist()
    )
    assert trace[0] != trace[2]


def test_tiny_is_executed_and_decodes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes with the package: nothing of a checkout is needed."""
    monkeypatch.setattr(write, "MODELS", tmp_path / "nowhere")
    folder = tmp_path / "tiny"
    assert main(["example", "tiny", "-o", str(folder)]) == 0
    model, inputs = folder / "model.onnx", folder / "inputs.npz"
    said = capsys.readouterr().out
    assert f"next: moexbar compile {model} --inputs {inputs} --prefill 128 -o" in said
    done = main(
        [
            "compile",
            str(model),
            "--inputs",
            str(inputs),
            "--prefill",
            "12",
            "--decode",
            "4",
            "--no-baselines",
            "--json",
            "-o",
            str(tmp_path / "out"),
        ]
    )
    assert done == 0
    assert 0 < json.loads(capsys.readouterr().out)["executed"]["worst"] <= 1e-4
    trace = load_routing(tmp_path / "out" / "routing.npz")
    assert (trace.layers, trace.tokens) == (2, 32 * (12 + 4))
    for row in range(2):  # two experts a token, and no expert is idle
        loads = trace.matrix(row).sum(axis=0)
        assert loads.sum() == 32 * 16 * 2
        assert loads.min() > 0


def test_tiny_predicts_its_text(runtime: Runtime) -> None:
    """Mean loss in nats per byte, below half of ln 256 = 5.55 of a model that has learned nothing.

    A byte of such text has 3.12 nats without its context; that of examples/models is 1.33.
    """
    part = runtime.load((write.PACKAGED / "model.onnx").read_bytes())
    with np.load(write.PACKAGED / "inputs.npz") as given:
        ids = given["input_ids"]
    assert (ids.shape, ids.dtype) == ((32, 256), np.int64)
    losses = []
    for row in ids[:8]:
        logits = part.run({"input_ids": row[None]}, ["logits"])["logits"][0, :-1]
        top = logits.max(axis=1)
        total = np.log(np.exp(logits - top[:, None]).sum(axis=1)) + top
        losses.append((total - logits[np.arange(255), row[1:]]).mean())
    assert np.mean(losses) < 1.6


def test_next_command_can_be_pasted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "my [bold] model"
    assert main(["example", "tiny", "-o", str(folder)]) == 0
    command = capsys.readouterr().out.splitlines()[-1].removeprefix("next: ")
    assert shlex.split(command)[2] == str(folder / "model.onnx")


def test_shipped_model_with_its_tokens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "tiny"
    assert main(["example", "tiny-token-choice", "-o", str(folder)]) == 0
    assert "--inputs" in capsys.readouterr().out
    shipped = write.MODELS / "token_choice.onnx"
    assert (folder / "tiny-token-choice.onnx").read_bytes() == shipped.read_bytes()
    assert (folder / "inputs.npz").is_file()


def test_shipped_model_without_the_repository(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "MODELS", tmp_path / "nowhere")
    assert main(["example", "tiny-token-choice", "-o", str(tmp_path / "e")]) == 2
    error = capsys.readouterr().err
    assert "comes with the repository" in error
    assert "take `tiny`" in error
    assert not (tmp_path / "e").exists()


@pytest.mark.parametrize(
    "name", ["mixtral", "../mixtral-8x7b", "", "mixtral-8x7b\n", "a" * 5000, "\x1b[31mred", "-"]
)
def test_hostile_name(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["example", "-o", str(tmp_path / "e"), "--", name]) == 2
    error = capsys.readouterr().err
    assert "expected one of tiny, tiny-token-choice" in error
    assert error.count("\n") == 1
    assert "\x1b[31mred" not in error
    assert list(tmp_path.iterdir()) == []


def test_refuses_a_folder_that_holds_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    assert main(["example", "mixtral-8x7b", "-o", str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_refuses_to_overwrite_an_earlier_example(tmp_path: Path) -> None:
    words = ["example", "mixtral-8x7b", "-o", str(tmp_path / "e")]
    assert main(words) == 0
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "e").iterdir()}
    assert main(words) == 2
    assert {p.name: p.stat().st_mtime_ns for p in (tmp_path / "e").iterdir()} == before


def test_refuses_a_file_and_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    for name in ("file", "link"):
        assert main(["example", "mixtral-8x7b", "-o", str(tmp_path / name)]) == 2
    assert (tmp_path / "file").read_text() == "kept"
    assert list((tmp_path / "empty").iterdir()) == []


@pytest.mark.parametrize("command", ["verify", "inspect", "simulate", "accuracy"])
def test_an_example_is_not_what_compile_wrote(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["example", "tiny", "-o", str(tmp_path / "tiny")]) == 0
    assert main([command, str(tmp_path / "tiny")]) == 2
    told = "holds an output of `moexbar example`, expected one of `moexbar compile`"
    assert capsys.readouterr().err == f"error: {tmp_path / 'tiny'}: {told}\n"
