"""What `explore` writes, damaged: results.parquet and journal.sqlite."""

import json

import pyarrow as pa

from tests.hostile.damage import (
    Bad,
    column,
    content,
    cut,
    metadata,
    rearranged,
    retyped,
    statement,
)

RESULTS: dict[str, Bad] = {
    "nothing": Bad("not a readable Parquet file", content(b"")),
    "half": Bad("not a readable Parquet file", cut(0.5)),
    "no metadata": Bad(
        "no 'moexbar' metadata", rearranged(lambda t: t.replace_schema_metadata({}))
    ),
    "metadata of no JSON": Bad("metadata: line 1", metadata(content(b"{"))),
    "a newer form": Bad("metadata: form: of form 9", metadata(content(b'{"form": 9}'))),
    "no figures": Bad("metadata: figures: missing", metadata(content(b'{"settings": []}'))),
    "figures of numbers": Bad(
        r"metadata: figures\[0\]: found 1", metadata(content(b'{"settings": [], "figures": [1]}'))
    ),
    "a figure that is not there": Bad(
        "column more: missing", metadata(content(b'{"settings": [], "figures": ["more"]}'))
    ),
    "no points": Bad("column point: missing", rearranged(lambda t: t.drop_columns(["point"]))),
    "points of text": Bad("column point: string, expected int64", retyped("point", pa.string())),
    "a figure of lists": Bad(
        "column time_us: list<.*: int8>, expected double", retyped("time_us", pa.list_(pa.int8()))
    ),
    "an infinite time": Bad(
        "column time_us: inf, expected numbers", column("time_us", float("inf"), 0)
    ),
    "a time of nan": Bad(
        "column time_us: nan, expected numbers", column("time_us", float("nan"), 0)
    ),
    "a status of none": Bad(
        "column status: perhaps, expected done or", column("status", "perhaps", 0)
    ),
    "a status of null": Bad("column status: 1 nulls, expected none", column("status", None, 0)),
    "no command": Bad("column command: 1 nulls", column("command", None, 0)),
}


def points(name: str, value: str) -> Bad:
    """The outcome of the first point another one."""
    return Bad(name, statement(f"UPDATE points SET outcome = '{value}' WHERE number = 1"))  # noqa: S608


OUTCOME = {"status": "done", "reason": "", "figures": {}, "seconds": 1.0, "cpu_s": 1.0}
JOURNAL: dict[str, Bad] = {
    "a greeting": Bad("not readable: file is not a database", content(b"hello world" * 99)),
    "half": Bad("quick_check|not readable", cut(0.5)),
    "of a later form": Bad(
        "user_version: of form 9, expected 1", statement("PRAGMA user_version=9")
    ),
    "a trigger": Bad(
        "'trigger' 't': expected the tables of a journal alone",
        statement("CREATE TRIGGER t AFTER INSERT ON points BEGIN DELETE FROM asked; END"),
    ),
    "a view": Bad(
        "'view' 'asked'",
        statement("DROP TABLE asked", "CREATE VIEW asked AS SELECT 1 AS name, 2 AS value"),
    ),
    "a table more": Bad("'table' 'more'", statement("CREATE TABLE more (x)")),
    "a column more": Bad("'table' 'points'", statement("ALTER TABLE points ADD COLUMN more")),
    "no points": Bad("no such table: points", statement("DROP TABLE points")),
    "an outcome of no JSON": points(
        "points 1: outcome: line 1, column 1: .*, expected JSON", "{"[:0]
    ),
    "an outcome of a list": points("points 1: outcome: found a list, expected an object", "[]"),
    "an outcome without status": points("points 1: outcome.status: missing", "{}"),
    "a status of none": points(
        "points 1: outcome.status: found 'odd'", json.dumps(OUTCOME | {"status": "odd"})
    ),
    "a figure of text": points(
        "points 1: outcome.figures.x: found 'y'", json.dumps(OUTCOME | {"figures": {"x": "y"}})
    ),
    "a figure of 10^30": points(
        "points 1: outcome.figures.x: found 1000", json.dumps(OUTCOME | {"figures": {"x": 10**30}})
    ),
    "seconds of text": points("points 1: outcome.seconds", json.dumps(OUTCOME | {"seconds": "1"})),
    "settings of a list": Bad(
        "points 1: settings: expected plain", statement("UPDATE points SET settings = '[]'")
    ),
    "settings of lists": Bad(
        "points 1: settings: ", statement("""UPDATE points SET settings = '{"a": []}'""")
    ),
    "a command of bytes": Bad(
        "points 1: command: expected a text", statement("UPDATE points SET command = x'00'")
    ),
    "attempts of text": Bad(
        "points 1: attempts: many", statement("UPDATE points SET attempts = 'many'")
    ),
    "a point of -1": Bad(
        "points -1: attempts", statement("UPDATE points SET number = -1 WHERE number = 1")
    ),
    "asked of bytes": Bad(
        "asked .*: value: expected a text", statement("UPDATE asked SET value = x'00'")
    ),
    "groups of a list": Bad("groups: found a list", statement("UPDATE groups SET value = '[]'")),
    "groups nested": Bad(
        "JSON: 100 levels, limit document_depth",
        statement(f"UPDATE groups SET value = '{'[' * 100}'"),  # noqa: S608
    ),
    "another sweep": Bad("", statement("UPDATE points SET attempts = -1")),
}
