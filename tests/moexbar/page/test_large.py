"""Pages of what people compile, not of test models: whole, small, and asking for nothing."""

from pathlib import Path
from typing import Any

import pytest

import moexbar as mx
from moexbar.compilation import Compilation
from tests.moexbar.page.watched import draw_all, opened
from tests.paths import MODELS

MOST_BYTES = 6_000_000


def drawn(browser: Any, done: Compilation, folder: Path) -> int:
    """Write the page of a compilation, open it, draw all of it; how many pictures it has.

    How soon the first screen is there, `python -m benchmarks.pages` tells.
    """
    done.save(folder, ("report", "program", "mapping", "routing", "page"))
    file = folder / "report.html"
    assert file.stat().st_size <= MOST_BYTES
    with opened(browser, file) as (page, seen):
        many = draw_all(page)
        assert seen.nothing, seen
    return many


@pytest.mark.slow
def test_the_shipped_model(browser: Any, tmp_path: Path) -> None:
    done = mx.compile(MODELS / "token_choice.onnx", inputs=MODELS / "heldout.npz", prefill=128)
    assert drawn(browser, done, tmp_path / "out") >= 12


@pytest.mark.slow
def test_a_model_of_billions(browser: Any, tmp_path: Path) -> None:
    """LLaMA-MoE-3.5B in its own shape: 32 layers, each with a picture of co-activation."""
    mx.write_example("llama-moe-3.5b", tmp_path / "llama")
    done = mx.compile(
        tmp_path / "llama" / "llama-moe-3.5b.onnx",
        routing=tmp_path / "llama" / "routing.npz",
        prefill=32,
        baselines="none",
    )
    assert drawn(browser, done, tmp_path / "out") >= 40
