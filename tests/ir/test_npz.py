"""Archives and arrays that are not what they say, beyond those of the routing traces' tests."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ir.errors import InputError
from ir.npz import ArchiveLimits, read_array, read_arrays

NUMBERS = np.arange(6)


def test_an_array_longer_than_the_limit(tmp_path: Path) -> None:
    """128 bytes of header and 48 of numbers; the option is named where there is one."""
    np.save(tmp_path / "a.npy", NUMBERS)
    assert read_array(tmp_path / "a.npy", "iu", ArchiveLimits(176)).tolist() == NUMBERS.tolist()
    with pytest.raises(InputError, match=r"a\.npy: 176 bytes, limit 175; cut the file$"):
        read_array(tmp_path / "a.npy", "iu", ArchiveLimits(175))
    with pytest.raises(InputError, match="cut the file, or raise it: --limit bytes=176"):
        read_array(tmp_path / "a.npy", "iu", ArchiveLimits(175, option="--limit"))


@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_what_is_no_file(ending: str, tmp_path: Path) -> None:
    def refused(path: Path, match: str) -> None:
        with pytest.raises(InputError, match=rf"{match}, expected an \.{ending}"):
            if ending == "npy":
                read_array(path, "iu")
            else:
                read_arrays(path, {"a": "iu"})

    refused(tmp_path, "a folder")
    refused(tmp_path / "missing", "cannot be read: No such file or directory")
    refused(tmp_path / ("x" * 300), "cannot be read: File name too long")
    refused(Path("a\0b"), "cannot be read: embedded null byte")


def archive(folder: Path, content: bytes) -> Path:
    with zipfile.ZipFile(folder / "a.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.npy", content)
    return folder / "a.npz"


def array(numbers: int) -> bytes:
    """The header of 100 numbers, and this many of them."""
    held = io.BytesIO()
    np.save(held, np.zeros(100, dtype=np.int64))
    return held.getvalue()[: 128 + 8 * numbers]


def test_a_member_that_inflates_to_less_than_it_says(tmp_path: Path) -> None:
    """Its length is put right for the shape, its checksum is that of what is there."""
    path = archive(tmp_path, array(90))
    said, right = ((128 + 8 * n).to_bytes(4, "little") for n in (90, 100))
    path.write_bytes(path.read_bytes().replace(said, right))
    with pytest.raises(InputError, match="a: 720 bytes, expected 800"):
        read_arrays(path, {"a": "iu"})


def test_an_archive_of_64_bit_offsets(tmp_path: Path) -> None:
    """Told by the locator before its end, which one of 4 GiB or more has."""
    data = archive(tmp_path, array(100)).read_bytes()
    end = data.rfind(b"PK\x05\x06")
    (tmp_path / "a.npz").write_bytes(data[:end] + b"PK\x06\x07" + bytes(16) + data[end:])
    with pytest.raises(InputError, match="a zip64 archive of 4 GiB or more, expected a smaller"):
        read_arrays(tmp_path / "a.npz", {"a": "iu"})
