"""Groups over slots for a stretch of tokens: one token after the other, and in the kept order."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from compiler.slots.rules import token_serial_table
from ir.arrays import Ints
from ir.program import Opcode, Program
from ir.schedule import distinct_per_row
from moexbar.figures.figure import Figure, Shown, Spec
from moexbar.figures.grammar import WIDE, columns, hover
from moexbar.figures.palette import CYCLE, LIGHT, WINE

TOKENS = 16  # of the stretch
LARGE, ROOM, SMALL = 22, 14, 4  # pixels of a turn; ROOM: for a number
COLOURS = tuple(colour for colour in CYCLE if colour != WINE)  # on which black is read
SERIAL, KEPT, RAN = "one token at a time", "kept", "as it runs"


@dataclass(frozen=True, eq=False)
class Turns:
    """The turns of the groups of one MoE layer in the prefill.

    table: int64 [slots, groups] the token of each, -1 for none; expert: the same of the expert that
    has the turn first, -1 for none or where it is not known.
    """

    table: Ints
    expert: Ints

    @property
    def transfers(self) -> int:
        """Distinct tokens of each slot, summed."""
        return distinct_per_row(self.table)

    def only(self, tokens: Ints) -> "Turns":
        """The slots in which any of these tokens has a turn."""
        kept = np.isin(self.table, tokens).any(axis=1)
        return Turns(self.table[kept], self.expert[kept])

    def without_others(self, tokens: Ints) -> "Turns":
        """The turns of these tokens alone."""
        return Turns(np.where(np.isin(self.table, tokens), self.table, -1), self.expert)


def before_after(shown: Shown, layer: int | None = None, tokens: int = TOKENS) -> Figure | None:
    """The turns of the first tokens of one MoE layer; None where no group has a turn.

    layer: of the MoE layers that the report has; the first where none is given.
    """
    program = shown.program
    if program is None or not shown.report.layers:
        return None
    layer = shown.report.layers[0].layer if layer is None else layer
    kept = kept_turns(program, layer)
    if kept is None:
        return None
    first = np.unique(kept.table[kept.table >= 0])[:tokens]
    serial, ran = serial_turns(kept), ran_turns(program, layer)
    panels = {SERIAL: serial.only(first)}
    if not np.array_equal(serial.table, kept.table):
        panels[KEPT] = kept.only(first)
    if layer not in program.lockstep:
        panels[RAN] = ran.only(first)
    alone = kept.only(first).without_others(first)
    after = f"{len(alone.table)} slots and {alone.transfers} transfers after"
    if layer not in program.lockstep:
        sent = broadcasts(program, layer, first)
        after = f"{len(ran.only(first).table)} turns and {sent} broadcasts as it runs"
    policy = [row.schedule.policy for row in shown.report.layers if row.layer == layer]
    whole = len(panels[SERIAL].table), panels[SERIAL].transfers
    return Figure(
        "before-after",
        f"Layer {layer}, {len(first)} tokens: {whole[0]} slots and {whole[1]} transfers one at a "
        f"time, {after}",
        "The token that each group of experts runs in each slot. One at a time, every slot waits "
        f"for the one before; kept ({', '.join(policy) or 'not reported'}): the slot order of the "
        "program; as it runs: groups need not wait for each other, so the turns of each stand in "
        "the order in which they start. Colours and numbers: tokens; grey: others; columns "
        f"without a token of the stretch are left out. The whole prefill: {len(serial.table)} "
        f"slots and {serial.transfers} transfers one at a time, {len(kept.table)} and "
        f"{kept.transfers} kept, {len(ran.table)} turns of the busiest group.",
        _spec(panels, first),
        wide=True,
    )


def kept_turns(program: Program, layer: int) -> Turns | None:
    """The slot order of a layer as its first-stage MVMs have it; None where it has none."""
    rows, group = _first_products(program, layer)
    return _turns(program, rows, group, program.slot[rows].astype(np.int64)) if len(rows) else None


def ran_turns(program: Program, layer: int) -> Turns:
    """The turns of each group in the order in which they start, one after the other.

    A turn may be several MVMs, of up and gate: it starts with the first.
    """
    rows, group = _first_products(program, layer)
    slots = int(program.slot[rows].max(initial=0)) + 1
    turn, back = np.unique(group * slots + program.slot[rows], return_inverse=True)
    start = np.full(len(turn), program.makespan_ps)
    np.minimum.at(start, back, program.start_ps[rows])
    one = np.zeros(len(turn), dtype=np.int64)
    one[back] = rows
    of = turn // slots
    order = np.lexsort((turn, start, of))
    of, one = of[order], one[order]
    return _turns(program, one, of, np.arange(len(of)) - np.searchsorted(of, of))


def broadcasts(program: Program, layer: int, tokens: Ints) -> int:
    """LOADs to the groups of a layer in the prefill, of these tokens."""
    p = program
    mine = (p.opcode == Opcode.LOAD) & (p.layer == layer) & (p.slot >= 0) & (p.step == 0)
    return int(np.count_nonzero(mine & np.isin(p.token, tokens)))


def _first_products(program: Program, layer: int) -> tuple[Ints, Ints]:
    """First-stage MVMs of the routed experts of a layer in the prefill, and the group of each."""
    p = program
    mine = (p.opcode == Opcode.MVM) & (p.layer == layer) & (p.stage == 0) & (p.expert >= 0)
    rows = np.flatnonzero(mine & (p.slot >= 0) & (p.step == 0))
    return rows, np.array([unit.group for unit in p.units], dtype=np.int64)[p.unit[rows]]


def _turns(program: Program, rows: Ints, group: Ints, place: Ints) -> Turns:
    shape = int(place.max(initial=-1)) + 1, int(group.max(initial=-1)) + 1
    table, expert = np.full(shape, -1, dtype=np.int64), np.full(shape, -1, dtype=np.int64)
    table[place, group] = program.token[rows]
    expert[place, group] = program.expert[rows]
    return Turns(table, expert)


def serial_turns(turns: Turns) -> Turns:
    """The same turns one token at a time, a token's experts in a group lowest number first."""
    slot, group = np.nonzero(turns.table >= 0)
    token, expert = turns.table[slot, group], turns.expert[slot, group]
    known = np.unique(token)
    counts = np.zeros((len(known), turns.table.shape[1]), dtype=np.int64)
    np.add.at(counts, (np.searchsorted(known, token), group), 1)
    place = token_serial_table(counts)
    table = np.where(place >= 0, known[place], -1)
    experts = np.full(table.shape, -1, dtype=np.int64)
    at_slot, at_group = np.nonzero(table >= 0)
    there = np.lexsort((at_slot, table[at_slot, at_group], at_group))
    here = np.lexsort((expert, token, group))
    experts[at_slot[there], at_group[there]] = expert[here]
    return Turns(table, experts)


def _spec(panels: Mapping[str, Turns], first: Ints) -> Spec:
    length = max(len(turns.table) for turns in panels.values())
    groups = panels[SERIAL].table.shape[1]
    pixels = max(SMALL, min(LARGE, (WIDE - 60) // length, 480 // groups))
    return {"vconcat": [_panel(w, turns, first, length, pixels) for w, turns in panels.items()]}


def _panel(words: str, turns: Turns, first: Ints, length: int, pixels: int) -> Spec:
    """A cell for each turn, with the number of its token where there is room."""
    groups = turns.table.shape[1]
    slot, group = np.nonzero(turns.table >= 0)
    token = turns.table[slot, group]
    mine = np.isin(token, first)
    data = {
        "s": slot.tolist(),
        "g": group.tolist(),
        "t": token.tolist(),
        "e": turns.expert[slot, group].tolist(),
        "c": np.where(mine, np.searchsorted(first, token) % len(COLOURS), -1).tolist(),
    }
    colours = {"domain": [-1, *range(len(COLOURS))], "range": [LIGHT, *COLOURS]}
    cells = {
        "mark": {"type": "rect", "style": "paper", "strokeWidth": 1 if pixels > SMALL else 0},
        "encoding": {
            "color": {"field": "c", "type": "nominal", "scale": colours, "legend": None},
            "tooltip": hover(t="token", e="expert", g="group", s="slot or turn"),
        },
    }
    numbers = {
        "transform": [{"filter": "datum.c >= 0"}],
        "mark": {"type": "text", "fontSize": min(10, pixels // 2), "color": "black"},
        "encoding": {"text": {"field": "t"}},
    }
    return {
        "title": {"text": words, "anchor": "start", "fontSize": 11, "fontWeight": "normal"},
        "width": {"step": pixels},
        "height": {"step": pixels},
        "data": columns(data),
        "encoding": {
            "x": _place("s", "turn of its group" if words == RAN else "slot", length),
            "y": _place("g", "group", groups),
        },
        "layer": [cells, *([numbers] if pixels >= ROOM else [])],
    }


def _place(field: str, title: str, length: int) -> Spec:
    """Rows or columns of cells of one size."""
    return {
        "field": field,
        "type": "ordinal",
        "title": title,
        "scale": {"domain": list(range(length)), "padding": 0},
        "axis": {"labelAngle": 0, "labelOverlap": True},
    }
