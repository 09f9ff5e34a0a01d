"""Which routed experts stay digital: listed, or as `moexbar accuracy --json` found them."""

import os
import re
from typing import Any

from ir.errors import InputError
from moexbar.files.form import check_form
from moexbar.files.json_file import read_json
from moexbar.report.plain import SCHEMA

WHERE = "--digital-experts"
WRITE_IT = "write it with: moexbar accuracy DIR --digital-experts N --json"


def read_digital(given: str) -> tuple[tuple[int, int], ...]:
    """Pairs (layer, expert) from `1:0,3:7`, or from the file of that name.

    Raises InputError for what is neither.
    """
    if re.fullmatch(r"\d{1,9}:\d{1,9}(,\d{1,9}:\d{1,9})*", given):
        pairs = (pair.split(":") for pair in given.split(","))
        return tuple((int(layer), int(expert)) for layer, expert in pairs)
    if not os.path.lexists(given):  # nor for what can be no file's name
        problem = f"{given[:60]!r}, expected LAYER:EXPERT, several with commas, or a file"
        raise InputError(WHERE, problem, WRITE_IT)
    found = read_json(given, "what `moexbar accuracy --json` prints", WRITE_IT)
    if isinstance(found, dict):
        check_form(given, "schema", found.get("schema"), SCHEMA, WRITE_IT)
    rows = found.get("digital") if isinstance(found, dict) else None
    if not isinstance(rows, list) or not rows:
        raise InputError(given, "digital: expected a list of experts", WRITE_IT)
    return tuple(_pair(given, row) for row in rows)


def _pair(where: str, row: Any) -> tuple[int, int]:
    found = (row.get("layer"), row.get("expert")) if isinstance(row, dict) else (None, None)
    layer, expert = found
    if type(layer) is not int or type(expert) is not int:
        problem = f"digital: {ascii(row)[:60]}, expected a layer and an expert"
        raise InputError(where, problem, WRITE_IT)
    return layer, expert
