"""The routing trace that a program was compiled for, held against the model's own routers.

Where a program sums other experts than a router selects, one of the two is to blame: the program,
or the trace, whose experts the program sums as it should.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ir.arrays import Bools, Ints
from ir.errors import OtherRoutingError

HINT = "record it with this model and these inputs: moexbar profile MODEL --inputs X.npz -o R.npz"


@dataclass(frozen=True, eq=False)
class Traced:
    """What a routing trace that was given says of a window.

    source: of the trace, for messages; chosen: {MoE layer: bool [window tokens, experts]};
    token, sequence: [window tokens] place in the trace, and sequence.
    """

    source: str
    chosen: Mapping[int, Bools]
    token: Ints
    sequence: Ints

    def refuse_other(self, layer: int, tokens: Ints, ran: Bools, selected: Bools) -> None:
        """Raise OtherRoutingError where a program runs the trace's experts, and the router others.

        ran, selected: bool [tokens, experts] of window tokens whose two differ; the first at which
        the trace is to blame is named.
        """
        blamed = np.flatnonzero((ran == self.chosen[layer][tokens]).all(axis=1))
        if not len(blamed):
            return
        at = int(blamed[0])
        token = int(tokens[at])
        problem = (
            f"layer {layer}, token {self.token[token]} (sequence {self.sequence[token]}): "
            f"{expert_names(ran[at])}, where the model's router selects "
            f"{expert_names(selected[at])} for these inputs ({len(blamed)} of {len(self.token)} "
            "tokens differ)"
        )
        raise OtherRoutingError(self.source, problem, HINT)


def expert_names(mask: Bools) -> str:
    """Experts by number: `experts 3, 5`."""
    ids = np.flatnonzero(mask).tolist()
    return ("experts " if len(ids) > 1 else "expert ") + ", ".join(map(str, ids)) if ids else "none"
