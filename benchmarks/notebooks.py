"""The notebooks of examples/, run anew: each cell, from first to last, its output kept in the file.

    python -m benchmarks.notebooks            # run all, write what they give
    python -m benchmarks.notebooks --check    # which would change; nothing is written

Outputs that depend on the machine have no place in a notebook: the tests run each one and compare.
Exit code 1: a cell failed, or, with `--check`, an output differs.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "notebooks"
SECONDS = 300  # for a cell
KEPT = ("image/svg+xml", "text/html", "text/plain")  # the first that there is


def notebooks() -> list[Path]:
    """All of them, in order."""
    return sorted(FOLDER.glob("*.ipynb"))


def executed(path: Path) -> Any:
    """The notebook as it is after all its cells have run, in a folder of their own.

    The folder has `models` beside it, as in examples/. Raises CellExecutionError.
    """
    book = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "notebooks"
        folder.mkdir()
        (folder.parent / "models").symlink_to(FOLDER.parent / "models")
        client = NotebookClient(book, timeout=SECONDS, resources={"metadata": {"path": folder}})
        client.execute()
    return plain(book)


def plain(book: Any) -> Any:
    """The notebook without what changes from run to run: times, ids, what a machine is called."""
    book.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(book.cells, start=1):
        cell.id, cell.metadata = f"cell-{number}", {}
        if cell.cell_type == "code":
            cell.outputs = [_plain(output) for output in cell.outputs]
    return book


def _plain(output: Any) -> Any:
    if "data" in output:
        kept = [kind for kind in KEPT if kind in output.data]
        output.data = {kind: output.data[kind] for kind in kept[:1]}
        output.metadata = {}
    return output


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebook", nargs="*", type=Path, help="some of them; all by default")
    parser.add_argument("--check", action="store_true", help="write nothing")
    asked = parser.parse_args(argv)
    wrong = 0
    for path in asked.notebook or notebooks():
        try:
            text = nbformat.writes(executed(path)) + "\n"
        except CellExecutionError as error:
            print(f"{path.name}: {error}")
            wrong += 1
            continue
        same = text == path.read_text(encoding="utf-8")
        print(f"{path.name}: {'as it is' if same else 'differs'}")
        if asked.check:
            wrong += not same
        else:
            path.write_text(text, encoding="utf-8")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
