"""How many bits a configuration's quantisation leaves of a weight."""

from collections.abc import Mapping
from typing import Any, Literal

from ir.errors import InputError
from moexbar.configurations.common import Shape
from moexbar.configurations.fields import Fields

EIGHT = ("fp8", "fbgemm_fp8", "finegrained_fp8", "bitnet_fp8")
APART = ("modules_to_not_convert", "ignored_layers", "ignore", "exclude_modules")


def with_bits(f: Fields, shape: Shape) -> Shape:
    """The shape with matrices of 4 or 8 bits where `quantization_config` says so.

    Routers, embeddings, norms and the head keep 16. Raises InputError for what cannot be meant.
    """
    if not f.has("quantization_config"):
        return shape
    part = f.part("quantization_config")
    method = part.word("no method", "quant_method")[:40]
    bits = _bits(part, method)
    if bits is None:
        return shape.but(f"16-bit weights: quantization_config ({method}) does not say their bits")
    if bits >= 16:
        return shape
    stored: Literal[4, 8] = 4 if bits <= 4 else 8
    told = [f"integers of {stored} bits with one scale instead of {bits}-bit {method}"]
    quantised: Literal["layers", "experts"] = "layers"
    if method == "mxfp4" or any("attn" in name for name in _apart(part)):
        quantised = "experts"
        told.append("of the layers' matrices, the routed experts alone are quantised")
    return shape.but(*told, bits=stored, quantised=quantised)


def _bits(part: Fields, method: str) -> int | None:
    """Of a weight, None where it is not said."""
    if method in EIGHT:
        return 8
    if method == "mxfp4":
        return 4
    if part.flag("load_in_4bit", False) or part.flag("_load_in_4bit", False):
        return 4
    if part.flag("load_in_8bit", False) or part.flag("_load_in_8bit", False):
        return 8
    for name in ("bits", "w_bit", "weight_bits"):
        if part.has(name):
            return _number(part, name)
    algorithm = part.word("", "quant_algo").upper()
    if algorithm:
        return 4 if "4" in algorithm else 8 if "8" in algorithm else None
    groups = part.raw.get("config_groups")
    if isinstance(groups, Mapping) and groups:
        return _grouped(part, groups)
    return None


def _grouped(part: Fields, groups: Mapping[str, Any]) -> int | None:
    """Of groups of layers, which must agree."""
    found = set[int]()
    for name, group in groups.items():
        inner = Fields(f"{part.where}: {str(name)[:40]}", group if isinstance(group, dict) else {})
        weights = inner.part("weights")
        if weights.has("num_bits"):
            found.add(_number(weights, "num_bits"))
    if len(found) > 1:
        raise InputError(
            part.where, f"config_groups: weights of {sorted(found)} bits, expected one number"
        )
    return found.pop() if found else None


def _number(part: Fields, name: str) -> int:
    found = part.raw[name]
    if isinstance(found, bool) or not isinstance(found, int) or not 1 <= found <= 32:
        part.refuse(name, found, "a whole number of bits from 1 to 32")
    return found


def _apart(part: Fields) -> list[str]:
    """Modules that are not quantised."""
    found = [
        entry for name in APART if isinstance(part.raw.get(name), list) for entry in part.raw[name]
    ]
    return [entry for entry in found if isinstance(entry, str)]
