"""A folder given for a model: its only one is taken; a hub cache's snapshot with its links too."""

import os
import shutil
from pathlib import Path

import onnx
import pytest

from moexbar.__main__ import main
from tests.paths import TINY


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main([str(word) for word in words])
    shown = capsys.readouterr()
    return code, " ".join(shown.out.split()), shown.err


def snapshot(hub: Path) -> Path:
    """The tiny model as a hub cache holds it, weights beside the graph: the snapshot's folder."""
    whole = hub / "models--some--tiny"
    folder, made = whole / "snapshots" / "0123abcd", hub / "made"
    for each in (folder / "onnx", whole / "blobs", made):
        each.mkdir(parents=True)
    onnx.save(
        onnx.load(TINY / "model.onnx"),
        made / "model.onnx",
        save_as_external_data=True,
        location="model.onnx_data",
        size_threshold=256,
    )
    for number, name in enumerate(("model.onnx", "model.onnx_data")):
        blob = whole / "blobs" / f"{number:040x}"
        shutil.move(made / name, blob)
        (folder / "onnx" / name).symlink_to(os.path.relpath(blob, folder / "onnx"))
    return folder


def test_a_snapshot_is_compiled_executed_and_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = snapshot(tmp_path), tmp_path / "out"
    words = ("--inputs", TINY / "inputs.npz", "--prefill", 16, "-o", out)
    code, shown, told = run(capsys, "compile", folder, *words)
    assert code == 0, told
    assert "executed: largest error" in shown
    code, shown, told = run(capsys, "verify", out)
    assert code == 0, told
    assert "executed: largest error" in shown


def test_a_link_out_of_the_cache_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = snapshot(tmp_path)
    link = folder / "onnx" / "model.onnx_data"
    shutil.copy(link, tmp_path / "outside")
    link.unlink()
    link.symlink_to(tmp_path / "outside")
    code, _, told = run(capsys, "model", folder)
    assert code == 2
    assert "symbolic link, out of the cache's folder" in told
    assert "cp -rL" in told


def test_which_file_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, told = run(capsys, "model", tmp_path)
    assert code == 2
    assert "a folder without a model" in told
    shutil.copy(TINY / "model.onnx", tmp_path / "one.onnx")
    (tmp_path / "config.json").write_text("not read where there is a model", encoding="utf-8")
    code, shown, _ = run(capsys, "model", tmp_path)
    assert code == 0
    assert shown.startswith("one: 2 layers")
    (tmp_path / "onnx").mkdir()
    shutil.copy(TINY / "model.onnx", tmp_path / "onnx" / "two.onnx")
    code, _, told = run(capsys, "model", tmp_path)
    assert code == 2
    assert "a folder of 2 models: one.onnx, onnx/two.onnx; give one of them" in told
