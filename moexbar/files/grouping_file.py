"""Groups of experts as a file: what `moexbar group --json` prints, read back and checked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ir.certificate import Certificate
from ir.errors import InputError
from ir.mapping import Grouping, LayerGrouping
from moexbar.files.form import check_form
from moexbar.files.json_file import read_json
from moexbar.report.plain import SCHEMA

AS_GIVEN = Certificate("as given", 0, 0, "heuristic")
WRITE_IT = "write it with: moexbar group --json"


def read_grouping(path: Path, experts: Mapping[int, int]) -> Grouping:
    """The groups of some layers, in their order; the file may hold others too.

    experts: {layer id: its number of experts}. Raises InputError naming file and layer for
    anything but groups that hold every expert of the layer, none of them twice in a group.
    """
    where, entries = str(path), _entries(path)
    return Grouping(tuple(_layer(where, entries, layer, many) for layer, many in experts.items()))


def _entries(path: Path) -> list[dict[str, Any]]:
    """The file's list of layers."""
    where = str(path)
    found = read_json(path, "groups as `moexbar group --json` prints them", WRITE_IT)
    if isinstance(found, dict):
        check_form(where, "schema", found.get("schema"), SCHEMA, WRITE_IT)
    layers = found.get("layers") if isinstance(found, dict) else None
    if not isinstance(layers, list):
        raise InputError(where, "layers: missing, expected a list", WRITE_IT)
    return [entry for entry in layers if isinstance(entry, dict)]


def _layer(where: str, entries: list[dict[str, Any]], layer: int, experts: int) -> LayerGrouping:
    ids = [entry.get("layer") for entry in entries]
    if ids.count(layer) != 1:
        problem = f"no layer {layer}, it has {_some(ids)}"
        if layer in ids:
            problem = f"layer {layer}: {ids.count(layer)} entries, expected one"
        raise InputError(where, problem, "group that trace, or choose another --layer")
    groups = entries[ids.index(layer)].get("groups")
    ok = isinstance(groups, list) and all(
        isinstance(g, list) and all(type(e) is int for e in g) for g in groups
    )
    if not ok or groups is None:
        raise InputError(where, f"layer {layer}: groups: expected a list of lists of expert ids")
    _check(where, layer, groups, experts)
    return LayerGrouping(layer, tuple(tuple(g) for g in groups), "file", AS_GIVEN)


def _check(where: str, layer: int, groups: list[list[int]], experts: int) -> None:
    """Every expert is in a group, none twice in one, and there are no others."""
    held = {e for g in groups for e in g}
    if len(held) != experts:
        raise InputError(
            where, f"layer {layer}: {len(held)} experts in groups, but the trace has {experts}"
        )
    if strange := sorted(held - set(range(experts))):
        problem = f"layer {layer}: expert {strange[0]}, expected each of 0 to {experts - 1}"
        raise InputError(where, problem)
    for number, group in enumerate(groups):
        if len(set(group)) != len(group):
            raise InputError(where, f"layer {layer}: group {number} holds an expert twice")


def _some(ids: list[Any]) -> str:
    """Layers of the file in a few words."""
    numbers = [str(i) for i in ids if type(i) is int]
    return f"layers {', '.join(numbers[:8])}" + ", ..." * (len(numbers) > 8) if numbers else "none"
