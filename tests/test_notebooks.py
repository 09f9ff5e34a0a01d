"""Every notebook runs from first to last cell, and gives what it shows."""

from pathlib import Path

import nbformat
import pytest

from benchmarks.notebooks import executed, notebooks, plain


@pytest.mark.slow
@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_notebook_gives_what_it_shows(path: Path) -> None:
    shown = nbformat.read(path, as_version=4)
    found = executed(path)
    assert [cell.source for cell in found.cells] == [cell.source for cell in shown.cells]
    for before, now in zip(shown.cells, found.cells, strict=True):
        assert before.get("outputs", []) == now.get("outputs", []), (
            f"{now.source}\n\nrewrite with python -m benchmarks.notebooks"
        )


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_notebook_is_kept_plain(path: Path) -> None:
    """Nothing in the file is of the machine that ran it, and every cell has run."""
    book = nbformat.read(path, as_version=4)
    assert nbformat.writes(plain(book)) + "\n" == path.read_text(encoding="utf-8")
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    said = [output for cell in code for output in cell.outputs]
    assert not [output for output in said if output.output_type in ("error", "stream_err")]
    assert not [output for output in said if output.get("name") == "stderr"]
