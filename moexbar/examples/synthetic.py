"""Synthetic routing traces: a small random model of a router, calibrated on real traces.

A router scores expert e for token t by a product of e's vector with the token's. Here
    score[t, e] = skew x b[e] + v[e] . (topic x s[sequence of t] + drift x a[t]) + noise[t, e]
with b, noise standard normal, v[e] a random direction in `rank` dimensions, s a first-order
autoregression over sequences and a one over tokens, each of unit variance per dimension; the k
highest scores win. Few dimensions make experts fire together (co-activation), the two
autoregressions make loads bursty, b makes them uneven.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ir.arrays import Singles
from ir.routing import Routing


@dataclass(frozen=True)
class Traits:
    """The constants of the random router (see the module).

    skew: weight of an expert's own bias.
    topic: weight of the sequence's topic.
    topic_memory: correlation of a topic with the one before.
    drift: weight of what changes from token to token.
    drift_memory: correlation of that with the token before.
    rank: dimensions of topics and drifts.
    """

    skew: float
    topic: float
    topic_memory: float
    drift: float
    drift_memory: float
    rank: int


def synthetic_routing(
    layers: list[int],
    experts: int,
    k: int,
    traits: Traits,
    *,
    sequences: int,
    length: int,
    seed: int,
    topics: int = 1,
) -> Routing:
    """A token-choice trace for the MoE layers with ids `layers`.

    Each of `sequences` goes through `topics` topics, `length` tokens of each. Every layer has
    experts, topics and drifts of its own.
    """
    random, tokens = np.random.default_rng(seed), sequences * topics * length
    topic = _memory(random, sequences * topics, len(layers), traits.rank, traits.topic_memory)
    drift = _memory(random, tokens, len(layers), traits.rank, traits.drift_memory)
    choices = np.empty((len(layers), tokens, k), dtype=np.int16)
    for row in range(len(layers)):
        token = traits.topic * np.repeat(topic[:, row], length, axis=0)
        token += traits.drift * drift[:, row]
        choices[row] = _choose(random, experts, k, traits, token)
    return Routing(
        layer=np.array(layers, dtype=np.int64),
        num_experts=np.full(len(layers), experts, dtype=np.int64),
        sequence=np.repeat(np.arange(sequences), topics * length),
        choices=choices,
        source=f"synthetic, seed {seed}",
    )


def _choose(
    random: np.random.Generator, experts: int, k: int, traits: Traits, token: Singles
) -> npt.NDArray[np.int16]:
    """One layer's choices [tokens, k], best first, for token vectors [tokens, rank]."""
    directions = random.standard_normal((experts, traits.rank), dtype=np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    bias = traits.skew * random.standard_normal(experts, dtype=np.float32)
    noise = random.standard_normal((len(token), experts), dtype=np.float32)
    scores = token @ directions.T + bias + noise
    best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
    return np.take_along_axis(best, order, axis=1).astype(np.int16)


def _memory(
    random: np.random.Generator, steps: int, layers: int, rank: int, memory: float
) -> Singles:
    """First-order autoregressions of unit variance over `steps`: [steps, layers, rank]."""
    value = random.standard_normal((steps, layers, rank), dtype=np.float32)
    value[1:] *= np.float32(np.sqrt(1 - memory**2))
    for step in range(1, steps):
        value[step] += np.float32(memory) * value[step - 1]
    return value
