"""What one instruction costs, and how amounts are scaled and rounded."""

from dataclasses import dataclass

from ir.chip import VALUES_PER_PACKET


@dataclass(frozen=True)
class Cost:
    """duration_ps until the result is there; busy_ps until the unit takes its next job."""

    duration_ps: int
    busy_ps: int
    energy_fj: int
    bytes: int = 0


def ceil(numerator: int, denominator: int) -> int:
    """Division rounded up."""
    return -(-numerator // denominator)


def per_packet(amount: int, values: int) -> int:
    """`amount` per 256 values, scaled to `values`, rounded up."""
    return ceil(amount * values, VALUES_PER_PACKET)


def job(duration_ps: int, energy_fj: int, data: int = 0) -> Cost:
    """A job that keeps its unit busy until its result is there."""
    return Cost(duration_ps, duration_ps, energy_fj, data)
