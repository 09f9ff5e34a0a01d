"""Seven places that hold a tensor, four ways out of the folder: nothing of the canary gets out."""

import base64
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from moexbar.__main__ import main
from tests.hostile.build import serialised
from tests.hostile.external import CARRIERS, carried

CANARY = b"CANARY-5d41402abc4b2a76b9719d911017c592-that-nobody-may-see-6412"
SPOTS = (  # as they are, as a number, as a text of a tensor
    CANARY[:12],
    b"%.6g" % struct.unpack("<f", CANARY[:4])[0],
    base64.b64encode(CANARY)[:12],
    CANARY.hex()[:12].encode(),
)


def soft(folder: Path, canary: Path) -> str:
    (folder / "w.bin").symlink_to(canary)
    return "w.bin"


def hard(folder: Path, canary: Path) -> str:
    (folder / "w.bin").hardlink_to(canary)
    return "w.bin"


LOCATIONS: dict[str, Callable[[Path, Path], str]] = {
    "above": lambda _, canary: f"../{canary.name}",
    "absolute": lambda _, canary: str(canary),
    "a symbolic link": soft,
    "a hard link": hard,
}


def test_a_leak_would_be_seen() -> None:
    """Sixteen floats, of which the first is printed as 12.8909: no other number here is."""
    assert len(CANARY) == 4 * 4 * 4
    assert SPOTS[1] == b"12.8909"


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("location", LOCATIONS)
def test_nothing_gets_out(
    carrier: str, location: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """By every command that reads a model: it is refused, and neither word nor file has it."""
    canary, folder, out = tmp_path / "canary", tmp_path / "model", tmp_path / "out"
    canary.write_bytes(CANARY)
    folder.mkdir()
    model = folder / "model.onnx"
    model.write_bytes(serialised(carried(carrier, LOCATIONS[location](folder, canary))()))
    before = sorted(tmp_path.rglob("*"))
    for words in (
        ["model", str(model)],
        ["model", str(model), "--json"],
        ["compile", str(model), "--prefill", "4", "-o", str(out), "--report"],
        ["profile", str(model), "-o", str(out)],
        ["design", str(model), "--latency", "5", "-o", str(out)],
    ):
        assert main(words) == 2, words
    said = capfdbinary.readouterr()
    assert said.out == b""
    assert not [spot for spot in SPOTS if spot in said.err]
    assert sorted(tmp_path.rglob("*")) == before
