"""Our own form of a routing trace: an .npz of plain arrays, described in docs/formats.md."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ir.arrays import Array, Ints
from ir.errors import InputError
from ir.infile import Infile, in_a_line
from ir.npz import read_arrays
from ir.routing import Routing
from moexbar.files.atomic import write_atomically
from moexbar.files.form import check_form
from moexbar.files.traces.reading import Reading, RoutingLimits, raise_it

FORM = 1
_KINDS = {
    "form": "iu",
    "choices": "iu",
    "weights": "f",
    "scores": "f",
    "capacity": "iu",
    "layer": "iu",
    "num_experts": "iu",
    "sequence": "iu",
    "domain": "iu",
    "passed": "b",
    "decode": "iu",
}
MOST_EXPERTS = 2**15 - 1  # ids are kept in 16 bits


def read_own(path: Path | str | Infile, reading: Reading) -> Routing:
    """Read an archive of choices or scores; raise InputError naming file and array.

    Optional arrays: `layer` (default 0, 1, ...), `sequence` (default one sequence), `weights`,
    `domain`, `passed`. Of the reading the number of experts counts, where the file does not say it.
    """
    where = str(path)
    limits = reading.limits
    if reading.axes is not None:
        raise InputError("--axes", f"{reading.axes}, but {where} holds scores", "leave it out")
    arrays = read_arrays(path, _KINDS, limits.archive)
    _check_form(where, arrays.pop("form", None))
    refuse_other_experts(where, arrays, reading.num_experts)
    if reading.experts is not None:
        arrays.setdefault("num_experts", np.array(reading.experts))
    layers, tokens, last = _shape(where, arrays)
    num_experts = _num_experts(where, arrays, layers, tokens, limits)
    _check_width(where, arrays, last, num_experts)
    choices = small_choices(where, "choices", arrays.get("choices"), num_experts)
    return Routing(
        layer=given_layer(where, arrays, layers),
        num_experts=num_experts,
        sequence=given_sequence(where, arrays, tokens),
        choices=choices,
        weights=_weights(where, arrays.get("weights"), choices),
        scores=None if "scores" not in arrays else _float32(arrays["scores"]),
        capacity=_capacity(where, arrays, layers),
        decode=_decode(where, arrays),
        domain=int64(where, "domain", arrays["domain"]) if "domain" in arrays else None,
        passed=arrays.get("passed") if "choices" in arrays else None,
        source=where,
    )


def _check_form(where: str, found: Array | None) -> None:
    """InputError for a trace of a later form; one that says none is of the first."""
    if found is not None:
        number = found.item() if found.shape == () else found.tolist()
        check_form(where, "form", number, FORM, "record it again")


def refuse_other_experts(where: str, arrays: Mapping[str, Array], asked: int | None) -> None:
    """Refuse a file that says another number of experts than the option does."""
    said = arrays.get("num_experts")
    if asked is not None and said is not None and said.size and not np.all(said == asked):
        raise InputError(
            where,
            f"num_experts: {int(said.max())}, but --num-experts is {asked}",
            "leave the option out",
        )


def save_routing(path: Path | str, routing: Routing) -> None:
    """Write `routing` as one file, whole or not at all."""
    arrays: dict[str, Array] = {
        "form": np.array(FORM),
        "layer": routing.layer,
        "num_experts": routing.num_experts,
        "sequence": routing.sequence,
    }
    if routing.decode:
        arrays["decode"] = np.array(routing.decode, dtype=np.int64)
    for name in ("choices", "weights", "scores", "capacity", "domain", "passed"):
        value = getattr(routing, name)
        if value is not None:
            arrays[name] = value
    with write_atomically(path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def _shape(where: str, arrays: dict[str, Array]) -> tuple[int, int, int]:
    """Layers, tokens and the last axis (k or experts) of the array that holds the trace."""
    held = [name for name in ("choices", "scores") if name in arrays]
    if len(held) != 1:
        raise InputError(
            where,
            f"found {' and '.join(held) or 'neither choices nor scores'}, "
            "expected exactly one of choices and scores",
        )
    shape = arrays[held[0]].shape
    if len(shape) != 3 or min(shape) < 1:
        raise InputError(
            where,
            f"{held[0]}: shape {shape}, expected three sizes of at least 1: "
            "layers, tokens and " + ("k" if held[0] == "choices" else "experts"),
        )
    return shape[0], shape[1], shape[2]


def _num_experts(
    where: str, arrays: Mapping[str, Array], layers: int, tokens: int, limits: RoutingLimits
) -> Ints:
    if "num_experts" not in arrays:
        raise InputError(
            where,
            "num_experts: missing, expected the number of experts",
            "add it: numpy.savez_compressed(file, choices=..., num_experts=32), or give "
            "--num-experts 32",
        )
    out = _per_layer(where, "num_experts", arrays["num_experts"], layers)
    check_experts(where, out, limits)
    check_cells(where, tokens, out, limits)
    return out


def check_experts(where: str, num_experts: Ints, limits: RoutingLimits) -> None:
    """Refuse layers of no experts, or of more than the limit."""
    most = int(num_experts.max())
    if int(num_experts.min()) < 1 or most > limits.experts:
        raise InputError(
            where,
            f"num_experts: {int(num_experts.min())} to {most}, expected 1 to {limits.experts}",
            raise_it("experts", most, "count the experts of one layer")
            if limits.experts < most <= MOST_EXPERTS
            else "",
        )


def from_ids(where: str, experts: int) -> str:
    """What is told where the number of experts is taken from the ids."""
    return f"{where}: {experts} experts a layer, from the highest id; if more: --num-experts N"


def check_cells(where: str, tokens: int, num_experts: Ints, limits: RoutingLimits) -> None:
    """Refuse a trace whose matrix of one layer is larger than the limit."""
    experts = int(num_experts.max())
    if tokens * experts > limits.cells:
        raise InputError(
            where,
            f"num_experts: {tokens} tokens x {experts} experts, limit {limits.cells} in all",
            raise_it("cells", tokens * experts, "use fewer tokens"),
        )


def _check_width(where: str, arrays: dict[str, Array], last: int, num_experts: Ints) -> None:
    """Check k <= E for choices (E of the widest layer)."""
    widest = int(num_experts.max())
    if "choices" in arrays and last > widest:
        raise InputError(where, f"choices: k = {last}, expected at most {widest}, the experts")


def small_choices(
    where: str, name: str, choices: Array | None, num_experts: Ints
) -> npt.NDArray[np.int16] | None:
    """Narrow to int16, which must not turn a wrong id into a right one."""
    if choices is None:
        return None
    if int(choices.max()) > np.iinfo(np.int16).max or int(choices.min()) < -1:
        raise InputError(
            where,
            f"{name}: ids from {int(choices.min())} to {int(choices.max())}, "
            f"expected -1 to {int(num_experts.max()) - 1}",
        )
    return choices.astype(np.int16, copy=False)


def given_layer(where: str, arrays: Mapping[str, Array], layers: int) -> Ints:
    """Ids of the layers, 0, 1, ... where the file gives none."""
    if "layer" not in arrays:
        return np.arange(layers, dtype=np.int64)
    found = int64(where, "layer", arrays["layer"])
    if found.shape != (layers,):
        raise InputError(where, f"layer: shape {found.shape}, expected ({layers},)")
    if int(found.min()) < 0 or len(np.unique(found)) != layers:
        raise InputError(where, "layer: expected different ids of at least 0")
    return found


def given_sequence(where: str, arrays: Mapping[str, Array], tokens: int) -> Ints:
    """The sequence of each token, one for all where the file gives none."""
    if "sequence" not in arrays:
        return np.zeros(tokens, dtype=np.int64)
    found = int64(where, "sequence", arrays["sequence"])
    if found.shape != (tokens,):
        raise InputError(where, f"sequence: shape {found.shape}, expected ({tokens},)")
    return found


def _weights(
    where: str, weights: Array | None, choices: npt.NDArray[np.int16] | None
) -> npt.NDArray[np.float32] | None:
    """Gate weights, finite wherever there is an expert; their shape is Routing's to check."""
    if weights is None or choices is None:
        return None
    out = _float32(weights)
    if out.shape == choices.shape:
        bad = ~np.isfinite(out) & (choices >= 0)
        if np.any(bad):
            layer, token, k = (int(i) for i in np.unravel_index(int(np.argmax(bad)), bad.shape))
            raise InputError(
                where,
                f"weights: layer {layer}, token {token}, position {k}: {out[layer, token, k]}, "
                "expected a finite number",
            )
    return out


def _capacity(where: str, arrays: dict[str, Array], layers: int) -> Ints | None:
    if "scores" not in arrays:
        return None
    if "capacity" not in arrays:
        raise InputError(
            where,
            "capacity: missing, expected the tokens an expert takes of a sequence",
            "add it: numpy.savez_compressed(file, scores=..., num_experts=..., capacity=64)",
        )
    decode = _decode(where, arrays)
    out = int64(where, "capacity", arrays["capacity"])
    if not decode:
        out = _per_layer(where, "capacity", arrays["capacity"], layers)
    elif out.shape != (layers, 1 + decode):
        raise InputError(
            where,
            f"capacity: shape {out.shape}, expected ({layers}, {1 + decode}): per layer, for the "
            "prefill and each decode step",
        )
    if int(out.min()) < 0:
        raise InputError(where, f"capacity: {int(out.min())}, expected at least 0")
    return out


def _decode(where: str, arrays: dict[str, Array]) -> int:
    """How many tokens at the end of each sequence came one at a time; 0 where it is not said."""
    if "decode" not in arrays:
        return 0
    found = int64(where, "decode", arrays["decode"])
    if found.shape not in ((), (1,)) or int(found.min()) < 0 or "scores" not in arrays:
        raise InputError(
            where,
            f"decode: {in_a_line(found.tolist(), 40)}, expected one number, with scores",
            "with token choice a token's routing does not depend on when it arrives",
        )
    return int(found.reshape(-1)[0])


def _per_layer(where: str, name: str, value: Array, layers: int) -> Ints:
    """One number for all layers, or one each: int64 [layers]."""
    found = int64(where, name, value)
    if found.shape not in ((), (1,), (layers,)):
        raise InputError(where, f"{name}: shape {found.shape}, expected a scalar or ({layers},)")
    return np.broadcast_to(found, (layers,)).copy()


def int64(where: str, name: str, value: Array) -> Ints:
    """Integers of any width in 64 bits, if they fit."""
    if value.dtype == np.uint64 and value.size and int(value.max()) >= 2**63:
        raise InputError(where, f"{name}: {int(value.max())}, expected less than 2^63")
    return value.astype(np.int64)


def _float32(value: Array) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):  # an overflow becomes inf, which the checks refuse
        return value.astype(np.float32, copy=False)
