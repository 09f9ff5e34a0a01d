"""Programs that cannot be: every column and table of program.parquet damaged."""

import struct

import pyarrow as pa

from tests.hostile.damage import (
    GONE,
    Bad,
    column,
    content,
    cut,
    metadata,
    rearranged,
    retyped,
    saved,
    table_field,
)

BIG, HUGE = 2**52 + 1, 2**63 - 1
COLUMNS: dict[str, Bad] = {
    f"{name} = {value}": Bad(rf"column {name}: {value} \(entry 3\), expected", column(name, value))
    for name, value in [
        ("unit", -1),
        ("unit", 10_000),
        ("src", -2),
        ("src", 10_000),
        ("node", -2),
        ("node", 10_000),
        ("buffer", -2),
        ("buffer", 10_000),
        ("writes", 10_000),
        ("step", -2),
        ("step", 10_000),
        ("token", -2),
        ("token", 10_000),
        ("slot", 2**31 - 1),
        ("layer", -2),
        ("layer", 2**31 - 1),
        ("expert", -2),
        ("expert", 2**30),
        ("stage", 2**30),
        ("replica", -7),
        ("seq", -2),
        ("start_ps", -1),
        ("start_ps", HUGE),
        ("start_ps", BIG),
        ("duration_ps", -1),
        ("duration_ps", HUGE),
        ("busy_ps", -5),
        ("busy_ps", BIG),
        ("energy_fj", -1),
        ("energy_fj", HUGE),
        ("macs", -1),
        ("macs", BIG),
        ("bytes", -1),
        ("bytes", HUGE),
        ("offset", -2),
        ("offset", HUGE),
        ("offset", BIG),
    ]
} | {
    "id twice": Bad("column id: 2 in row 3, expected its number", column("id", 2)),
    "reads beyond": Bad("column reads: 10000 .*expected 0 to", column("reads", [10_000])),
    "reads negative": Bad("column reads: -1 .*expected 0 to", column("reads", [-1])),
    "dst beyond": Bad("column dst: 9999 .*expected 0 to", column("dst", [9999])),
    "an opcode of none": Bad("column opcode: 'WRITE', expected", column("opcode", "WRITE")),
    "an opcode of an escape": Bad(r"column opcode: '\\x1b", column("opcode", "\x1b[2J")),
    "a null": Bad("column token: 1 nulls, expected none", column("token", None)),
    "a null in a list": Bad("column reads: 1 nulls, expected none", column("reads", [None])),
    "no column": Bad(
        "column macs: missing, expected int64", rearranged(lambda t: t.drop_columns(["macs"]))
    ),
    "a column twice": Bad(
        "column macs: int64 and int64, expected int64",
        rearranged(lambda t: t.append_column("macs", t.column("macs"))),
    ),
    "texts for numbers": Bad("column token: string, expected int32", retyped("token", pa.string())),
    "floats for numbers": Bad(
        "column start_ps: double, expected", retyped("start_ps", pa.float64())
    ),
    "narrow numbers": Bad(
        "column start_ps: int32, expected int64", retyped("start_ps", pa.int32())
    ),
    "numbers for lists": Bad("column reads: int32, expected list", retyped("reads", pa.int32())),
    "plain opcodes": Bad(
        "column opcode: string, expected dictionary", retyped("opcode", pa.string())
    ),
    "rows in another order": Bad("column id: ", rearranged(lambda t: t.take(pa.array([1, 0])))),
}

_T = table_field
TABLES: dict[str, Bad] = {
    "no metadata": Bad(
        "no 'moexbar' metadata", rearranged(lambda t: t.replace_schema_metadata({}))
    ),
    "metadata of no JSON": Bad("metadata: line 1", metadata(content(b"{"))),
    "metadata of a list": Bad("metadata: no object", metadata(content(b"[]"))),
    "metadata nested": Bad(
        "metadata: JSON: 5,000 levels, limit document_depth", metadata(content(b"[" * 5000))
    ),
    "a newer form": Bad("metadata: version: of form 3, expected 2; read it with", _T("version", 3)),
    "an older form": Bad("metadata: version: of form 1, expected 2; compile", _T("version", 1)),
    "a form of text": Bad("metadata: version: of form '2'", _T("version", "2")),
    "no units": Bad("metadata: units: missing", _T("units", GONE)),
    "units of text": Bad("metadata: units: found 'x', expected a list", _T("units", "x")),
    "a unit of no kind": Bad(
        r"units\[0\].kind: found 'oven', expected one of", _T("units.0.kind", "oven")
    ),
    "a unit of a list": Bad(r"units\[0\].kind: found a list", _T("units.0.kind", [])),
    "a unit without a name": Bad(r"units\[0\].name: missing", _T("units.0.name", GONE)),
    "an escape in a name": Bad(r"units\[0\].name: found '\\x1b", _T("units.0.name", "\x1b[31m")),
    "a name of 10,000": Bad(r"units\[0\].name: found 'n", _T("units.0.name", "n" * 10_000)),
    "a first PG of 2^47": Bad(r"units\[0\].first_pg: found 1", _T("units.0.first_pg", 2**47)),
    "PGs below none": Bad(r"units\[0\].pgs: found -1, expected 0 to", _T("units.0.pgs", -1)),
    "a layer of 2^40": Bad(r"units\[0\].layer: found", _T("units.0.layer", 2**40)),
    "a layer of text": Bad(r"units\[0\].layer: found 'x'", _T("units.0.layer", "x")),
    "a layer of 10^30": Bad(
        r"units\[0\].layer: found 1000.*below 2\^63", _T("units.0.layer", 10**30)
    ),
    "a die of -1": Bad(r"units\[0\].die: found -1, expected 0 to", _T("units.0.die", -1)),
    "a stage of 7": Bad(r"units\[0\].stage: found 7, expected -1 to 1", _T("units.0.stage", 7)),
    "units true": Bad(r"units\[0\].units: found True", _T("units.0.units", True)),
    "a buffer of 2^60": Bad(r"buffers\[0\].bytes: found", _T("buffers.0.bytes", 2**60)),
    "a buffer of half": Bad(r"buffers\[0\].bytes: found 0.5", _T("buffers.0.bytes", 0.5)),
    "a buffer's layer": Bad(r"buffers\[0\].layer: found -9", _T("buffers.0.layer", -9)),
    "an inventory of none": Bad("inventory: found None", _T("inventory", None)),
    "cores below none": Bad("inventory.cores: found -1, expected 0 to", _T("inventory.cores", -1)),
    "kv of 2^62": Bad("inventory.kv_bytes: found", _T("inventory.kv_bytes", 2**62)),
    "lockstep of text": Bad(r"lockstep\[0\]: found 'a'", _T("lockstep", ["a"])),
    "lockstep of -1": Bad(r"lockstep.\[0\]: found -1", _T("lockstep", [-1])),
    "nodes of numbers": Bad(r"nodes\[0\]\[0\]: found 1", _T("nodes.0", [1])),
    "NaN": Bad("metadata: not readable as JSON: NaN", _T("units.0.layer", float("nan"))),
}


def pages_lie(data: bytes) -> bytes:
    """The first page says that it inflates to as much as a number of its length can say."""
    begin = 7  # magic, then the fields type and uncompressed size, each after a byte of its own
    assert data[4] == data[6] == 0x15
    end = begin
    while data[end] & 128:
        end += 1
    return data[:begin] + b"\xfe" + b"\xff" * (end - begin - 1) + b"\x7f" + data[end + 1 :]


FILES: dict[str, Bad] = {
    "nothing": Bad("not a readable Parquet file", content(b"")),
    "a greeting": Bad("not a readable Parquet file", content(b"hello world")),
    "the magic alone": Bad("not a readable Parquet file", content(b"PAR1PAR1")),
    "half of it": Bad("not a readable Parquet file", cut(0.5)),
    "a footer of 2^31": Bad(
        "not a readable Parquet file", lambda d: d[:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1"
    ),
    "one column": Bad(
        "column bytes: missing", lambda d: saved(pa.table({"id": pa.array([], pa.int32())}))
    ),
    "a page that says more": Bad("column id: pages of .* bytes and .* values, its foot", pages_lie),
    "a bomb of rows": Bad(
        "columns of .* bytes: .*limit table_ratio",
        rearranged(lambda t: t.take(pa.array([0] * 1_000_000))),
    ),
}
