"""What a slot and a broadcast cost on a chip: the objectives a grouping can be fitted to.

`slots`: each counts one. `time`: with two input buffers LOADs overlap the MVMs and a window takes
one MVM time a slot (where the bus keeps up); with one buffer every broadcast adds its LOAD.
`energy`: a broadcast takes its LOAD, a slot the idle power of all peripheral groups of the layer's
experts for one MVM time, 0 on a chip that switches them off; MVMs cost the same in every grouping.
The weight between the two is thus the chip's, in ps or fJ by `ir.timing`.
"""

from compiler.grouping.objective import SLOTS, Costs
from compiler.options import OBJECTIVES, one_of
from ir import timing
from ir.chip import Chip
from ir.errors import InputError
from ir.mapping import Block

TIME, ENERGY = "window time of slots, ps", "energy of slots and broadcasts, fJ"


def costs_on(
    chip: Chip, objective: str, d_model: int, expert: tuple[Block, ...], groups: int
) -> Costs:
    """Costs of a layer on a chip; `expert` are the blocks of its widest expert.

    Where widths differ every group counts as one of the widest: how many PGs a grouping needs is
    found after it. Their region counts as the smallest square of cores.
    Raises InputError for an unknown objective, or one that does not depend on the grouping.
    """
    one_of("objective", objective, OBJECTIVES)
    pgs = groups * sum(block.tiles for block in expert)
    load = timing.load(chip, d_model, d_model, timing.square(chip, pgs))
    slot_ps = timing.mvm_ps(chip, shared=True)
    if objective == "slots":
        return SLOTS
    if objective == "time":
        return Costs(TIME, slot_ps, load.duration_ps if chip.pg.input_buffers == 1 else 0)
    idle_uw = chip.pg.idle_uw if chip.pg.wake_fj is None else 0
    costs = Costs(ENERGY, -(-idle_uw * pgs * slot_ps // 1000), load.energy_fj)
    if costs.slot == costs.broadcast == 0:
        raise InputError(
            "objective",
            f"energy: neither idle power nor broadcasts cost any on chip {chip.name}, "
            "so it is the same for every grouping",
            "use objective slots",
        )
    return costs
