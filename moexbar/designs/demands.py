"""What a chip is asked for: at most so much area and time, and what is then best."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from compiler.design.problem import Asked, Quantity
from compiler.options import Shape
from ir.errors import InputError

RETICLE_MM2 = 858.0  # 26 x 33 mm
Objective = Literal["area", "time", "energy", "efficiency"]
LEAST: Mapping[Objective, Quantity] = {
    "area": "area",
    "time": "time",
    "energy": "energy",
    "efficiency": "product",
}


@dataclass(frozen=True)
class Demands:
    """area: mm2 at most; reticles: so many of 858 mm2 instead.

    rate: tokens of all sequences in a second at least; latency: us of a prefill or of a decode step
    at most; energy: uJ of that at most; power: W in the mean of that at most, for which the chip
    waits where it must. objective: what is least, or with efficiency that GOPS/W/mm2 are most;
    None: area where there is a rate or latency, else time where there is an area or a power.
    perplexity: of the model at most, the mean over `seeds` drawings of the cells' errors.
    """

    area: float | None = None
    reticles: float | None = None
    rate: float | None = None
    latency: float | None = None
    energy: float | None = None
    objective: Objective | None = None
    perplexity: float | None = None
    seeds: int = 3
    power: float | None = None

    def __post_init__(self) -> None:
        for name in ("area", "reticles", "rate", "latency", "energy", "power"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"design: {name}", f"{value}, expected more than 0")
        for one, other in (("area", "reticles"), ("rate", "latency")):
            if None not in (getattr(self, one), getattr(self, other)):
                raise InputError("design", f"both {one} and {other}", "give one of them")
        if self.perplexity is not None and not self.perplexity >= 1:
            found = f"{self.perplexity}, expected at least 1: every next token is then foreseen"
            raise InputError("design: perplexity", found)
        if self.seeds < 1:
            raise InputError("design: seeds", f"{self.seeds}, expected at least 1")

    def limits(self, shape: Shape) -> tuple[tuple[Quantity, int], ...]:
        """The most there may be, um2, ps and fJ."""
        tokens = shape.batch * (1 if shape.decode else shape.prefill)
        found: list[tuple[Quantity, int]] = []
        area = self.reticles * RETICLE_MM2 if self.reticles is not None else self.area
        if area is not None:
            found.append(("area", int(area * 1e6)))
        time = tokens / self.rate * 1e6 if self.rate is not None else self.latency
        if time is not None:
            found.append(("time", int(time * 1e6)))
        if self.energy is not None:
            found.append(("energy", int(self.energy * 1e9)))
        return tuple(found)

    @property
    def power_mw(self) -> int | None:
        """What the chip may draw in the mean."""
        return None if self.power is None else int(self.power * 1000)

    def asked(self, shape: Shape) -> Asked:
        """What is minimised within the limits; InputError where nothing says it."""
        limits = self.limits(shape)
        bounded = {quantity for quantity, _ in limits}
        objective = self.objective
        if objective is None and "time" in bounded:
            objective = "area"
        if objective is None and ("area" in bounded or self.power is not None):
            objective = "time"
        if objective is None:
            raise InputError(
                "design",
                "nothing says which chip is best, expected a limit or what to minimise",
                "give an area, a rate, a latency, a power or an objective, or ask for the frontier",
            )
        return Asked(LEAST[objective], limits)
