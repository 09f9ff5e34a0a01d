"""An expert-choice router's capacity as a formula of the number of tokens."""

from fractions import Fraction

import numpy as np

from compiler.frontend.facts.graph import axis_attribute
from compiler.frontend.facts.sizes import Sizes
from compiler.frontend.moe.anchors import Anchor
from compiler.frontend.moe.unreadable import Unreadable
from ir.arrays import Ints
from ir.selection import Capacity


def capacity(sizes: Sizes, anchor: Anchor) -> Capacity:
    """C as a constant or floor(T * n / d), fitted to its value at every sampled token count."""
    counts = _counts(sizes, anchor)
    if counts is None:
        raise Unreadable("its capacity does not follow from the number of tokens", anchor.node)
    tokens = sizes.tokens
    if np.any(counts != counts[0]):
        small = sizes.small
        few = _counts(small, anchor)
        if few is not None:
            counts, tokens = np.append(few, counts), np.append(small.tokens, tokens)
    found = fit_capacity(counts, tokens)
    if found is None:
        raise Unreadable("its capacity is no floor(T * n / d)", anchor.node)
    return found


def _counts(sizes: Sizes, anchor: Anchor) -> Ints | None:
    """K of the selection for every sampled token count."""
    k = anchor.node.inputs[1] if len(anchor.node.inputs) > 1 else None
    content = sizes.content(k)
    if content is not None:
        if any(np.size(c) != 1 for c in content):
            return None
        return np.array([int(np.ravel(c)[0]) for c in content], dtype=np.int64)
    shape = sizes.shape(anchor.node.outputs[0])
    if shape is None:
        return None
    row = shape[axis_attribute(anchor.node, -1, len(shape))]
    return None if np.any(row < 0) else row


def fit_capacity(counts: Ints, tokens: Ints) -> Capacity | None:
    """The simplest Capacity that gives counts[i] for tokens[i], None if there is none."""
    if np.all(counts == counts[0]):
        return Capacity(constant=int(counts[0]))
    pairs = [(int(c), int(t)) for c, t in zip(counts, tokens, strict=True)]
    for least in (0, int(counts.min())):  # where the minimum holds, the line does not
        used = [(c, t) for c, t in pairs if c > least]
        low = max((Fraction(c, t) for c, t in used), default=Fraction(0))
        high = min((Fraction(c + 1, t) for c, t in used), default=Fraction(1))
        if low < high:
            ratio = _simplest(low, high)
            found = Capacity(None, ratio.numerator, ratio.denominator, least)
            if all(found.of(t) == min(c, t) for c, t in pairs):
                return found
    return None


def _simplest(low: Fraction, high: Fraction) -> Fraction:
    """The fraction of least denominator in [low, high)."""
    denominator = 1
    while True:
        numerator = -(-low.numerator * denominator // low.denominator)
        if Fraction(numerator, denominator) < high:
            return Fraction(numerator, denominator)
        denominator += 1
