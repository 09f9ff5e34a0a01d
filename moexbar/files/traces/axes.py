"""Axes of an array of expert ids or token counts: named by the user, or the one reading they allow.

Serving engines return ids as [tokens, layers, k], trainers keep them as [layers, tokens, k] or
[batch, seq, layers, k]; counts are [layers, experts], or [steps, layers, experts].
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ir.arrays import Array, Ints
from ir.errors import InputError

OPTION = "--axes"
MOST_LAYERS = 256  # no model has more, so a longer axis is not that of the layers
MOST_PLACES = 64  # experts of one token: a longer last axis is not k, unless the user says so
MOST_IDS = 4096
MANY_ROWS = 256  # of ids, each without a repetition: counts repeat themselves sooner
NAMES = ("layers", "tokens", "k", "batch", "seq", "steps", "experts")
ID_NAMES = frozenset(
    "routed_experts topk_ids topk_idx topk_indices expert_ids expert_indices selected_experts "
    "choices".split()
)
COUNT_NAMES = frozenset(
    "weight load loads count counts expert_load expert_loads expert_count expert_counts "
    "logical_count tokens_per_expert num_tokens_per_expert".split()
)
ENGINE_NAME = "routed_experts"  # vLLM's and SGLang's, always tokens first


@dataclass(frozen=True)
class Axes:
    """What each axis of an array is, first to last: of ids (with k) or of counts (with experts).

    Raises InputError for names that do not make one or the other.
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        given = set(self.names)
        ids = given - {"layers"} in ({"tokens", "k"}, {"batch", "seq", "k"})
        counts = given - {"layers", "steps"} == {"experts"}
        if len(given) != len(self.names) or not (ids or counts):
            raise InputError(
                OPTION,
                f"{self}, expected for expert ids k, tokens (or batch,seq) and layers, for token "
                "counts experts, layers and steps, in the order of the array",
                f"for example {OPTION} tokens,layers,k",
            )

    def __str__(self) -> str:
        return ",".join(self.names)

    @classmethod
    def of(cls, text: str | None) -> "Axes | None":
        """Of names with commas between; None of None."""
        return None if text is None else cls(tuple(name.strip() for name in text.split(",")))

    @property
    def counted(self) -> bool:
        """Whether they are those of token counts."""
        return "experts" in self.names

    def ids(self, where: str, name: str, array: Array) -> tuple[Array, int]:
        """Ids as [layers, tokens, k], and how many sequences the tokens are, 0 where not said."""
        batched = "batch" in self.names
        order = ("layers", "batch", "seq", "k") if batched else ("layers", "tokens", "k")
        found = self._ordered(where, name, array, order)
        batch = found.shape[1] if batched else 0
        return found.reshape(found.shape[0], -1, found.shape[-1]), batch

    def counts(self, where: str, name: str, array: Array) -> Array:
        """Counts as [steps, layers, experts]."""
        return self._ordered(where, name, array, ("steps", "layers", "experts"))

    def _ordered(self, where: str, name: str, array: Array, order: tuple[str, ...]) -> Array:
        """The axes in `order`; those that are not there have length 1."""
        if array.ndim != len(self.names) or min(array.shape, default=0) < 1:
            raise InputError(
                where,
                f"{name}: shape {array.shape}, expected {len(self.names)} sizes of at least 1: "
                f"{self}",
                f"name the axes of this array: {OPTION} NAME,NAME,...",
            )
        there = [axis for axis in order if axis in self.names]
        found = array.transpose([self.names.index(axis) for axis in there])
        places = tuple(place for place, axis in enumerate(order) if axis not in self.names)
        return np.expand_dims(found, places)


BY_DIMENSIONS = {
    1: (Axes(("experts",)),),
    2: (Axes(("tokens", "k")), Axes(("layers", "experts"))),
    3: (
        Axes(("tokens", "layers", "k")),
        Axes(("layers", "tokens", "k")),
        Axes(("steps", "layers", "experts")),
    ),
    4: (Axes(("batch", "seq", "layers", "k")), Axes(("layers", "batch", "seq", "k"))),
}


@dataclass(frozen=True)
class Known:
    """What else the file says of the array: how many layers, tokens and experts there are."""

    layers: int | None = None
    tokens: int | None = None
    experts: int | None = None


def recognised(where: str, name: str, array: Array, known: Known) -> Axes:
    """The one reading of an array, by its name, shape and values; InputError where there are more.

    array: whole numbers, -1 for no expert.
    """
    every = BY_DIMENSIONS.get(array.ndim, ())
    if name in ID_NAMES:
        every = tuple(axes for axes in every if not axes.counted)
    elif name in COUNT_NAMES:
        every = tuple(axes for axes in every if axes.counted)
    able = list(_able(every, array, known))
    if name == ENGINE_NAME and len(able) > 1:
        return able[0]
    if len(able) == 1:
        return able[0]
    if not able and len(every) == 1:  # what is wrong with it is told where it is read
        return every[0]
    raise InputError(where, *_problem(name, array, able or every, known, fits=bool(able)))


def _able(every: tuple[Axes, ...], array: Array, known: Known) -> Iterator[Axes]:
    """Those of the axes that shape and values allow."""
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    ids = _are_ids(array, low, high, known)
    surely = ids and _surely_ids(array)
    for axes in every:
        size = dict(zip(axes.names, array.shape, strict=True))
        if size.get("layers", 1) > MOST_LAYERS or known.layers not in (None, size.get("layers", 1)):
            continue
        tokens = size.get("tokens", size.get("batch", 1) * size.get("seq", 1))
        if axes.counted:
            if low >= 0 and not surely and known.experts in (None, size["experts"]):
                yield axes
        elif ids and known.tokens in (None, tokens):
            yield axes


def _are_ids(array: Array, low: int, high: int, known: Known) -> bool:
    """Whether the values could be expert ids, those of a token along the last axis."""
    if array.ndim < 2 or not 1 <= array.shape[-1] <= MOST_PLACES or not array.size:
        return False
    if low < -1 or high >= (known.experts or MOST_IDS):
        return False
    ordered = np.sort(array.astype(np.int16), axis=-1)
    repeated = (ordered[..., 1:] == ordered[..., :-1]) & (ordered[..., 1:] >= 0)
    # layers without a router are all 0: a few repetitions are not held against it
    return float(repeated.any(axis=-1).mean()) < 0.5


def _surely_ids(array: Array) -> bool:
    """Whether ids that could be counts by their values cannot be: their sums differ as well.

    Counts of a step sum to the same in every layer, and have equal ones among them sooner or later.
    """
    rows: Ints = array.reshape(-1, array.shape[-1]).astype(np.int64)
    if array.min() < 0:
        return True
    ordered = np.sort(rows, axis=1)
    if len(rows) < MANY_ROWS or bool(np.any(ordered[:, 1:] == ordered[:, :-1])):
        return False
    return len(np.unique(rows.sum(axis=1))) > 1


def _problem(
    name: str, array: Array, readings: tuple[Axes, ...] | list[Axes], known: Known, *, fits: bool
) -> tuple[str, str]:
    """What was found, and how to name the axes."""
    values = f", values {array.min()} to {array.max()}" if array.size else ""
    found = f"{name}: shape {array.shape} of {array.dtype}{values}"
    examples = " or ".join(f"{OPTION} {axes}" for axes in readings)
    if fits:
        return f"{found}: may be read in {len(readings)} ways", f"name its axes: {examples}"
    said = [f"{n} {what}" for what, n in vars(known).items() if n is not None]
    if not readings:
        return f"{found}, expected 1 to 4 axes", "expert ids are tokens,layers,k"
    beside = f" ({', '.join(said)} by what else is said)" if said else ""
    return (
        f"{found}: neither expert ids, distinct along the last axis and -1 for none, nor token "
        f"counts of at least 0{beside}",
        f"if it is one of them, name its axes: {examples}",
    )
