"""A JSON Schema of chip files, for editors that check TOML while it is written.

It knows every key, its units, types and least value. What only all layers of a file together can
tell, such as a field that is missing, `moexbar chips FILE` says.
"""

from typing import Any

from moexbar.chips.fields import AUTO, SCHEMA, UNIT_TEXT, Field
from moexbar.chips.loader import preset_names
from moexbar.chips.meanings import MEANINGS, TABLES_MEAN

Schema = dict[str, Any]

AT_LEAST_ONE = frozenset(
    "crossbar.rows crossbar.columns crossbar.cell_bits crossbar.weight_bits mvm.input_bits "
    "mvm.output_bits mvm.dac_bits mvm.adc_bits mvm.columns_per_adc mvm.rows_per_read "
    "split.adc_bits split.columns_per_adc pg.mux pg.input_buffers accumulate.psum_bits "
    "bus.transfers_per_slot bus.bits_per_ns mesh.pgs_per_core digital.macs_per_ns "
    "digital.mha_bits_per_ns memory.buffer_bits_per_ns link.bits_per_ns_per_mm mvm.read_ps "
    "memory.dram_mb_per_s die.area_um2 link.edge_um".split()
)
"""Fields of which a chip has at least one of the internal unit; `Chip` refuses less."""
MAX_PERCENT = 100
TEXT = {"type": "string", "maxLength": 200}
SOURCE = {"type": "string", "maxLength": 400}


def chip_schema() -> Schema:
    """The schema of a whole file; every table may be left out where a preset is extended."""
    return {
        "description": "A chip for moexbar, or what differs from the chip that it extends.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "description": {"description": "The chip in a line.", **TEXT},
            "extends": {
                "description": "A preset, or a .toml file in the same folder: what is not stated "
                "here is as there.",
                "anyOf": [
                    {"enum": list(preset_names())},
                    {"type": "string", "pattern": r"\.toml$"},
                ],
            },
            **{name: _table(name) for name in SCHEMA},
        },
        "$defs": {"fact": _fact()},
    }


def least(field: Field) -> int:
    """The least number that a chip may have in a field."""
    return max(field.least, int(field.path in AT_LEAST_ONE))


def _table(name: str) -> Schema:
    keys = {key: _key(field, key) for field in SCHEMA[name] for key in field.keys}
    return {
        "description": TABLES_MEAN[name],
        "type": "object",
        "additionalProperties": False,
        "properties": keys,
    }


def _key(field: Field, key: str) -> Schema:
    """A key: its plain value, or a table of the value and where it is from."""
    value = _value(field, key)
    unit = key.removeprefix(f"{field.stem}_") if field.units else ""
    return {
        "description": MEANINGS[field.path],
        **({"unit": UNIT_TEXT[unit]} if unit else {}),
        "anyOf": [
            value,
            {"$ref": "#/$defs/fact", "type": "object", "properties": {"value": value}},
        ],
    }


def _value(field: Field, key: str) -> Schema:
    if field.kind == "flag":
        return {"type": "boolean"}
    if field.kind == "choice":
        return {"enum": list(field.choices)}
    if field.kind == "pairs":
        pair = {"type": "array", "items": {"type": "integer", "minimum": 0}}
        return {"type": "array", "items": pair | {"minItems": 2, "maxItems": 2}}
    number = _number(field, key)
    return {"anyOf": [number, {"enum": list(field.words)}]} if field.words else number


def _number(field: Field, key: str) -> Schema:
    if field.kind == "ratio":
        top = {"maximum": MAX_PERCENT} if field.name.endswith("percent") else {}
        return {"type": "number", "minimum": 0, **top}
    factor = field.units[key.removeprefix(f"{field.stem}_")] if field.units else 1
    kind = "number" if field.units else "integer"
    return {"type": kind, "minimum": least(field) / factor, "maximum": field.limit / factor}


def _fact() -> Schema:
    """What may stand beside a value."""
    end = {"type": "number", "minimum": 0}
    return {
        "description": "A value and where it is from: a source, or why it is assumed.",
        "type": "object",
        "required": ["value"],
        "properties": {
            "value": {"description": f'A number, a word such as "{AUTO}", true or false.'},
            "source": {"description": "The publication or measurement.", **SOURCE},
            "assumed": {"description": "Whether no value is published.", "type": "boolean"},
            "why": {"description": "Why an assumed value is what it is.", **SOURCE},
            "low": {"description": "Least value of its band, in the key's unit.", **end},
            "high": {"description": "Largest value of its band, in the key's unit.", **end},
        },
        "additionalProperties": False,
        "if": {"required": ["assumed"], "properties": {"assumed": {"const": True}}},
        "then": {"required": ["why"]},
    }
