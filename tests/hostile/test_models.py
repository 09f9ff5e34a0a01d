"""Models from strangers: each is refused in one line that names file and field, for little."""

import re
from pathlib import Path

import pytest

from moexbar.__main__ import main
from tests.hostile.build import Bad
from tests.hostile.doubling import DOUBLING
from tests.hostile.experts import EXPERTS
from tests.hostile.external import EXTERNAL, GOOD
from tests.hostile.sizes import SIZES
from tests.hostile.structure import FILES, GRAPHS, NAMES, TENSORS

TABLES = {
    "files": FILES,
    "graphs": GRAPHS,
    "names": NAMES,
    "tensors": TENSORS,
    "external": EXTERNAL,
    "sizes": SIZES,
    "doubling": DOUBLING,
    "experts": EXPERTS,
}
CASES = {f"{table}: {name}": bad for table, cases in TABLES.items() for name, bad in cases.items()}


def test_there_are_many() -> None:
    assert len(CASES) > 150


@pytest.mark.parametrize("bad", CASES.values(), ids=CASES)
def test_refused(bad: Bad, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = bad.write(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    code = main(["model", str(path)])
    said = capsys.readouterr()
    assert (code, said.out) == (2, ""), said
    lines = [line for line in said.err.splitlines() if not line.startswith("note: ")]
    assert len(lines) == 1
    assert lines[0].startswith(f"error: {path}: ")
    assert re.search(bad.says, lines[0]), lines[0]
    assert lines[0].isprintable()
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("good", GOOD.values(), ids=GOOD)
def test_its_neighbours_are_not(good: Bad, tmp_path: Path) -> None:
    assert main(["model", str(good.write(tmp_path))]) == 0
