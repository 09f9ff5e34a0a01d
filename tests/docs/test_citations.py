"""Docstrings cite sections of docs/model.md that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "docs" / "model.md"
SOURCES = ("ir", "compiler", "backends", "moexbar", "tests", "benchmarks", "examples")
HEADING = re.compile(r'^## \d+\. (\w+) <a id="(\w+)"></a>$', re.MULTILINE)


def citations() -> dict[str, set[str]]:
    """Sections of model.md that Python files name: file -> section names."""
    cited: dict[str, set[str]] = {}
    for folder in SOURCES:
        for path in (ROOT / folder).rglob("*.py"):
            if path == Path(__file__):
                continue
            unwrapped = re.sub(r"\s+#?\s*", " ", path.read_text(encoding="utf-8"))
            named = re.findall(r"docs/model\.md, section (\w+)", unwrapped)
            if named:
                cited[str(path.relative_to(ROOT))] = set(named)
    return cited


def test_cited_sections_exist() -> None:
    headings = {name for name, _ in HEADING.findall(MODEL.read_text(encoding="utf-8"))}
    cited = citations()
    assert len(cited) >= 8, f"only {sorted(cited)} cite it: is the form still the one looked for?"
    wrong = {path: sorted(names - headings) for path, names in cited.items() if names - headings}
    assert not wrong, f"docs/model.md has sections {sorted(headings)}, but cited are {wrong}"


def test_anchors_are_the_headings_in_lower_case_and_all_linked() -> None:
    text = MODEL.read_text(encoding="utf-8")
    anchors = [anchor for _, anchor in HEADING.findall(text)]
    assert anchors == [name.lower() for name, _ in HEADING.findall(text)]
    assert len(anchors) == text.count("\n## "), "a heading without number or anchor"
    # the list at the top links each, in order; further links in the text go to the same anchors
    assert re.findall(r"\d+ \[\w+\]\(#(\w+)\)", text) == anchors
    assert set(re.findall(r"\]\(#(\w+)\)", text)) == set(anchors)
