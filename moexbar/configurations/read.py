"""`config.json` -> the shape of its model."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ir.errors import InputError
from ir.infile import check_file
from moexbar.chips.fields import shown
from moexbar.configurations.fields import Fields
from moexbar.configurations.known import READERS, REFUSED, SAME
from moexbar.configurations.quantised import with_bits
from moexbar.examples.sizes import Sizes

MAX_BYTES = 4 << 20
MOST_EXPERTS = 100_000  # of all layers
WHAT = "a model's configuration (config.json)"
EXPORT = "export the model as ONNX"


@dataclass(frozen=True)
class Configuration:
    """A model's shape, where it is from, and what is simplified in it.

    family: its `model_type`, as readers are called. name: of the model in reports.
    """

    path: Path
    sha256: str
    family: str
    name: str
    sizes: Sizes
    simplified: tuple[str, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What is told of it: where it is from, and what differs from the model."""
        head = f"read from a configuration ({self.family}): a shape without weights, not executed"
        return (head, *(f"simplified: {words}" for words in self.simplified))


def is_configuration(path: Path) -> bool:
    """Whether a file is to be read as a configuration: by its name, not by what it holds."""
    return path.suffix.lower() == ".json"


def read_configuration(path: Path) -> Configuration:
    """Read a configuration; InputError names file and field of what cannot be used."""
    check_file(path, WHAT, MAX_BYTES)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(str(path), error.strerror or "cannot be read") from error
    raw = _object(data, str(path))
    family, fields, told = _part(raw, str(path))
    shape = with_bits(fields, READERS[family](fields)).but(*told)
    if shape.sizes.layers * max(shape.sizes.experts, 1) > MOST_EXPERTS:
        many = f"{shape.sizes.layers} layers of {shape.sizes.experts} experts"
        raise InputError(str(path), f"{many}, at most {MOST_EXPERTS} experts in all")
    return Configuration(
        path, sha256(data).hexdigest(), family, _name(path, family), shape.sizes, shape.simplified
    )


def _object(data: bytes, where: str) -> Mapping[str, Any]:
    try:
        found = json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InputError(where, f"not JSON, expected {WHAT}") from error
    if not isinstance(found, dict) or not (found.get("model_type") or found.get("architectures")):
        raise InputError(where, f"no model_type in it, expected {WHAT}")
    return found


def _refuse(word: str) -> float:
    raise ValueError(word)


def _part(raw: Mapping[str, Any], where: str) -> tuple[str, Fields, tuple[str, ...]]:
    """The family, the fields of its text part and what is left out; InputError if unknown."""
    inner = raw.get("text_config")
    if isinstance(inner, dict):
        outer = {key: raw[key] for key in ("quantization_config",) if key in raw}
        text = {**outer, "model_type": raw.get("model_type"), **inner}
        return _family(text, where), Fields(f"{where}: text_config", text), ("the text part alone",)
    return _family(raw, where), Fields(where, raw), ()


def _family(raw: Mapping[str, Any], where: str) -> str:
    found = raw.get("model_type")
    if not isinstance(found, str):
        named = shown(repr(raw.get("architectures")))
        raise InputError(
            where,
            f"model_type: missing (architectures: {named}), expected one of {', '.join(READERS)}",
        )
    found = SAME.get(found.lower(), found.lower())
    if found in REFUSED:
        raise InputError(where, f"model_type {found}: {REFUSED[found]}", EXPORT)
    if found not in READERS:
        known = ", ".join(READERS)
        raise InputError(where, f"model_type {shown(found)!r}, expected one of {known}", EXPORT)
    return found


def _name(path: Path, family: str) -> str:
    """Of the model: its file's, or its family's where that is called as all are."""
    return family if path.stem == "config" else path.stem
