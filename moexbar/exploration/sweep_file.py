"""Sweeps as files: TOML whose keys are the options of `moexbar compile`, read with care."""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from ir.errors import InputError
from moexbar.chips.fields import shown
from moexbar.chips.read import read_toml
from moexbar.exploration.figures import FIGURES, check_path
from moexbar.exploration.sweep import Range, Setting, Sweep
from moexbar.exploration.words import check_name

MAX_BYTES, MAX_POINTS, MAX_AXIS = 1 << 20, 100_000, 100_000
MAX_WORD = 1000  # characters of a setting
WAYS = ("vary", "points", "random", "search")
DRAWN = ("low", "high", "step", "log")
EXPECTED = "text, a number, true or false"


def read_sweep(given: Path | str | Mapping[str, Any]) -> Sweep:
    """The sweep of a file, or of the same tables in Python (paths from the current folder).

    Raises InputError naming file and field.
    """
    if isinstance(given, Mapping):
        return _sweep(dict(given), "sweep", Path())
    path = Path(given)
    where = str(path) if str(path).isprintable() else ascii(path)
    return _sweep(read_toml(path, where, "a sweep (TOML)", MAX_BYTES), where, path.parent)


def _sweep(tables: dict[str, Any], where: str, folder: Path) -> Sweep:
    """The sweep that the tables state."""
    ways = [way for way in WAYS if way in tables]
    if len(ways) != 1:
        found = " and ".join(ways) or "nothing varies"
        raise InputError(where, f"{found}, expected one of [vary], [[points]], [random], [search]")
    varied, figures = tables.pop(ways[0]), tables.pop("figures", [])
    inner = _table(tables.pop("fixed", {}), f"{where}: fixed")
    fixed = _settings(tables, where) | _settings(inner, f"{where}: fixed")
    paths = tuple(
        check_path(f"{where}: figures", _text(one, f"{where}: figures"))
        for one in _list(figures, f"{where}: figures")
    )
    at = f"{where}: {ways[0]}"
    reads: dict[str, Callable[[Any, str], dict[str, Any]]] = {
        "vary": _grid,
        "points": _listed,
        "random": _random,
        "search": _search,
    }
    said: dict[str, Any] = {"where": where, "folder": folder, "fixed": fixed, "figures": paths}
    sweep = Sweep(**said | reads[ways[0]](varied, at))
    _refuse_twice(sweep, at)
    if not 1 <= sweep.size <= MAX_POINTS:
        raise InputError(at, f"{sweep.size} points, expected 1 to {MAX_POINTS}")
    if "model" not in fixed and any("model" not in p for p in (sweep.listed or [sweep.varied])):
        raise InputError(where, "no model", 'say which: model = "model.onnx"')
    return sweep


def _grid(varied: Any, at: str) -> dict[str, Any]:
    """Axes, each a list of values."""
    axes: dict[str, tuple[Setting, ...]] = {}
    for name, values in _flat(_table(varied, at), at).items():
        where = f"{at}: {check_name(name, at)}"
        axes[name] = tuple(_setting(value, where) for value in _list(values, where))
        if not 1 <= len(axes[name]) <= MAX_AXIS:
            raise InputError(where, f"{len(axes[name])} values, expected 1 to {MAX_AXIS}")
    return {"kind": "grid", "axes": axes}


def _listed(varied: Any, at: str) -> dict[str, Any]:
    """Points one by one."""
    found = [
        _settings(_table(one, f"{at} {n}"), f"{at} {n}")
        for n, one in enumerate(_list(varied, at), start=1)
    ]
    return {"kind": "list", "listed": tuple(found)}


def _random(varied: Any, at: str) -> dict[str, Any]:
    """Draws from ranges."""
    table = dict(_table(varied, at))
    draws, seed = (_whole(table.pop(name, None), f"{at}: {name}") for name in ("draws", "seed"))
    return {"kind": "random", "draws": draws, "seed": seed, "ranges": _ranges(table, at)}


def _search(varied: Any, at: str) -> dict[str, Any]:
    """Ranges that are searched for the best of one figure or several."""
    table = {"seed": 0, "batch": 8} | dict(_table(varied, at))
    where = f"{at}: objectives"
    objectives = tuple(_text(one, where) for one in _list(table.pop("objectives", []), where))
    known = {figure.name for figure in FIGURES}
    for name in objectives:
        if name not in known:
            raise InputError(where, f"{shown(name)!r}, expected some of {', '.join(sorted(known))}")
    if not objectives:
        raise InputError(where, 'none, expected some such as ["time_us", "area_mm2"]')
    trials, seed, batch = (
        _whole(table.pop(name, None), f"{at}: {name}") for name in ("trials", "seed", "batch")
    )
    if batch < 1:
        raise InputError(f"{at}: batch", f"{batch}, expected at least 1")
    numbers = {"draws": trials, "seed": seed, "batch": batch, "objectives": objectives}
    return {"kind": "search", **numbers, "ranges": _ranges(table, at)}


def _ranges(table: dict[str, Any], at: str) -> dict[str, Range]:
    """{setting: what it is drawn from}."""
    keys = {*DRAWN, "choices"}
    found = {
        name: _range(value, f"{at}: {check_name(name, at)}")
        for name, value in _flat(table, at, keys).items()
    }
    if not found:
        raise InputError(at, "no range", 'state some, such as "chip.pg.mux" = [1, 2, 4]')
    return found


def _range(value: Any, where: str) -> Range:
    """Choices, as a list or in a table, or low and high."""
    if not isinstance(value, Mapping):
        value = {"choices": value}
    if "choices" in value:
        _only(value, ("choices",), where)
        found = _list(value["choices"], where)
        if not found:
            raise InputError(where, "no choices, expected at least one")
        return Range(choices=tuple(_setting(one, where) for one in found))
    _only(value, DRAWN, where)
    ends = [_number(value.get(name), f"{where}: {name}") for name in ("low", "high")]
    step = None if "step" not in value else _number(value["step"], f"{where}: step")
    log = value.get("log", False)
    if not isinstance(log, bool):
        raise InputError(f"{where}: log", f"{shown(str(log))}, expected true or false")
    if not ends[0] <= ends[1]:
        raise InputError(where, f"low {ends[0]:g} and high {ends[1]:g}, expected low <= high")
    if step is not None and (step <= 0 or log):
        raise InputError(f"{where}: step", f"{step:g}, expected more than 0, and no log with it")
    if log and ends[0] <= 0:
        raise InputError(f"{where}: low", f"{ends[0]:g}, expected more than 0 with log")
    whole = all(isinstance(one, int) for one in (*ends, *([] if step is None else [step])))
    return Range(low=ends[0], high=ends[1], step=step, log=log, whole=whole)


def _settings(table: Mapping[str, Any], where: str) -> dict[str, Setting]:
    """Settings with one value each."""
    return {
        name: _setting(value, f"{where}: {check_name(name, where)}")
        for name, value in _flat(table, where).items()
    }


def _flat(
    table: Mapping[str, Any], where: str, leaves: frozenset[str] | set[str] = frozenset()
) -> dict[str, Any]:
    """{chip.pg.mux: value} also of tables in tables, down to those with keys of `leaves`."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping) and not leaves & value.keys():
            if not value:
                raise InputError(f"{where}: {shown(name)}", "an empty table, expected a value")
            inner = {f"{name}.{key}": one for key, one in value.items()}
            found |= _flat(inner, where, leaves)
        else:
            found[name] = value
    return found


def _refuse_twice(sweep: Sweep, at: str) -> None:
    """InputError for a setting that is both fixed and varied by axes or ranges."""
    for name in (*sweep.axes, *sweep.ranges):
        if name in sweep.fixed:
            raise InputError(at, f"{name}: fixed too", "state it once")


def _setting(value: Any, where: str) -> Setting:
    """One value of a setting; floats are finite."""
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(where, f"{value}, expected a finite number")
    if isinstance(value, int) and abs(value) > 2**63:
        raise InputError(where, f"{shown(str(value))}, expected a number below 2^63")
    if not isinstance(value, str | bool | int | float):
        raise InputError(where, f"{shown(type(value).__name__)}, expected {EXPECTED}")
    if isinstance(value, str) and not (len(value) <= MAX_WORD and value.isprintable()):
        raise InputError(where, f"expected printable text, at most {MAX_WORD} characters")
    return value


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise InputError(where, f"{shown(str(value))}, expected a table")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise InputError(where, f"{shown(str(value))}, expected a list")
    return list(value)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise InputError(where, f"{shown(str(value))}, expected text")
    return value


def _number(value: Any, where: str) -> int | float:
    found = _setting(value, where) if value is not None else "nothing"
    if isinstance(found, bool | str):
        raise InputError(where, f"{shown(str(found))}, expected a number")
    return found


def _whole(value: Any, where: str) -> int:
    if type(value) is not int or not 0 <= value < 2**31:
        found = "nothing" if value is None else shown(str(value))
        raise InputError(where, f"{found}, expected a whole number, 0 to 2^31 - 1")
    return value


def _only(value: Mapping[str, Any], names: tuple[str, ...], where: str) -> None:
    """InputError for keys that a range does not have."""
    for name in value:
        if name not in names:
            raise InputError(where, f"{shown(name)}: unknown key, expected {', '.join(names)}")
