"""Calibration windows: which windows of a trace a grouping is fitted to.

Aligned windows alone are few, and a grouping fitted to them follows their accidents. Windows that
overlap, and windows over the same sequences in another order, show which experts are busy together
in other mixtures of the same traffic; no token outside the fit range is used.

The defaults, windows a quarter apart and three shuffled orders, were chosen on gpt-oss-20b by
fitting to one quarter of its sequences and scoring on the other quarter of the same half.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ir.arrays import Bools, Ints, Span
from ir.errors import InputError
from ir.routing import windows

SHUFFLES = 3
QUARTERS = 4  # parts of a fit range without domains


@dataclass(frozen=True, eq=False)
class Calibration:
    """What a grouping is fitted to: windows [start, stop) of the rows of chosen [rows, experts].

    parts: the windows are so many blocks of equal number, of which the worst is to count.
    """

    chosen: Bools
    windows: list[Span]
    parts: int = 1


def calibration(
    chosen: Bools,
    sequence: Ints,
    window: int,
    *,
    stride: int | None = None,
    shuffles: int = SHUFFLES,
    seed: int = 0,
) -> Calibration:
    """Windows over the tokens in order, and over `shuffles` random orders of the sequences.

    chosen: [tokens, experts] and sequence: [tokens] of the fit range alone. The matrix returned is
    [(1 + shuffles) * tokens, experts], the orders one after the other; no window spans two orders.
    `stride` defaults to a quarter window. Raises InputError where the range has no whole window.
    """
    tokens = len(chosen)
    spans = windows(tokens, window, stride or max(1, window // 4))
    if not spans:
        raise InputError(
            "fit range",
            f"{tokens} tokens, expected at least one window of {window}",
            "use a smaller --window or a wider --fit",
        )
    random = np.random.default_rng(seed)
    orders = [np.arange(tokens)]
    orders += [_shuffled(sequence, random) for _ in range(shuffles)]
    every = [(n * tokens + a, n * tokens + b) for n in range(len(orders)) for a, b in spans]
    return Calibration(chosen[np.concatenate(orders)], every)


def joined(every: Sequence[Calibration]) -> Calibration:
    """All windows of several calibrations without parts, one after another."""
    first = np.cumsum([0, *(len(one.chosen) for one in every)]).tolist()
    spans = [
        (at + a, at + b) for at, one in zip(first, every, strict=False) for a, b in one.windows
    ]
    return Calibration(np.concatenate([one.chosen for one in every]), spans)


def robust_calibration(
    chosen: Bools,
    sequence: Ints,
    window: int,
    domain: Ints | None = None,
    *,
    stride: int | None = None,
    shuffles: int = SHUFFLES,
    seed: int = 0,
) -> Calibration:
    """Calibrate on each domain by itself, or on each quarter of the sequences without domains.

    Every part gives the same number of windows, spread over it, so that the worst of them is the
    worst in slots a window. Parts shorter than a window are left out. Raises InputError where
    fewer than two are long enough.
    """
    parts = [p for p in _parts(sequence, domain) if len(p) >= window]
    if len(parts) < 2:
        raise InputError(
            "fit range",
            f"{len(parts)} {'quarters' if domain is None else 'domains'} of at least one window of "
            f"{window} tokens, expected at least 2 for --robust",
            "use a smaller --window or a wider --fit",
        )
    every = [
        calibration(chosen[p], sequence[p], window, stride=stride, shuffles=shuffles, seed=seed)
        for p in parts
    ]
    fewest = min(len(one.windows) for one in every)
    spans: list[Span] = []
    first = 0
    for one in every:
        picked = np.linspace(0, len(one.windows) - 1, fewest).round().astype(int)
        spans += [(first + one.windows[i][0], first + one.windows[i][1]) for i in picked]
        first += len(one.chosen)
    return Calibration(np.concatenate([one.chosen for one in every]), spans, len(every))


def _parts(sequence: Ints, domain: Ints | None) -> list[Ints]:
    """Token indices of each domain, or of each quarter of the sequences."""
    if domain is not None:
        return [np.flatnonzero(domain == d) for d in np.unique(domain)]
    ids = np.unique(sequence)
    return [np.flatnonzero(np.isin(sequence, some)) for some in np.array_split(ids, QUARTERS)]


def _shuffled(sequence: Ints, random: np.random.Generator) -> Ints:
    """Token indices with whole sequences in random order."""
    starts = np.flatnonzero(np.diff(sequence, prepend=sequence[:1] - 1))
    parts = np.split(np.arange(len(sequence)), starts[1:])
    return np.concatenate([parts[i] for i in random.permutation(len(parts))])
