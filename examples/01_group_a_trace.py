"""Group the experts of one layer from a routing trace, and see what it saves on unseen tokens.

Run: python examples/01_group_a_trace.py
"""

import numpy as np

from compiler.grouping import Calibration, group_layer, score
from compiler.options import GroupingOptions
from ir.routing import Routing, select_sequences, windows


def made_up_trace() -> Routing:
    """32 sequences of 64 tokens, top-2 of 8 experts, each sequence with favourites of its own."""
    rng = np.random.default_rng(0)
    taste = np.repeat(rng.normal(size=(32, 8)), 64, axis=0)
    choices = np.argsort(taste + rng.gumbel(size=taste.shape), axis=1)[None, :, :2]
    return Routing(
        layer=np.array([0]),
        num_experts=np.array([8]),
        sequence=np.repeat(np.arange(32), 64),
        choices=choices.astype(np.int16),
    )


def main() -> None:
    trace = made_up_trace()
    chosen = trace.matrix(0)
    fit, unseen = (
        [(start + a, start + b) for a, b in windows(stop - start, 64)]
        for start, stop in (select_sequences(trace, half) for half in ((0, 0.5), (0.5, 1)))
    )
    print("solver       groups                                fit slots  bound  unseen slots")
    for solver in ("contiguous", "sorted", "lpt", "cp-sat"):
        found = group_layer(Calibration(chosen, fit), 0, 2, GroupingOptions(solver))
        slots, _ = score(found, chosen, unseen)
        groups = " ".join(str(group).replace(" ", "") for group in found.groups)
        proof = found.certificate
        print(f"{solver:12} {groups:38} {proof.value:8} {proof.bound:6} {slots:13}")


if __name__ == "__main__":
    main()
