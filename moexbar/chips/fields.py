"""Which keys a chip file may hold: derived from the dataclasses of ir.chip, with their units.

A key is the dataclass's field with any unit of its kind in place of the internal one:
``read_ns = 130`` fills ``Mvm.read_ps``. Fields without a unit keep their name.
"""

import dataclasses
import difflib
import types
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ir.chip import FIRST, Chip, Size

Kind = Literal["count", "flag", "choice", "ratio", "pairs"]

# Kind of quantity: (what it is called, {unit suffix: internal units per one of it}). The first
# suffix is the internal unit, by which a field of the dataclasses is recognised.
UNITS: tuple[tuple[str, dict[str, int]], ...] = (
    ("time", {"ps": 1, "ns": 10**3, "us": 10**6, "ms": 10**9}),
    ("energy", {"fj": 1, "pj": 10**3, "nj": 10**6, "uj": 10**9}),
    ("area", {"um2": 1, "mm2": 10**6}),
    ("length", {"um": 1, "mm": 10**3}),
    ("power", {"uw": 1, "mw": 10**3, "w": 10**6}),
    ("data rate", {"mb_per_s": 1, "gb_per_s": 10**3}),
    ("size", {"bytes": 1, "kib": 2**10, "mib": 2**20}),
)
UNIT_TEXT = {
    "ps": "ps",
    "ns": "ns",
    "us": "us",
    "ms": "ms",
    "fj": "fJ",
    "pj": "pJ",
    "nj": "nJ",
    "uj": "uJ",
    "um2": "um2",
    "mm2": "mm2",
    "um": "um",
    "mm": "mm",
    "uw": "uW",
    "mw": "mW",
    "w": "W",
    "mb_per_s": "MB/s",
    "gb_per_s": "GB/s",
    "bytes": "bytes",
    "kib": "KiB",
    "mib": "MiB",
}

# A word that stands for "no number" in a field, and what the dataclass holds then.
WORDS: dict[str, tuple[str, int | None]] = {
    "accumulate.add_ps": ("as a digital unit's", None),
    "accumulate.add_fj": ("as a digital unit's", None),
    "bus.transfers_per_slot": ("unlimited", None),
    "bus.bits_per_ns": ("unlimited", None),
    "mesh.width": ("auto", 0),
    "mesh.height": ("auto", 0),
    "die.count": ("auto", 0),
    "die.columns": ("auto", 0),
    "digital.dpus_per_region": ("auto", 0),
    "digital.mha_units_per_region": ("auto", 0),
    "digital.mha_bits_per_ns": ("unlimited", None),
    "memory.region_buffer_bytes": ("auto", 0),
    "memory.buffer_bits_per_ns": ("unlimited", None),
    "memory.dram_bytes": ("not stated", 0),
    "mvm.rows_per_read": ("all", None),
    "split.adc_bits": ("as the chip's", None),
    "split.columns_per_adc": ("as the chip's", None),
}
NOT_PUBLISHED = "not published"
AUTO = "auto"  # of a size that the compiler chooses

RENAMED: dict[str, str] = {  # table.stem of what files of earlier versions state: what now is there
    "digital.act": "no longer one number for every curve; say relu_ns and relu_pj for those that "
    "clip, smooth_base_ns, smooth_ns and smooth_pj for the others",
}

NAMES = {"dies": "die"}  # fields of Chip whose table is called otherwise in a file
KEYS = {"die.table": "links"}  # and fields of a table

CLOSE = 0.6  # of 1, so that a name may have been meant
MAX_COUNT = 10**6
MAX_VALUE = 10**15
_LARGE = frozenset({"write.endurance", "link.bits_per_ns_per_mm", "link.um2_per_mm"})
_SMALL = {"die.count": 10**4, "die.columns": 10**4}
_POSITIVE = frozenset({"die.count", "die.columns", "die.width_um", "die.height_um"})
_DEFAULTED = frozenset({"bus.bits_per_ns", "link.kind"})  # by the loader


@dataclass(frozen=True)
class Field:
    """One field a chip file can set.

    name: the dataclass's field, `stem` without its unit; units: {suffix: factor}, empty for a
    field without a unit; word, word_value: what stands for "no number"; least, limit: the smallest
    and largest number that a file may state; size: where the compiler may choose it.
    """

    table: str
    name: str
    stem: str
    kind: Kind
    quantity: str
    units: dict[str, int]
    word: str | None
    word_value: int | None
    choices: tuple[str, ...]
    required: bool
    limit: int
    size: Size | None = None
    least: int = 0

    @property
    def words(self) -> tuple[str, ...]:
        """Every word that may stand in place of a number."""
        words = (self.word, AUTO if self.size else None)
        return tuple(word for word in words if word is not None)

    @property
    def path(self) -> str:
        """Table and field in internal units, e.g. mvm.read_ps."""
        return f"{self.table}.{self.name if self.units else self.stem}"

    @property
    def keys(self) -> tuple[str, ...]:
        """Every name the field may be given under."""
        if not self.units:
            return (self.stem,)
        return tuple(f"{self.stem}_{suffix}" for suffix in self.units)


def _unit_of(name: str) -> tuple[str, str, dict[str, int]]:
    """(stem, quantity, units) of a dataclass field, from its internal unit."""
    for quantity, units in UNITS:
        suffix = "_" + next(iter(units))
        if name.endswith(suffix):
            return name.removesuffix(suffix), quantity, units
    return name, "", {}


def _kind(hint: object) -> tuple[Kind, tuple[str, ...], bool]:
    """(kind, choices, nullable) of a field's type."""
    if get_origin(hint) is Literal:
        return "choice", tuple(str(choice) for choice in get_args(hint)), False
    if get_origin(hint) is tuple:
        return "pairs", (), False
    if get_origin(hint) in (Union, types.UnionType):
        return ("ratio" if float in get_args(hint) else "count"), (), True
    if hint is bool:
        return "flag", (), False
    return ("ratio" if hint is float else "count"), (), False


def _field(table: str, field: "dataclasses.Field[object]", hint: object) -> Field:
    kind, choices, nullable = _kind(hint)
    path = f"{table}.{field.name}"
    stem, quantity, units = _unit_of(KEYS.get(path, field.name))
    word, value = WORDS.get(path, (NOT_PUBLISHED if nullable else None, None))
    optional = field.default is not dataclasses.MISSING or path in _DEFAULTED
    limit = MAX_VALUE if units or path in _LARGE else _SMALL.get(path, MAX_COUNT)
    size = next((size for size in FIRST if size == path), None)
    return Field(
        table,
        field.name,
        stem,
        kind,
        quantity,
        units,
        word,
        value,
        choices,
        not optional,
        limit,
        size,
        1 if path in _POSITIVE else 0,
    )


@dataclass(frozen=True)
class Table:
    """A table of a chip file: the field of Chip that it fills, of which type.

    optional: a chip may be without it.
    """

    attribute: str
    of: type[Any]
    optional: bool

    def part(self, chip: Chip) -> Any:
        """What the chip has of it; None where it is without."""
        return getattr(chip, self.attribute)


def _tables() -> dict[str, Table]:
    tables = {}
    for name, hint in get_type_hints(Chip).items():
        kinds = get_args(hint) if get_origin(hint) is types.UnionType else (hint,)
        of = next((kind for kind in kinds if dataclasses.is_dataclass(kind)), None)
        if isinstance(of, type):
            tables[NAMES.get(name, name)] = Table(name, of, len(kinds) > 1)
    return tables


def _schema() -> dict[str, tuple[Field, ...]]:
    found = {}
    for name, table in TABLES.items():
        hints = get_type_hints(table.of)
        fields = dataclasses.fields(table.of)
        found[name] = tuple(_field(name, field, hints[field.name]) for field in fields)
    return found


TABLES: dict[str, Table] = _tables()
"""Table name -> what of a chip it fills, in the order of Chip."""

SCHEMA: dict[str, tuple[Field, ...]] = _schema()
"""Table name -> its fields, in the order of the dataclasses."""


def shown(name: str) -> str:
    """Make a name from a file safe to print: escapes visible, at most 60 characters."""
    text = name if name.isprintable() else ascii(name)[1:-1]
    return text if len(text) <= 60 else text[:57] + "..."


def nearest(name: str, valid: Iterable[str]) -> str:
    """Name the valid names closest to `name`, or list them all if none is close."""
    names, short = list(valid), name[:100]
    close = {one: difflib.SequenceMatcher(None, one, short).ratio() for one in names}
    best = max(close.values(), default=0.0)
    if best < CLOSE:
        return "expected one of: " + ", ".join(names)
    *others, last = [one for one in names if close[one] == best]
    return f"did you mean {', '.join(others)}{' or ' * bool(others)}{last}?"


def find(table: str, key: str) -> tuple[Field, int] | str:
    """Find the field that a key of `table` fills and its unit's factor; or say what is wrong."""
    for field in SCHEMA[table]:
        if key in field.keys:
            return field, field.units[key.removeprefix(field.stem + "_")] if field.units else 1
    for field in SCHEMA[table]:
        if field.units and key == field.stem:
            return f"no unit, expected one of: {', '.join(field.keys)}"
        if field.units and key.startswith(field.stem + "_"):
            suffix = key.removeprefix(field.stem + "_")
            for quantity, units in UNITS:
                if suffix in units:
                    return (
                        f"{suffix} is a unit of {quantity}, expected a unit of {field.quantity}: "
                        + ", ".join(field.keys)
                    )
    for path, now in RENAMED.items():
        stem = path.removeprefix(f"{table}.")
        if key == stem or (key.startswith(stem + "_") and path.startswith(f"{table}.")):
            return now
    stems = [key for field in SCHEMA[table] for key in field.keys]
    return f"unknown key; {nearest(key, stems)}"
