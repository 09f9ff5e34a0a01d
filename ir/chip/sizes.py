"""Sizes of a chip that can be left open: the compiler chooses them for each program.

A chip's `open` names them. Their fields hold plain numbers all the same, `FIRST`, which count where
nobody chooses: in stages by themselves, and in figures without a program.
"""

from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from ir.chip.chip import Chip

Size = Literal["bus.transfers_per_slot", "pg.input_buffers", "bus.return_lanes"]
SIZES: tuple[Size, ...] = get_args(Size)
FIRST: dict[Size, int] = {
    "bus.transfers_per_slot": 2,
    "pg.input_buffers": 2,
    "bus.return_lanes": 0,
}


def sizes_of(chip: "Chip") -> dict[Size, int | None]:
    """The three sizes as the chip has them; None: a bus that is not sized by transfers."""
    return {
        "bus.transfers_per_slot": chip.bus.transfers_per_slot,
        "pg.input_buffers": chip.pg.input_buffers,
        "bus.return_lanes": chip.bus.return_lanes,
    }
