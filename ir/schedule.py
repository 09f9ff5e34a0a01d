"""The order of the token-expert pairs of one MoE layer in one window, slot by slot."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ir.arrays import Bools, Ints
from ir.arrivals import ALL_THERE, AllThere, Delays, Presence, check_arrivals
from ir.certificate import PROVEN, Status
from ir.errors import InputError
from ir.mapping import LayerGrouping


@dataclass(frozen=True, eq=False, repr=False)
class SlotOrder:
    """The token each group runs in each slot, and what is proven about it.

    table: int64 [slots, groups], token index within the window or -1 for idle. A token that uses
    two experts of a group appears twice in that group's column. `slots_bound` and `transfers_bound`
    are lower bounds; the transfers bound holds at any number of slots unless the policy proved more
    at its own. `lockstep`: a slot starts only when the last one has ended on every group (the
    unshared chip's one token at a time); otherwise groups run ahead within their own order.
    presence: when the tokens are there; bounds and status hold for that.
    """

    policy: str
    table: Ints
    slots_bound: int
    transfers_bound: int
    status: Status
    lockstep: bool = False
    seconds: float = 0.0
    deterministic: bool = True
    presence: Presence = ALL_THERE

    def __repr__(self) -> str:
        there = "" if isinstance(self.presence, AllThere) else f" for {self.presence}"
        return (
            f"<SlotOrder {self.policy}: {self.slots} slots (at least {self.slots_bound}), "
            f"{self.transfers} transfers (at least {self.transfers_bound}), {self.status}{there}>"
        )

    @property
    def proven(self) -> bool:
        """Whether no order of as few slots has fewer transfers, as a bound or a solver says."""
        return self.status in PROVEN

    @property
    def slots(self) -> int:
        """Slots used, with those in which nothing runs because nothing is there yet."""
        return len(self.table)

    @property
    def delays(self) -> Delays | None:
        """How long tokens stay, where they arrive one after another."""
        if isinstance(self.presence, AllThere):
            return None
        return Delays.of(self.table, self.presence)

    @property
    def transfers(self) -> int:
        """Distinct tokens per slot, summed over slots (the paper's count)."""
        return distinct_per_row(self.table)

    @property
    def transfers_retained(self) -> int:
        """Transfers on a chip that keeps its input (docs/model.md, section Slots).

        A slot costs no transfer for a token that every group using it used in the slot before.
        """
        return distinct_per_row(_loaded(self.table))


def distinct_per_row(table: Ints) -> int:
    """Distinct non-negative entries of each row, summed."""
    if not table.size:
        return 0
    ordered = np.sort(table, axis=1)
    fresh = np.ones(ordered.shape, dtype=np.bool_)
    fresh[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    return int(np.sum(fresh & (ordered >= 0)))


def transfers_by_slot(table: Ints, *, retain: bool) -> list[Ints]:
    """The tokens broadcast in each slot, ascending; with `retain` the kept ones are left out."""
    sent = _loaded(table) if retain else table
    return [np.unique(row[row >= 0]) for row in sent]


def _loaded(table: Ints) -> Ints:
    """The table without the tokens that a group keeps from the slot before: -1 in their place."""
    out = table.copy()
    out[1:][table[1:] == table[:-1]] = -1
    return out


@dataclass(frozen=True, eq=False)
class PairOrder:
    """A slot order with the expert of each turn: one row per token-expert pair, by slot then group.

    token, expert, replica, group, slot: int64 [pairs]; replica is the copy of the expert that the
    group holds. digital: int64 [pairs, 2], token and expert of those that digital units run, which
    have no turn.
    """

    layer: int
    token: Ints
    expert: Ints
    replica: Ints
    group: Ints
    slot: Ints
    order: SlotOrder
    digital: Ints = field(default_factory=lambda: np.zeros((0, 2), dtype=np.int64))


def assign_experts(
    order: SlotOrder,
    grouping: LayerGrouping,
    chosen: Bools,
    split: Ints | None = None,
) -> PairOrder:
    """Name the expert of every turn of `order`: a token's experts in a group run lowest id first.

    chosen: bool [tokens, experts]; split: int64 [tokens, experts], the group of each chosen pair,
    which may be left out where no expert has replicas. Raises InputError where the table gives a
    token more or fewer turns in a group than it has experts there, or one before it is there.
    """
    early = check_arrivals(order.table, order.presence)
    if early is not None:
        raise InputError(f"slot order of layer {grouping.layer}", early)
    slot, group = np.nonzero(order.table >= 0)
    token = order.table[slot, group]
    by_turn = np.lexsort((slot, token, group))
    pair_token, pair_expert = np.nonzero(chosen)
    if split is None:
        pair_group = grouping.group_of()[pair_expert]
    else:
        pair_group = split[pair_token, pair_expert]
    by_pair = np.lexsort((pair_expert, pair_token, pair_group))
    same = len(by_turn) == len(by_pair) and bool(
        np.all(group[by_turn] == pair_group[by_pair])
        and np.all(token[by_turn] == pair_token[by_pair])
    )
    if not same:
        raise InputError(
            f"slot order of layer {grouping.layer}",
            f"{len(by_turn)} turns do not match the routing's {len(by_pair)} token-expert pairs",
        )
    expert = np.empty(len(slot), dtype=np.int64)
    expert[by_turn] = pair_expert[by_pair]
    replica = grouping.copy_in()[expert, group]
    return PairOrder(grouping.layer, token, expert, replica, group, slot, order)


@dataclass(frozen=True)
class Caches:
    """What is kept from one step to the next; without decode steps neither matters.

    kv: keys and values; go: gate scores, and expert outputs where no kv keeps later layers from
    asking for them. Only expert choice has a use for go: a token-choice router looks at no other
    token.
    """

    kv: bool = True
    go: bool = True


@dataclass(frozen=True, eq=False)
class Step:
    """One pass through the model: the prefill (number 0), or a decode step of every sequence.

    Token indices of the window, ascending. fresh: tokens that arrive in this step; rows: tokens
    whose vectors run through the layers (more than the fresh ones where nothing keeps their keys
    and values); scored: tokens that the routers score (with expert choice and no GO cache every
    token so far). layers: the pairs that each MoE layer runs. kv: keys and values of earlier tokens
    come from the cache.
    """

    number: int
    fresh: Ints
    rows: Ints
    scored: Ints
    layers: tuple[PairOrder, ...]
    kv: bool = False

    def of(self, layer: int) -> PairOrder:
        """The order of MoE layer `layer`."""
        for order in self.layers:
            if order.layer == layer:
                return order
        raise InputError("schedule", f"step {self.number}: no MoE layer {layer}")


@dataclass(frozen=True, eq=False, repr=False)
class Schedule:
    """The slot orders of every MoE layer, step by step, for one window of tokens.

    sequence: [tokens] sequence id of each token of the window, ascending; arrival: [tokens] number
    of the step in which it arrives; trace: [tokens] its place in the routing trace. sampled: every
    step ends in the choice of each sequence's next token, which the next step starts from. Gates
    are not kept: they are values, not decisions.
    """

    sequence: Ints
    arrival: Ints
    trace: Ints
    steps: tuple[Step, ...]
    caches: Caches = Caches()
    sampled: bool = False

    def __repr__(self) -> str:
        orders = [layer.order for layer in self.prefill.layers]
        return (
            f"<Schedule of {self.tokens} tokens in {len(self.steps)} steps: prefill of "
            f"{sum(o.slots for o in orders)} slots, {sum(o.transfers for o in orders)} transfers>"
        )

    @property
    def tokens(self) -> int:
        """Tokens in the window, those of the decode steps included."""
        return len(self.sequence)

    @property
    def prefill(self) -> Step:
        """The first step."""
        return self.steps[0]

    @cached_property
    def longest_prefill(self) -> int:
        """Tokens of the longest sequence of the first step."""
        first = self.sequence[self.so_far(self.prefill.number)]
        return int(np.unique(first, return_counts=True)[1].max(initial=0))

    def so_far(self, number: int) -> Bools:
        """[tokens]: whether a token has arrived when step `number` runs."""
        return self.arrival <= number


def prefill_schedule(
    sequence: Ints, layers: tuple[PairOrder, ...], trace: Ints | None = None
) -> Schedule:
    """One step over all tokens of the window, without decode."""
    every = np.arange(len(sequence))
    step = Step(0, every, every, every, layers)
    arrival = np.zeros(len(sequence), dtype=np.int64)
    return Schedule(sequence, arrival, every if trace is None else trace, (step,))
