"""What a question about designs gave."""

from dataclasses import dataclass

from compiler.design.problem import Asked, Point
from ir.certificate import Status


@dataclass(frozen=True)
class Best:
    """The best design, and a bound on what is minimised; paths: that were learnt for it."""

    point: Point
    asked: Asked
    bound: int
    status: Status
    paths: int
    seconds: float

    @property
    def value(self) -> int:
        """Of what is minimised."""
        return self.point.of(self.asked.minimise)

    @property
    def gap(self) -> float:
        """(value - bound) / value."""
        return (self.value - self.bound) / self.value if self.value else 0.0


@dataclass(frozen=True)
class Found:
    """The best design, if there is one, and a bound on all: `grid.NONE` where there is none."""

    best: Best | None
    bound: int
