"""A table of many compilations as pictures take it: columns by number, settings in words.

Names of columns are the user's, and stand in data and in titles alone: fields have names of ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ir.arrays import Bools, Floats, Ints
from ir.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

MOST = 4000  # points of a picture; of more every so-many-th, and all that are marked


@dataclass(frozen=True, eq=False)
class Sweep:
    """A table of many compilations, a row each.

    table: with columns `front` and `knee` of true and false, where these are to be marked, and
    `point`, the number of each; settings, figures: names of columns, in the order they are shown.
    """

    table: "pd.DataFrame"
    settings: tuple[str, ...]
    figures: tuple[str, ...]


def numbers(table: "pd.DataFrame", column: str) -> Floats:
    """A figure's column, NaN where a point has none; InputError where there is no such column."""
    known(table, [column])
    try:
        found: Floats = table[column].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise InputError("table", f"column {column!r} is not of numbers") from error
    return found


def flags(table: "pd.DataFrame", column: str) -> Bools:
    """A column of true and false; all false where there is no such column."""
    if column not in table:
        return np.zeros(len(table), dtype=np.bool_)
    found: Bools = table[column].fillna(False).to_numpy(dtype=np.bool_)
    return found


def known(table: "pd.DataFrame", columns: Sequence[str]) -> None:
    """InputError naming a column that a table does not have."""
    for column in columns:
        if column not in table:
            have = ", ".join(map(str, table.columns[:12]))
            raise InputError("table", f"no column {column!r}, it has {have}")


def drawn(places: Ints, marked: Bools, most: int = MOST) -> Ints:
    """Those of some rows that are drawn: all that are marked, of the others as many as fit."""
    kept, others = places[marked[places]], places[~marked[places]]
    room = max(most - len(kept), 0)
    if len(others) > room:
        others = others[:: -(-len(others) // room)] if room else others[:0]
    return np.sort(np.concatenate([kept, others]))


def in_words(table: "pd.DataFrame", settings: Sequence[str], rows: Ints) -> list[str]:
    """`pg.mux = 2; window = 128`: the settings of each row."""
    known(table, settings)
    columns = [[word(cell) for cell in table[name].iloc[rows]] for name in settings]
    lines = zip(*columns, strict=True) if columns else ((),) * len(rows)
    return [
        "; ".join(f"{name} = {cell}" for name, cell in zip(settings, line, strict=True))
        for line in lines
    ]


def word(cell: Any) -> str:
    """A cell as text; `-` for an empty one."""
    import pandas as pd

    if pd.isna(cell) is True or cell is None:
        return "-"
    if isinstance(cell, float | np.floating):
        return f"{float(cell):.12g}"
    return str(cell)


def by_size(text: str) -> tuple[int, float, str]:
    """A key to sort words by: numbers by size, then others by letters."""
    try:
        return 0, float(text), text
    except ValueError:
        return 1, 0.0, text


def points(table: "pd.DataFrame") -> list[str]:
    """The number of each row: its column `point`, or its place."""
    if "point" in table:
        return [word(cell) for cell in table["point"]]
    return [str(n) for n in range(len(table))]
