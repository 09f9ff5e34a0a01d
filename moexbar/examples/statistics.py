"""What a routing trace is like: skew, burstiness and co-activation, one number each."""

from dataclasses import dataclass

import numpy as np

from ir.arrays import Bools, Floats
from ir.routing import Routing

WINDOW = 512
SHORT = 64


@dataclass(frozen=True)
class Statistics:
    """Means over the layers of a trace.

    skew: load of the fullest expert over the mean load, over the whole trace; window_skew: the
    same within windows of 512 tokens. repeat: share of a token's experts that the token before
    used too, from 0 (as often as if tokens were drawn independently) to 1 (always). short,
    long: correlation of an expert's load in one window of 64 (512) tokens with that in the next.
    spread: standard deviation of an expert's load in windows of 512 over that of independent draws.
    lift: how much oftener than by chance the 5 % most co-active pairs of experts share a token.
    """

    skew: float
    window_skew: float
    repeat: float
    short: float
    long: float
    spread: float
    lift: float


def measure(routing: Routing) -> Statistics:
    """The statistics of a token-choice trace, at least two windows of 512 tokens long."""
    rows = [_layer(routing.matrix(row)) for row in range(routing.layers)]
    return Statistics(*np.mean(rows, axis=0).tolist())


def _layer(chosen: Bools) -> list[float]:
    """Statistics of one layer from chosen: bool [tokens, experts], in the order of the fields."""
    used = chosen.astype(np.float64)
    chance = used.mean(axis=0)
    long, short = _loads(used, WINDOW), _loads(used, SHORT)
    alone = np.sqrt(WINDOW * chance * (1 - chance)) + 1e-9
    return [
        float(chance.max() / chance.mean()),
        float((long.max(axis=1) / long.mean(axis=1)).mean()),
        _repeat(used, chance),
        _persistence(short),
        _persistence(long),
        float((long.std(axis=0) / alone).mean()),
        _lift(used, chance),
    ]


def _loads(used: Floats, size: int) -> Floats:
    """Load of each expert in each whole window of `size` tokens: [windows, experts]."""
    count = len(used) // size
    loads: Floats = used[: count * size].reshape(count, size, -1).sum(axis=1)
    return loads


def _persistence(loads: Floats) -> float:
    """Lag-1 autocorrelation over windows, in the mean over experts."""
    off = loads - loads.mean(axis=0)
    return float(((off[1:] * off[:-1]).sum(axis=0) / ((off**2).sum(axis=0) + 1e-9)).mean())


def _repeat(used: Floats, chance: Floats) -> float:
    per_token = chance.sum()
    same = (used[1:] * used[:-1]).sum(axis=1).mean() / per_token
    independent = (chance**2).sum() / per_token
    return float((same - independent) / (1 - independent))


def _lift(used: Floats, chance: Floats) -> float:
    """P(both) / (P(one) P(other)), over what k uniform distinct experts would give."""
    experts, k = len(chance), chance.sum()
    both = used.T @ used / len(used)
    ratio = both / (np.outer(chance, chance) + 1e-12)
    pairs = np.sort(ratio[np.triu_indices(experts, 1)])[::-1]
    top = pairs[: max(1, len(pairs) // 20)].mean()
    uniform = (experts / (experts - 1)) * (k - 1) / k
    return float(top / uniform)
