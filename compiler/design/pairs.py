"""One pair of a token and an expert on one group: what it takes besides what all groups share."""

from dataclasses import dataclass

from compiler.design.flow import Site
from compiler.design.steps import fire
from ir import timing
from ir.mapping import Block
from ir.timing import Cost
from ir.workload import MoELayer

Stages = tuple[tuple[Block, ...], tuple[Block, ...]]  # of an expert; none of the second: one stage


@dataclass(frozen=True)
class Pair:
    """What a pair takes on one group: its first stage, its links, and its result on the way back.

    store: beyond what it takes of the return link; buffers: entries of the second stage's.
    """

    mvm: Cost
    acc: Cost
    links: tuple[Cost, ...]
    store: Cost
    buffers: int

    @classmethod
    def of(cls, site: Site, op: MoELayer, stages: Stages, group: int) -> "Pair":
        """By the way from a group to its region's port and, of two stages, back to the second."""
        up, down = stages
        mvm, acc = fire(site, up, shared=True)
        ways = [
            site.laid.to_experts(site.region, stage)[group] for stage in range(2 if down else 1)
        ]
        links: tuple[Cost, ...] = ()
        if down:
            both = sum(block.weight.columns for block in up)
            there = timing.xfer(site.chip, both, *ways[0])
            links = there, timing.xfer(site.chip, down[0].weight.rows, *ways[1])
        near, far = site.store(op.d_result, 0), site.store(op.d_result, ways[-1][0])
        store = Cost(far.duration_ps - near.duration_ps, 0, far.energy_fj)
        return cls(mvm, acc, links, store, site.values["buffers"])

    @property
    def pace_ps(self) -> int:
        """From one turn to the next: the slowest of what passes pairs on, entries included."""
        busy = [cost.busy_ps for cost in (self.mvm, self.acc, *self.links)]
        if self.links:
            held = self.links[-1].duration_ps + self.mvm.duration_ps
            busy.append(-(-held // self.buffers))
        return max(busy)

    @property
    def after_ps(self) -> int:
        """All but the MVM, the digital work and the second stage."""
        return sum(cost.duration_ps for cost in (self.acc, *self.links, self.store))

    @property
    def energy_fj(self) -> int:
        """Likewise, with the MVM."""
        return sum(cost.energy_fj for cost in (self.mvm, self.acc, *self.links, self.store))
