"""One entry of a chip file: its value in the field's internal unit, and the fact beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from ir.chip import FIRST, Fact, Pairs
from ir.errors import InputError
from moexbar.chips.fields import AUTO, MAX_VALUE, UNIT_TEXT, Field, nearest, shown
from moexbar.chips.pairs import pairs_text, read_pairs

Value = int | float | bool | str | Pairs | None

_PARTS = ("value", "source", "assumed", "why", "low", "high")
_MAX_TEXT = 400
NO_SOURCE = "no source given"


@dataclass(frozen=True)
class Entry:
    """A field's value in internal units and where it comes from; open: the compiler chooses it."""

    field: Field
    key: str
    value: Value
    fact: Fact
    open: bool = False


def read_entry(field: Field, key: str, factor: int, raw: object, where: str) -> Entry:
    """Read `key` = `raw`: a plain value (counts as assumed) or a table.

    A table holds `value`, then `source` or `assumed = true` with `why`, and a band `low`, `high`
    in the value's unit. Raises InputError naming the key.
    """
    path = f"{field.table}.{key}"
    parts: Mapping[str, object] = raw if isinstance(raw, dict) else {"value": raw}
    for part in parts:
        if part not in _PARTS:
            raise InputError(where, f"{path}.{shown(part)}: unknown key", nearest(part, _PARTS))
    if "value" not in parts:
        raise InputError(where, f"{path}: no value, expected {path} = {{ value = ... }}")
    value, text = _convert(field, path, factor, parts["value"], where)
    source, assumed = _source(path, parts, where)
    low, high = (_bound(path, part, parts, factor, where) for part in ("low", "high"))
    number = float(value) if isinstance(value, int | float) else None
    if number is not None and (
        (low is not None and low > number) or (high is not None and high < number)
    ):
        raise InputError(where, f"{path}: the value {text} lies outside its band low to high")
    fact = Fact(field.path, text, source, assumed, low, high)
    return Entry(field, key, value, fact, field.size is not None and parts["value"] == AUTO)


def _source(path: str, parts: Mapping[str, object], where: str) -> tuple[str, bool]:
    """(where the number comes from, whether it is assumed)."""
    texts = {}
    for part in ("source", "why"):
        text = parts.get(part, "")
        if not isinstance(text, str) or len(text) > _MAX_TEXT or not text.isprintable():
            raise InputError(
                where, f"{path}.{part}: expected printable text, at most {_MAX_TEXT} characters"
            )
        texts[part] = text
    assumed = parts.get("assumed", not texts["source"])
    if not isinstance(assumed, bool):
        raise InputError(where, f"{path}.assumed: found {_found(assumed)}, expected true or false")
    if not assumed and not texts["source"]:
        raise InputError(where, f"{path}: assumed = false, but no source")
    if parts.get("assumed") is True and not texts["why"]:
        raise InputError(where, f"{path}: assumed, but no why", 'say why = "..."')
    return "; ".join(text for text in texts.values() if text) or NO_SOURCE, assumed


def _convert(field: Field, path: str, factor: int, raw: object, where: str) -> tuple[Value, str]:
    """(value in internal units, the value as written with its unit)."""
    if field.kind == "flag":
        if not isinstance(raw, bool):
            raise InputError(where, f"{path}: found {_found(raw)}, expected true or false")
        return raw, str(raw).lower()
    if field.kind == "pairs":
        pairs = read_pairs(path, raw, where)
        return pairs, pairs_text(pairs)
    if field.kind == "choice":
        if not isinstance(raw, str) or raw not in field.choices:
            hint = nearest(raw, field.choices) if isinstance(raw, str) else ""
            choices = " or ".join(f'"{choice}"' for choice in field.choices)
            raise InputError(where, f"{path}: found {_found(raw)}, expected {choices}", hint)
        return raw, raw
    if isinstance(raw, str) and raw == field.word:
        return field.word_value, raw
    if field.size is not None and raw == AUTO:
        return FIRST[field.size], AUTO
    number = _number(path, raw, field.words, where)
    if field.kind == "ratio":
        return float(number), str(number)
    return _whole(field, path, factor, number, where)


def _whole(field: Field, path: str, factor: int, number: Decimal, where: str) -> tuple[int, str]:
    """Convert to a whole number of internal units; the text says if it was rounded."""
    if number * factor > field.limit:
        unit = f" {UNIT_TEXT[next(iter(field.units))]}" if field.units else ""
        found = f"found {_found(number)}, expected at most {field.limit}{unit}"
        raise InputError(where, f"{path}: {found}")
    if number * factor < field.least:
        raise InputError(where, f"{path}: found {_found(number)}, expected at least {field.least}")
    exact = number * factor
    whole = int(exact.to_integral_value(ROUND_HALF_EVEN))
    if not field.units:
        if whole != exact:
            raise InputError(where, f"{path}: found {number}, expected a whole number")
        return whole, str(number)
    suffix = path.split(".")[1].removeprefix(field.stem + "_")
    text = f"{number} {UNIT_TEXT[suffix]}"
    inner = UNIT_TEXT[next(iter(field.units))]
    if whole == 0 and exact != 0:
        raise InputError(where, f"{path}: {text} is less than the smallest step, 1 {inner}")
    return whole, text if whole == exact else f"{text}, rounded to {whole} {inner}"


def _number(path: str, raw: object, words: tuple[str, ...], where: str) -> Decimal:
    """Return `raw` as a finite number that is not negative."""
    if isinstance(raw, bool) or not isinstance(raw, int | Decimal):
        expected = " or ".join(["a number", *(f'"{word}"' for word in words)])
        raise InputError(where, f"{path}: found {_found(raw)}, expected {expected}")
    number = Decimal(raw)
    if not number.is_finite():
        raise InputError(where, f"{path}: found {str(number).lower()}, expected a finite number")
    if number < 0:
        raise InputError(where, f"{path}: found {_found(number)}, expected at least 0")
    if number > MAX_VALUE:
        raise InputError(where, f"{path}: found {_found(number)}, expected at most {MAX_VALUE}")
    return number


def _bound(
    path: str, part: str, parts: Mapping[str, object], factor: int, where: str
) -> float | None:
    """One end of the band, in the field's internal unit."""
    if part not in parts:
        return None
    return float(_number(f"{path}.{part}", parts[part], (), where)) * factor


def _found(raw: object) -> str:
    """Return a value of the file as text, short and safe to print."""
    if isinstance(raw, bool):
        return str(raw).lower()
    if isinstance(raw, str):
        return f'"{shown(raw)}"'
    if isinstance(raw, int | Decimal):
        return shown(str(raw))
    kinds = {list: "a list", dict: "a table"}
    return next((name for kind, name in kinds.items() if isinstance(raw, kind)), "a date or time")
