"""The least slots of a window with many replicas, and the split that takes them: by flow.

The closed form of `split` looks at every union of replica sets, of which many entangled replicas
have too many. Here pairs move along chains of shared experts from a group over a limit to one with
room (Ford and Fulkerson 1956). Where no chain leads to room, all groups that chains reach hold
pairs that no other group can take, so the limit is at least their mean (Hall 1935): it is raised to
that. A limit that is met was so raised by a proof, or is the mean of all groups: it is the least.
"""

from collections.abc import Sequence

import numpy as np

from ir.arrays import Ints

_Chain = list[tuple[int, int, int]]  # (expert, from group, to group)


def even_split(load: Ints, copies: Sequence[tuple[int, ...]], groups: int) -> Ints:
    """Pairs of each expert on each group, the fullest of which has as few as can be.

    load: pairs of each expert in one window [experts]; copies: the groups of each expert. Returns
    int64 [experts, groups].
    """
    split = _Split(load.tolist(), copies, groups)
    split.even()
    share = np.zeros((len(copies), groups), dtype=np.int64)
    for e, of_expert in enumerate(split.share):
        share[e, list(of_expert)] = list(of_expert.values())
    return share


class _Split:
    """Pairs of each expert by group, and of each group; `limit` is proven for the fullest."""

    def __init__(self, load: list[int], copies: Sequence[tuple[int, ...]], groups: int) -> None:
        self.total = [0] * groups
        self.share: list[dict[int, int]] = [dict.fromkeys(held, 0) for held in copies]
        self.shared: list[list[int]] = [[] for _ in range(groups)]
        self.limit = -(-sum(load) // groups)
        for e, held in enumerate(copies):
            if len(held) == 1:
                self._add(e, held[0], load[e])
        more = [e for e, held in enumerate(copies) if len(held) > 1]
        for e in sorted(more, key=lambda e: -load[e]):
            for g in copies[e]:
                self.shared[g].append(e)
            self._pour(e, load[e])

    def _add(self, e: int, g: int, pairs: int) -> None:
        self.share[e][g] += pairs
        self.total[g] += pairs

    def _pour(self, e: int, pairs: int) -> None:
        """Give an expert's pairs to its copies in the emptiest groups, up to one level."""
        held = sorted(self.share[e], key=lambda g: self.total[g])
        filled = 0
        for n, g in enumerate(held, 1):
            filled += self.total[g]
            if n == len(held) or (pairs + filled) <= n * self.total[held[n]]:
                break
        level, over = divmod(pairs + filled, n)
        for i, g in enumerate(held[:n]):
            self._add(e, g, level + (i < over) - self.total[g])

    def even(self) -> None:
        """Move pairs until no group is over the limit, raised as often as that is impossible."""
        for g in range(len(self.total)):
            while self.total[g] > self.limit:
                chain, reached = self._chain(g)
                if not chain:
                    self.limit = -(-sum(self.total[h] for h in reached) // len(reached))
                    continue
                last = chain[-1][2]
                pairs = min(self.total[g] - self.limit, self.limit - self.total[last])
                pairs = min(pairs, *(self.share[e][a] for e, a, _ in chain))
                for e, a, b in chain:
                    self._add(e, a, -pairs)
                    self._add(e, b, pairs)

    def _chain(self, start: int) -> tuple[_Chain, list[int]]:
        """The shortest chain of moves from a group to one below the limit; and groups reached."""
        came: dict[int, tuple[int, int, int]] = {}
        queue = [start]
        for g in queue:  # grows while it is walked
            if self.total[g] < self.limit:
                chain = [came[g]]
                while chain[-1][1] != start:
                    chain.append(came[chain[-1][1]])
                return chain[::-1], queue
            for e in self.shared[g]:
                if self.share[e][g]:
                    for h in self.share[e]:
                        if h != start and h not in came:
                            came[h] = (e, g, h)
                            queue.append(h)
        return [], queue
