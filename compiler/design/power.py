"""A chip that may draw so much power in the mean: it waits until what it took is within that.

Waiting is the slowest of all paths: energy that does not depend on time over what of the power is
left beside the passive one. As energy it is a sum by the values of decisions, so for the choice of
a design it is a path like any other (`problem`).
"""

from ir.chip import Chip
from ir.errors import InputError


def left_mw(power_mw: int, chip: Chip) -> int:
    """What of the power is left for work, whole mW; raises InputError where nothing is."""
    passive_mw = -(-chip.memory.passive_uw // 1000)
    if power_mw <= passive_mw:
        raise InputError(
            "design: power",
            f"{power_mw / 1000:g} W, expected more than the {passive_mw / 1000:g} W that "
            f"{chip.name} draws whatever it does",
            "allow more",
        )
    return power_mw - passive_mw


def paced_ps(energy_fj: int, power_mw: int) -> int:
    """Time of so much work within a power that is left for it: fJ = mW x ps.

    Where nothing is left it is as long as with a single mW.
    """
    return -(-energy_fj // max(power_mw, 1))
