"""How wide a region's bus and return link are: sizes that follow from model and chip."""

from ir.chip import Chip
from ir.workload import AnyOperator, MoELayer, Workload

LANES_UNKNOWN = 4  # where the model does not say how many experts a token has, or has none


def bus_width(workload: Workload, region: int) -> int:
    """Values the region's bus is sized for: d_model of its MoE layer, or its narrowest input."""
    for op in moe_layers_in(workload, region):
        return op.d_model
    dense = [op.weight.rows for op in workload.dense() if max(op.layer, 0) == region]
    return min(dense, default=1)


def moe_layers_in(workload: Workload, region: int) -> tuple[MoELayer, ...]:
    """The MoE layers whose experts are in a region."""
    homes = workload.expert_homes
    return tuple(op for op in workload.moe_layers if homes[op.layer] == region)


def sent_width(op: AnyOperator, stage: int, rows: int) -> int:
    """Values of the vector that is sent to a matrix of so many rows, which takes its own of it.

    To experts that read apart all that their token has is sent at once.
    """
    match op:
        case MoELayer(apart="inputs") if stage == 0:
            return op.d_model
        case _:
            return rows


def return_lanes(workload: Workload, region: int, chip: Chip) -> int:
    """Width of a region's return link in buses: as set, or one lane per expert of a token."""
    if chip.bus.return_lanes:
        return chip.bus.return_lanes
    here = moe_layers_in(workload, region) or workload.moe_layers
    return max((experts_per_token(op) for op in here), default=LANES_UNKNOWN)


def experts_per_token(op: MoELayer) -> int:
    """k; for expert choice with C = floor(c T / E) the mean, c, rounded up."""
    capacity = op.router.capacity
    if capacity is None:
        return op.router.top_k or 1
    if capacity.constant is not None:
        return LANES_UNKNOWN
    return max(1, -(-capacity.numerator * op.router.experts // capacity.denominator))


def routing_values(op: MoELayer, chip: Chip) -> int:
    """Values of the size that a token's routing has: an id and a gate of two bytes for each expert.

    For expert choice for as many experts as a token has in the mean.
    """
    return -(-32 * experts_per_token(op) // chip.mvm.output_bits)
