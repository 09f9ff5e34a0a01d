"""Traces and load counts that are one array under any name, in an .npz archive or an .npy file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ir.arrays import Array, Bools, Ints, Singles
from ir.errors import InputError
from ir.load import Load
from ir.npz import ArrayHeader, read_array, read_arrays, read_headers
from ir.routing import Routing
from moexbar.files.traces.axes import COUNT_NAMES, ID_NAMES, Axes, Known, recognised
from moexbar.files.traces.own import (
    check_cells,
    check_experts,
    from_ids,
    given_layer,
    given_sequence,
    int64,
    refuse_other_experts,
    small_choices,
)
from moexbar.files.traces.reading import Reading
from moexbar.files.traces.whole import whole

GATE_NAMES = ("weights", "topk_weights", "gates", "gate_weights", "routing_weights")
BESIDE = {"num_experts": "iu", "layer": "iu", "sequence": "iu", "domain": "iu"}


@dataclass(frozen=True, eq=False)
class _Found:
    """The array that is read, its name, and what lies beside it by name."""

    where: str
    name: str
    array: Array
    beside: Mapping[str, Array]


def read_one_array(path: Path, reading: Reading) -> Routing | Load:
    """Read an .npy file, whose name stands for its array's."""
    array = read_array(path, "iuf", reading.limits.archive)
    return _read(_Found(str(path), path.stem, array, {}), reading)


def read_archive(path: Path, reading: Reading) -> Routing | Load:
    """Read an archive that is not of our own form: the one array of it that can be meant."""
    headers = read_headers(path, reading.limits.archive)
    name = _main(str(path), headers)
    wanted = {name: "iuf"} | {n: kinds for n, kinds in BESIDE.items() if n != name}
    gates = next((n for n in GATE_NAMES if n != name and n in headers), None)
    if gates is not None:
        wanted[gates] = "f"
    arrays = read_arrays(path, wanted, reading.limits.archive)
    if gates is not None:
        arrays["weights"] = arrays.pop(gates)
    refuse_other_experts(str(path), arrays, reading.num_experts)
    return _read(_Found(str(path), name, arrays.pop(name), arrays), reading)


def _main(where: str, headers: Mapping[str, ArrayHeader | None]) -> str:
    """The array of ids or counts: by its name, else the only one it can be."""
    numbers = {
        name: header
        for name, header in headers.items()
        if header and header.code.lstrip("<>|=")[:1] in ("i", "u", "f") and header.shape
    }
    for names in (ID_NAMES, COUNT_NAMES):
        if named := [name for name in numbers if name in names]:
            return _only(where, named)
    others = [name for name in numbers if name not in BESIDE and name not in GATE_NAMES]
    whole_ones = [name for name in others if "f" not in (numbers[name] or ArrayHeader("", ())).code]
    if found := whole_ones or others:
        return _only(where, found)
    held = ", ".join(f"{name} {h.shape if h else ''}".strip() for name, h in headers.items())
    raise InputError(
        where,
        f"found neither choices nor scores, nor another array of expert ids or token counts; it "
        f"holds {held[:200] or 'nothing'}",
        "save the ids as numpy.savez_compressed(file, choices=..., num_experts=32)",
    )


def _only(where: str, names: list[str]) -> str:
    if len(names) > 1:
        raise InputError(
            where,
            f"{', '.join(names)[:200]}: {len(names)} arrays that may be meant, expected one",
            "save that one alone: numpy.savez_compressed(file, routed_experts=...)",
        )
    return names[0]


def _read(found: _Found, reading: Reading) -> Routing | Load:
    """What the array is by its axes."""
    axes = reading.axes
    # a gap is no expert among ids, and nothing among counts
    ids = axes is not None and not axes.counted
    ids |= axes is None and found.name in ID_NAMES
    array = whole(found.where, found.name, found.array, missing=-1 if ids else None)
    if axes is None:
        axes = recognised(found.where, found.name, array, _known(found, reading))
        reading.say(f"{found.where}: {found.name} {array.shape} is read as {axes}")
    if axes.counted:
        return _load(found, array, axes, reading)
    return _routing(found, array, axes, reading)


def _known(found: _Found, reading: Reading) -> Known:
    """What else says how many layers, tokens and experts there are."""
    beside = found.beside
    experts = reading.experts
    if "num_experts" in beside and beside["num_experts"].size:
        experts = int(beside["num_experts"].max())
    layers, tokens = (beside[n].size if n in beside else None for n in ("layer", "sequence"))
    return Known(layers, tokens, experts)


def _load(found: _Found, array: Array, axes: Axes, reading: Reading) -> Load:
    counts: Ints = axes.counts(found.where, found.name, array).astype(np.int64)
    experts = _known(found, reading).experts
    if experts not in (None, counts.shape[2]):
        raise InputError(
            found.where, f"{found.name}: {counts.shape[2]} experts, but {experts} are said"
        )
    check_experts(found.where, np.array([counts.shape[2]]), reading.limits)
    return Load(given_layer(found.where, found.beside, counts.shape[1]), counts, found.where)


def _routing(found: _Found, array: Array, axes: Axes, reading: Reading) -> Routing:
    where, beside = found.where, found.beside
    ids, batch = axes.ids(where, found.name, array)
    gates = axes.ids(where, "weights", beside["weights"])[0] if "weights" in beside else None
    layer = given_layer(where, beside, len(ids))
    sequence = given_sequence(where, beside, ids.shape[1])
    if batch and "sequence" not in beside:
        sequence = np.repeat(np.arange(batch), ids.shape[1] // batch)
    kept = _routed_layers(where, ids, layer, reading)
    tokens = _real_tokens(where, ids[kept], reading) if batch else np.arange(ids.shape[1])
    if len(kept) < len(layer) or len(tokens) < len(sequence):
        ids, layer, sequence = ids[np.ix_(kept, tokens)], layer[kept], sequence[tokens]
        gates = None if gates is None else gates[np.ix_(kept, tokens)]
    num_experts = _num_experts(found, ids, reading)
    check_cells(where, ids.shape[1], num_experts, reading.limits)
    return Routing(
        layer=layer,
        num_experts=num_experts,
        sequence=sequence,
        choices=small_choices(where, found.name, ids, num_experts),
        weights=None if gates is None else _gates(gates),
        domain=int64(where, "domain", beside["domain"]) if "domain" in beside else None,
        source=where,
    )


def _routed_layers(where: str, ids: Array, layer: Ints, reading: Reading) -> Ints:
    """Places of the layers with a router: for a dense MLP engines return all zeros, or all -1."""
    none = ids.max(axis=(1, 2)) < 0
    zeros = (ids.max(axis=(1, 2)) == 0) & np.any((ids == 0).sum(axis=2) > 1, axis=1)
    dense: Bools = none | zeros
    if np.any(dense) and not np.all(dense):
        gone = ", ".join(str(i) for i in layer[dense][:12])
        reading.say(
            f"{where}: layers without a router, whose ids are all 0 or -1, are left out: {gone}"
        )
        return np.flatnonzero(~dense)
    return np.arange(len(layer))


def _real_tokens(where: str, ids: Array, reading: Reading) -> Ints:
    """Places of the tokens that are no padding of a batch: those have no expert in any layer."""
    real = np.flatnonzero((ids >= 0).any(axis=(0, 2)))
    if not len(real):
        return np.arange(ids.shape[1])
    if gone := ids.shape[1] - len(real):
        reading.say(
            f"{where}: {gone} tokens without an expert in any layer are left out, as padding"
        )
    return real


def _num_experts(found: _Found, ids: Array, reading: Reading) -> Ints:
    """Experts of each layer: as said, or one more than the highest id: int64 [layers]."""
    said = _known(found, reading).experts
    experts = np.full(len(ids), said or max(int(ids.max(initial=-1)) + 1, 1), dtype=np.int64)
    check_experts(found.where, experts, reading.limits)
    if said is None:
        reading.say(from_ids(found.where, int(experts[0])))
    return experts


def _gates(gates: Array) -> Singles:
    with np.errstate(over="ignore"):
        return gates.astype(np.float32, copy=False)
