"""Where a search stands, in flat arrays: what is on which die, links of every net, and changes.

A change is a few items with the die that each goes to. Its cost is counted from the nets of these
items alone, each walked anew.
"""

from typing import NamedTuple

import numpy as np

from compiler.dies.links import links_of, walk
from compiler.dies.problem import Problem
from ir.arrays import Array, Ints
from ir.jit import compiled, frozen
from ir.topology import Topology

CLOCK, NETS, WORK, RANDOM, MOVED, CHANGED = range(6)  # of Board.now
_CALL = 40  # steps that take as long as what comes with every net, besides its walk


class Board(NamedTuple):
    """The problem, what is on which die, and room for a change that is looked at.

    touch[touch_start[i]:touch_start[i + 1]]: the nets of item i; near likewise: dies joined to a
    die, none where all are. held [dies, layers]: items of a layer on a die; head [dies] and after,
    ahead [items]: a list of the items on each die, -1 at its ends. now: counters.
    """

    source: Array
    start: Array
    member: Array
    bytes: Array
    touch_start: Array
    touch: Array
    area: Array
    layer: Array
    overhead: Array
    before: Array
    near_start: Array
    near: Array
    room: int
    die: Array
    links: Array
    used: Array
    held: Array
    head: Array
    after: Array
    ahead: Array
    seen: Array
    stamp: Array
    item: Array
    to: Array
    net: Array
    fresh: Array
    now: Array


def board_of(problem: Problem, topology: Topology, before: Array, die: Ints, seed: int) -> Board:
    """A board on which the items are as in `die`, int64 [items]."""
    n, dies, nets = len(problem.items), topology.count, problem.nets
    touch_start, touch = _touching(problem)
    near: list[tuple[int, ...]] = [()] * dies
    if len(topology.joined) < dies * (dies - 1) // 2:
        near = list(topology.neighbours)
    held = np.zeros((dies, len(problem.layers)), dtype=np.int32)
    np.add.at(held, (die, problem.layer), 1)
    now = np.zeros(6, dtype=np.int64)
    now[RANDOM] = 2 * seed + 1
    board = Board(
        source=frozen(nets.source, np.int64),
        start=frozen(nets.start, np.int64),
        member=frozen(nets.member, np.int64),
        bytes=frozen(nets.bytes, np.int64),
        touch_start=touch_start,
        touch=touch,
        area=frozen(problem.area, np.int64),
        layer=frozen(problem.layer, np.int64),
        overhead=frozen(problem.overhead, np.int64),
        before=before,
        near_start=frozen(np.cumsum([0, *map(len, near)]), np.int64),
        near=frozen(np.array([b for of in near for b in of]), np.int64),
        room=problem.capacity_um2,
        die=die.astype(np.int64),
        links=links_of(problem, before, die),
        used=problem.taken(die, dies),
        held=held,
        head=np.full(dies, -1, dtype=np.int64),
        after=np.full(n, -1, dtype=np.int64),
        ahead=np.full(n, -1, dtype=np.int64),
        seen=np.zeros(dies, dtype=np.int64),
        stamp=np.zeros(len(nets), dtype=np.int64),
        item=np.zeros(n + 1, dtype=np.int64),
        to=np.zeros(n + 1, dtype=np.int64),
        net=np.zeros(len(nets) + 1, dtype=np.int64),
        fresh=np.zeros(len(nets) + 1, dtype=np.int64),
        now=now,
    )
    for i in range(n):
        _enter(board, i, int(die[i]))
    return board


def _touching(problem: Problem) -> tuple[Array, Array]:
    nets = problem.nets
    item = np.concatenate([nets.source, nets.member])
    net = np.concatenate([np.arange(len(nets)), nets.owner])
    order = np.lexsort((net, item))
    ends = np.cumsum(np.bincount(item, minlength=len(problem.items)))
    return frozen(np.concatenate([[0], ends]), np.int64), frozen(net[order], np.int64)


@compiled
def _enter(board: Board, item: int, die: int) -> None:
    first = board.head[die]
    board.after[item], board.ahead[item] = first, -1
    if first >= 0:
        board.ahead[first] = item
    board.head[die] = item


@compiled
def _leave(board: Board, item: int, die: int) -> None:
    behind, front = board.after[item], board.ahead[item]
    if behind >= 0:
        board.ahead[behind] = front
    if front >= 0:
        board.after[front] = behind
    else:
        board.head[die] = behind


@compiled
def ask(board: Board, item: int, die: int) -> None:
    """One more item in the change that is looked at."""
    at = board.now[MOVED]
    board.item[at], board.to[at] = item, die
    board.now[MOVED] = at + 1


@compiled
def _take(board: Board, item: int, die: int) -> None:
    layer = board.layer[item]
    if board.held[die, layer] == 0:
        board.used[die] += board.overhead[layer]
    board.held[die, layer] += 1
    board.used[die] += board.area[item]


@compiled
def _give(board: Board, item: int, die: int) -> None:
    layer = board.layer[item]
    board.held[die, layer] -= 1
    board.used[die] -= board.area[item]
    if board.held[die, layer] == 0:
        board.used[die] -= board.overhead[layer]


@compiled
def settle(board: Board) -> bool:
    """Take the room that the change needs; where there is too little, take none and say no."""
    moved = board.now[MOVED]
    for at in range(moved):
        _give(board, board.item[at], board.die[board.item[at]])
    for at in range(moved):
        _take(board, board.item[at], board.to[at])
    for at in range(moved):
        if board.used[board.to[at]] > board.room:
            unsettle(board)
            return False
    return True


@compiled
def unsettle(board: Board) -> None:
    """Give back the room that the change was given."""
    for at in range(board.now[MOVED]):
        _give(board, board.item[at], board.to[at])
    for at in range(board.now[MOVED]):
        _take(board, board.item[at], board.die[board.item[at]])


@compiled
def price(board: Board) -> int:
    """Byte-links that the change adds."""
    moved, delta, changed, steps = board.now[MOVED], 0, 0, 0
    board.now[NETS] += 1
    turn = board.now[NETS]
    for at in range(moved):  # to and die change places, until below
        item = board.item[at]
        board.die[item], board.to[at] = board.to[at], board.die[item]
    for at in range(moved):
        item = board.item[at]
        for place in range(board.touch_start[item], board.touch_start[item + 1]):
            net = board.touch[place]
            if board.stamp[net] == turn:
                continue
            board.stamp[net] = turn
            board.now[CLOCK] += 1
            stamp, root, links = board.now[CLOCK], board.die[board.source[net]], 0
            for other in range(board.start[net], board.start[net + 1]):
                links += walk(root, board.die[board.member[other]], board.before, board.seen, stamp)
            steps += links + board.start[net + 1] - board.start[net]
            if links != board.links[net]:
                delta += board.bytes[net] * (links - board.links[net])
                board.net[changed], board.fresh[changed] = net, links
                changed += 1
    for at in range(moved):
        item = board.item[at]
        board.die[item], board.to[at] = board.to[at], board.die[item]
    board.now[CHANGED] = changed
    board.now[WORK] += steps + _CALL
    return int(delta)


@compiled
def make(board: Board) -> None:
    """Make the change that was settled and priced last."""
    for at in range(board.now[MOVED]):
        item = board.item[at]
        _leave(board, item, board.die[item])
        _enter(board, item, board.to[at])
        board.die[item] = board.to[at]
    for at in range(board.now[CHANGED]):
        board.links[board.net[at]] = board.fresh[at]
