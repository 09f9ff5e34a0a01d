"""Parquet files that contradict themselves, which no tool writes and somebody may."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ir.errors import InputError
from ir.infile import Infile
from moexbar.files import parquet, thrift
from moexbar.files.footer import Span, spans
from moexbar.files.page_headers import check_pages
from moexbar.files.parquet import read_parquet

ROWS = 12_345


def written(folder: Path, groups: int = 1, **options: Any) -> Path:
    """Numbers, and lists of one: two columns."""
    numbers = pa.array(np.arange(ROWS), pa.int32())
    lists = pa.ListArray.from_arrays(pa.array(np.arange(ROWS + 1), pa.int32()), numbers)
    path = folder / "table.parquet"
    table = pa.table({"number": numbers, "reads": lists})
    pq.write_table(table, path, row_group_size=-(-ROWS // groups), **options)
    return path


def read(path: Path) -> Any:
    kinds = {"number": pa.int32(), "reads": pa.list_(pa.int32())}
    return read_parquet(Infile(path), "a table", lambda schema: kinds)


def in_footer(path: Path, change: Callable[[bytes], bytes]) -> bytes:
    """The file with its footer changed, which stays as long as it is."""
    data = path.read_bytes()
    size = int.from_bytes(data[-8:-4], "little")
    start = len(data) - 8 - size
    footer = change(data[start:-8])
    assert len(footer) == size
    path.write_bytes(data[:start] + footer + data[-8:])
    return path.read_bytes()


def test_where_columns_are_as_pyarrow_says(tmp_path: Path) -> None:
    """Three groups of rows, of which each has dictionaries and pages of data."""
    path = written(tmp_path, groups=3)
    meta, wanted = pq.ParquetFile(path).metadata, list[Span]()
    for group in (meta.row_group(i) for i in range(3)):
        chunk = group.column(1)
        start = chunk.dictionary_page_offset
        assert start is not None
        assert start < chunk.data_page_offset
        stop = start + chunk.total_compressed_size
        wanted.append(Span("reads", start, stop, chunk.total_uncompressed_size, chunk.num_values))
    assert spans(path.read_bytes(), {"reads"}, "x") == wanted
    assert read(path).num_rows == ROWS


def test_without_dictionaries(tmp_path: Path) -> None:
    path = written(tmp_path, use_dictionary=False)
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(0)
    assert chunk.dictionary_page_offset is None
    assert spans(path.read_bytes(), {"number"}, "x")[0].start == chunk.data_page_offset
    assert read(path).num_rows == ROWS


def test_a_column_that_pyarrow_dies_of(tmp_path: Path) -> None:
    """Whether the numbers may be null is in the schema, and in histograms of every column.

    pyarrow's RowGroupMetaData.column ends the process where the two differ; reading is an error.
    """
    path = written(tmp_path)
    in_footer(
        path, lambda footer: footer.replace(b"\x25\x02\x18\x06number", b"\x25\x00\x18\x06number")
    )
    with pytest.raises(InputError, match="not a readable Parquet file: Definition level histogram"):
        read(path)


def test_rows_that_the_groups_do_not_have(tmp_path: Path) -> None:
    """The footer's field 3: 12345 and 12344 are the zigzag varints f2 c0 01 and f0 c0 01."""
    path = written(tmp_path, groups=2)
    in_footer(path, lambda footer: footer.replace(b"\x16\xf2\xc0\x01", b"\x16\xf0\xc0\x01"))
    with pytest.raises(InputError, match="footer: 12344 rows, its row groups have 12345"):
        read(path)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("MOST_GROUPS", "footer: 3 row groups, expected at most 2"),
        ("MOST_COLUMNS", "footer: 2 columns, expected at most 1"),
    ],
)
def test_too_many_groups_or_columns(
    name: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, groups=3)
    monkeypatch.setattr(parquet, name, 2 if name == "MOST_GROUPS" else 1)
    with pytest.raises(InputError, match=says):
        read(path)


def test_a_footer_of_too_many_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path)
    monkeypatch.setattr(thrift, "MOST", 50)
    with pytest.raises(InputError, match=r"footer: over .* values.*; write it with larger groups"):
        read(path)


@pytest.mark.parametrize(
    "footer",
    [
        "00",  # no groups of rows
        "49 1c 00 00",  # a group without columns
        "49 1c 19 1c 00 00 00",  # a column of no metadata
        "49 1c 19 1c 3c 00 00 00 00",  # without a name
        "45 02 00",  # a number of groups
        "49 1c 19 1c 3c 39 18 01 61 28 01 61 16 02 16 02 26 02 00 00 00 00",  # values: "a"
        "49 1c 19 1c 3c 39 18 01 ff 26 02 16 02 16 02 26 02 00 00 00 00",  # no UTF-8
    ],
)
def test_a_footer_that_does_not_say_where_columns_are(footer: str) -> None:
    tail = bytes.fromhex(footer)
    with pytest.raises(InputError, match="footer: does not say where the columns are"):
        spans(tail + len(tail).to_bytes(4, "little") + b"PAR1", {"a"}, "x")


@pytest.mark.parametrize(
    ("start", "stop", "data", "says"),
    [
        (-1, 4, "", "pages at bytes -1 to 4 of 4"),
        (3, 2, "", "pages at bytes 3 to 2 of 4"),
        (0, 5, "", "pages at bytes 0 to 5 of 4"),
        (4, 20, "15" + "ff" * 15, "page at byte 4: no header of a page"),
        (4, 7, "15 02 00", "page at byte 4: without sizes"),
    ],
)
def test_pages_that_are_none(start: int, stop: int, data: str, says: str) -> None:
    with pytest.raises(InputError, match=f"column a: {says}; the file is damaged"):
        check_pages(b"PAR1" + bytes.fromhex(data), Span("a", start, stop, 100, 1), "x")


def test_a_column_that_is_there_under_one_name_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file names its columns in its schema, and where each is: what is asked for may be gone."""
    path = written(tmp_path)
    table = pq.read_table(path, columns=["number"])
    monkeypatch.setattr(pq.ParquetFile, "read", lambda self, columns: table)
    with pytest.raises(InputError, match="column reads: missing, its names contradict one another"):
        read(path)
