"""The picture of README and architecture.md shows the house as it is."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "images" / "pipeline.svg"


def folders(package: str) -> set[str]:
    """Names of all sub-packages of a top-level package, at any depth."""
    inits = (ROOT / package).glob("*/**/__init__.py")
    return {init.parent.name for init in inits}


def modules(package: str) -> set[str]:
    """Names of the modules that lie directly in a top-level package."""
    return {path.stem for path in (ROOT / package).glob("*.py")} - {"__init__"}


def words_of(picture: Path) -> set[str]:
    """Every word that the picture shows; its title and description are not seen."""
    shown: list[str] = []
    root = ElementTree.parse(picture).getroot()  # noqa: S314 - our own file
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        shown += re.findall(r"\w+", " ".join(text.itertext()))
    return set(shown)


@pytest.mark.parametrize(
    ("package", "rooms"),
    [
        ("compiler", folders("compiler")),
        # a backend is a folder or a single module
        ("backends", folders("backends") | modules("backends")),
    ],
)
def test_every_room_is_in_the_picture(package: str, rooms: set[str]) -> None:
    assert len(rooms) >= 5, f"{package}/ has few rooms: is it where this test looks?"
    missing = sorted(rooms - words_of(PICTURE))
    assert not missing, f"docs/images/pipeline.svg shows nothing of {package}/: {missing}"


def test_the_picture_needs_nothing_from_elsewhere() -> None:
    # GitHub shows it as an image: no script, no font, no picture is loaded for it.
    text = PICTURE.read_text(encoding="utf-8")
    assert not re.findall(r"<(?:script|image|foreignObject)|href=|@import|@font-face", text)
    assert set(re.findall(r"url\(([^)]*)\)", text)) == {"#tip"}
