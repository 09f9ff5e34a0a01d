"""One compilation, one comparison and one browser for all tests of pages."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import moexbar as mx
from moexbar.figures.figure import Shown
from moexbar.files.output import read_output
from moexbar.page.compiled import compiled_page
from moexbar.page.document import render
from moexbar.page.reading import read_shown
from tests.moexbar.page.watched import OPTIONS
from tests.paths import TINY


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a compilation in a few seconds: two MoE layers of eight experts."""
    out = tmp_path_factory.mktemp("page") / "out"
    done = mx.compile(
        TINY / "model.onnx",
        "hermes-mux2",
        inputs=TINY / "inputs.npz",
        prefill=16,
        baselines="paper",
    )
    done.save(out, ("report", "program", "mapping", "routing", "page"))
    return out


@pytest.fixture(scope="session")
def shown(folder: Path) -> Shown:
    return read_shown(read_output(folder, ("compile",)))


@pytest.fixture(scope="session")
def page_file(shown: Shown, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "compiled.html"
    path.write_bytes(render(compiled_page(shown)))
    return path


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real Chromium; without one a test is skipped, but not where CI has put one."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        assert "CI" not in os.environ, "no Chromium: .ci/run installs it"
        pytest.skip("no Chromium on the path: pages are not opened")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=found, args=list(OPTIONS))
        yield opened
        opened.close()
