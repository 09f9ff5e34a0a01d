"""Random changes, kept where they cost less than a threshold that falls to 0 (Dueck and Scheuer).

All in whole numbers, with random numbers and a count of work of its own: the same on any machine.
"""

from compiler.dies.board import MOVED, RANDOM, WORK, Board, ask, make, price, settle, unsettle
from ir.jit import compiled

_FAR = 3  # links at most between the die that is tried and that of something sent to or from


@compiled
def draw(board: Board, below: int) -> int:
    """A number from 0 to below - 1: a congruential generator modulo 2^64, its upper bits."""
    board.now[RANDOM] = board.now[RANDOM] * 6364136223846793005 + 1442695040888963407
    return int(((board.now[RANDOM] >> 33) & 0x7FFFFFFF) % below)


@compiled
def anneal(board: Board, threshold: int, until: int) -> int:
    """Make changes until so much work is done, the threshold falling; byte-links that this adds.

    The last fifth of the work only takes what costs nothing.
    """
    begun, added = board.now[WORK], 0
    falling = max(1, (until - begun) * 4 // 5)
    while board.now[WORK] < until:
        board.now[WORK] += 20
        left = max(0, falling - (board.now[WORK] - begun))
        limit = int(threshold * (left / falling))
        if not _propose(board):
            continue
        delta = price(board)
        if delta <= limit:
            make(board)
            added += delta
        else:
            unsettle(board)
    return added


@compiled
def _propose(board: Board) -> bool:
    """Ask for a change at random that there is room for, and settle it; False where none was found.

    An item goes to or near the die of another that it sends to or hears from; alone, in exchange
    for one there, or all of its die for all there.
    """
    item = draw(board, len(board.die))
    nets = board.touch_start[item + 1] - board.touch_start[item]
    if nets == 0:
        return False
    to = _die_near(board, item, board.touch[board.touch_start[item] + draw(board, nets)])
    here = board.die[item]
    if to == here:
        return False
    board.now[MOVED] = 0
    each = len(board.die) // len(board.head)
    if draw(board, 4 + each * each) == 0:  # the more there is on a die, the longer it takes
        _ask_all(board, here, to)
        _ask_all(board, to, here)
        return settle(board)
    ask(board, item, to)
    kind = draw(board, 3)
    if kind == 0 or board.head[to] < 0:
        return settle(board)
    if kind == 1 and settle(board):
        return True
    there = 0
    other = board.head[to]
    while other >= 0:
        there += 1
        other = board.after[other]
    other = board.head[to]
    for _ in range(draw(board, there)):
        other = board.after[other]
    ask(board, other, here)
    return settle(board)


@compiled
def _ask_all(board: Board, here: int, to: int) -> None:
    item = board.head[here]
    while item >= 0:
        ask(board, item, to)
        item = board.after[item]


@compiled
def _die_near(board: Board, item: int, net: int) -> int:
    """A die some random steps from that of another item of the net."""
    members = board.start[net + 1] - board.start[net]
    other = board.source[net]
    if other == item or draw(board, 2):
        other = board.member[board.start[net] + draw(board, members)]
    die = board.die[other]
    for _ in range(max(0, draw(board, 2 * _FAR) - _FAR + 1)):
        joined = board.near_start[die + 1] - board.near_start[die]
        if joined == 0:
            return draw(board, len(board.head)) if draw(board, 8) == 0 else int(die)
        die = board.near[board.near_start[die] + draw(board, joined)]
    return int(die)
