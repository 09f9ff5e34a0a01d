"""Times and gains over schedules with times that differ a little: what of them is noise."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SpreadRow:
    """A figure over the runs.

    mean: of them.
    low: the least.
    high: the largest.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class QuotientRow:
    """A quotient of two methods over the runs, each of both in the same run.

    mean: of them.
    low: the least.
    high: the largest.
    equal: whether 1 is in the range, to a thousandth: then neither is the better in every run.
    """

    mean: float
    low: float
    high: float
    equal: bool


@dataclass(frozen=True)
class MethodJitterRow:
    """The time of a method over the runs.

    method: name.
    time_ns: of its whole program.
    of_ours: quotient of it and the time of the asked method; null of the asked one itself.
    """

    method: str
    time_ns: SpreadRow
    of_ours: QuotientRow | None


@dataclass(frozen=True)
class JitterRow:
    """The schedules made again with the time of every opcode multiplied by a factor of its own.

    runs: of every method; in the first all factors are 1, in each other one they are the same for
        all methods.
    size: factors are uniform in 1 - size to 1 + size.
    seed: of the factors.
    unfit: runs in which some method's values do not fit buffers of a fixed size, left out.
    methods: their times, in the order of the report's methods; without those that do not fit.
    gains: quotients of MoE GOPS/mm2, by the names that they have in `gains`.
    """

    runs: int
    size: float
    seed: int
    unfit: int
    methods: tuple[MethodJitterRow, ...]
    gains: dict[str, QuotientRow]
