"""Which routed experts stay digital: listed, or as `moexbar accuracy --json` found them."""

import json
import re
from pathlib import Path
from typing import Any

from ir.errors import InputError
from ir.infile import check_file

MAX_BYTES = 64 << 20
WHERE = "--digital-experts"
WRITE_IT = "write it with: moexbar accuracy DIR --digital-experts N --json"


def read_digital(given: str) -> tuple[tuple[int, int], ...]:
    """Pairs (layer, expert) from `1:0,3:7`, or from the file of that name.

    Raises InputError for what is neither.
    """
    if re.fullmatch(r"\d+:\d+(,\d+:\d+)*", given):
        pairs = (pair.split(":") for pair in given.split(","))
        return tuple((int(layer), int(expert)) for layer, expert in pairs)
    path = Path(given)
    if not path.exists():
        problem = f"{given!r}, expected LAYER:EXPERT, several with commas, or a file"
        raise InputError(WHERE, problem, WRITE_IT)
    check_file(path, "what `moexbar accuracy --json` prints", MAX_BYTES)
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(given, "not JSON", WRITE_IT) from error
    rows = found.get("digital") if isinstance(found, dict) else None
    if not isinstance(rows, list) or not rows:
        raise InputError(given, "digital: expected a list of experts", WRITE_IT)
    return tuple(_pair(given, row) for row in rows)


def _pair(where: str, row: Any) -> tuple[int, int]:
    found = (row.get("layer"), row.get("expert")) if isinstance(row, dict) else (None, None)
    layer, expert = found
    if type(layer) is not int or type(expert) is not int:
        raise InputError(where, f"digital: {row!r}, expected a layer and an expert", WRITE_IT)
    return layer, expert
