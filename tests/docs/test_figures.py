"""docs/figures.md shows every kind of picture, and nothing else."""

import re

from moexbar.figures.kinds import COMPARED, KINDS, SWEPT
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
EVERY = {
    name: (kind.shows, kind.source)
    for kinds in (KINDS, COMPARED, SWEPT)
    for name, kind in kinds.items()
}
MOST = 1_500_000  # bytes of all pictures


def test_every_kind_has_its_line_in_order() -> None:
    found = re.findall(r"^`([a-z-]+)`: (.+); from (.+)\.$", PAGE, re.MULTILINE)
    assert [(name, (shows, source)) for name, shows, source in found] == list(EVERY.items())


def test_every_kind_has_its_picture() -> None:
    found = re.findall(r"^!\[([a-z-]+)\]\((images/figures/\S+)\)$", PAGE, re.MULTILINE)
    assert [name for name, _ in found] == list(EVERY)
    shown = {(ROOT / "docs" / path) for _, path in found}
    assert shown == set((ROOT / "docs" / "images" / "figures").iterdir())
    assert sum(path.stat().st_size for path in shown) < MOST
