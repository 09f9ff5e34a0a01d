"""A router computed again in numpy, from its own matrix and the vectors that it read.

Shares with the front end only which stored matrix is the router's; selection and weights are
recomputed under a short list of rules (softmax or sigmoid scores, a stored selection bias, groups
of experts, PhiMoE's sparse mixer), and the rule that agrees is named.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ir.arrays import Array

MASK = -1e30


@dataclass(frozen=True, eq=False)
class Rule:
    """A way to choose: `scores` [tokens, experts] whose k largest are taken."""

    name: str
    scores: Array


@dataclass(frozen=True)
class Agreement:
    """Tokens routed as the rule says, of how many; near: others, by less than `tie` apart."""

    rule: str
    equal: int
    near: int
    tokens: int
    weights: str = ""

    @property
    def good(self) -> bool:
        """Whether nothing differs but near ties."""
        return self.equal + self.near == self.tokens

    def __str__(self) -> str:
        """For the table."""
        ties = f" (+{self.near} ties)" if self.near else ""
        weights = f", weights {self.weights}" if self.weights else ""
        return f"{self.equal}/{self.tokens}{ties} {self.rule}{weights}"


def softmax(x: Array) -> Array:
    """Over the last axis."""
    high = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(high / high.sum(axis=-1, keepdims=True))


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    return np.asarray(1 / (1 + np.exp(-x)))


def rules(logits: Array, biases: list[Array], grouped: bool, k: int) -> Iterator[Rule]:
    """Every rule that may be meant, the plainest first."""
    named = (("logits", logits), ("softmax", softmax(logits)), ("sigmoid", sigmoid(logits)))
    yield Rule("logits", logits)
    for name, scores in named:
        for bias in biases:
            yield Rule(f"{name}+bias", scores + bias)
    if not grouped:
        return
    experts = logits.shape[1]
    for name, scores in named[1:]:
        for bias in [np.zeros(experts), *biases]:
            for groups in (g for g in range(2, experts) if experts % g == 0):
                for kept in (n for n in range(1, groups) if n * experts // groups >= k):
                    for best in (2, 1):
                        words = f"{name}+bias, {kept} of {groups} groups by {best}"
                        yield Rule(words, _in_groups(scores + bias, groups, kept, best))


def _in_groups(scores: Array, groups: int, kept: int, best: int) -> Array:
    """Only the experts of the `kept` groups whose `best` highest scores add up to most."""
    parts = scores.reshape(len(scores), groups, -1)
    total = np.sort(parts, axis=2)[:, :, -best:].sum(axis=2)
    rank = np.argsort(np.argsort(-total, axis=1, kind="stable"), axis=1)
    return np.where((rank < kept)[:, :, None], parts, MASK).reshape(scores.shape)


def chosen_by(scores: Array, k: int, axis: int) -> tuple[Array, Array]:
    """The k largest along an axis: a 0/1 matrix, and how far the k-th lies above the next."""
    ordered = np.argsort(-scores, axis=axis, kind="stable")
    picked = np.take(ordered, np.arange(k), axis=axis)
    matrix = np.zeros(scores.shape, dtype=np.bool_)
    np.put_along_axis(matrix, picked, True, axis=axis)
    ranked = -np.sort(-scores, axis=axis)
    if k >= scores.shape[axis]:
        return matrix, np.full(np.delete(scores.shape, axis), np.inf)
    last, following = np.take(ranked, k - 1, axis=axis), np.take(ranked, k, axis=axis)
    return matrix, last - following


def chosen_of_each(scores: Array, counts: Array) -> tuple[Array, Array]:
    """The counts[t] largest of each row: a 0/1 matrix, and how far the last is above the next."""
    rank = np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1)
    edge = np.full((len(scores), 1), np.inf)
    ranked = np.concatenate([edge, -np.sort(-scores, axis=1), -edge], axis=1)
    at = counts[:, None]
    margin = np.take_along_axis(ranked, at, 1) - np.take_along_axis(ranked, at + 1, 1)
    return rank < at, margin[:, 0]


def compare_token_choice(
    logits: Array,
    biases: list[Array],
    grouped: bool,
    k: int,
    found: Array,
    gates: Array,
    tie: float,
) -> Agreement:
    """Hold a recorded selection [tokens, experts] and its weights, likewise, against every rule.

    A router of any number of experts (k is all of them) is held against the best of as many.
    """
    best: Agreement | None = None
    some = k == logits.shape[1]
    for rule in rules(logits, biases, grouped, k):
        if some:
            wanted, margin = chosen_of_each(rule.scores, found.sum(axis=1))
        else:
            wanted, margin = chosen_by(rule.scores, k, axis=1)
        same = (wanted == found).all(axis=1)
        scale = np.abs(rule.scores[rule.scores > MASK / 2]).max()
        near = ~same & (margin < tie * scale)
        now = Agreement(rule.name, int(same.sum()), int(near.sum()), len(same))
        if best is None or (now.equal, now.near) > (best.equal, best.near):
            best = now
        if now.equal == now.tokens:
            break
    assert best is not None
    meant = logits + biases[0] if best.rule == "logits+bias" else logits
    words = weight_rule(meant, found, gates, max(tie, 1e-4))
    return Agreement(best.rule, best.equal, best.near, best.tokens, words)


def weight_rule(logits: Array, found: Array, gates: Array, tolerance: float) -> str:
    """How the weights follow from the logits of the selected, and the factor on them."""
    used = gates[found]
    if not used.any():
        return "not recorded"
    inside = softmax(np.where(found, logits, MASK))
    scores = {"softmax": softmax(logits), "sigmoid": sigmoid(logits)}
    known = {"softmax of the chosen": inside, **scores, "sparse mixer": _mixed(logits, found)}
    for name, values in scores.items():
        total = np.where(found, values, 0).sum(axis=1, keepdims=True)
        known[f"{name}, renormalised"] = values / total
    known |= {"one": np.ones_like(logits), "relu": np.maximum(logits, 0)}
    for name, values in known.items():
        factor = float(np.median(used / values[found]))
        if np.allclose(used, factor * values[found], rtol=tolerance, atol=tolerance):
            return name if abs(factor - 1) < 1e-3 else f"{name} x {factor:.4g}"
    return "another rule"


def _mixed(logits: Array, found: Array, jitter: float = 0.01) -> Array:
    """PhiMoE: each pick is a softmax over those near the largest, the first pick left out after."""
    out, left = np.zeros_like(logits), logits.copy()
    for _ in range(int(found[0].sum())):
        high = left.max(axis=1, keepdims=True)
        far = (high - logits) / np.maximum(np.abs(logits), high) > 2 * jitter
        values = softmax(np.where(far | (left <= MASK), MASK, left))
        best = left.argmax(axis=1)[:, None]
        np.put_along_axis(out, best, np.take_along_axis(values, best, 1), 1)
        np.put_along_axis(left, best, MASK, 1)
    return np.where(out > 0, out, 1e-30)


def compare_expert_choice(logits: Array, capacity: int, found: Array, tie: float) -> Agreement:
    """Hold a recorded selection of one sequence, by capacity, against each expert's best tokens."""
    wanted, margin = chosen_by(softmax(logits), capacity, axis=0)
    same = (wanted == found).all(axis=0)
    near = ~same & (margin < tie)
    return Agreement("softmax, best tokens", int(same.sum()), int(near.sum()), len(same))
