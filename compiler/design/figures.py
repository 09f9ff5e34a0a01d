"""All figures of one design: time, area, energy, and what the time is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from compiler.design.areas import area_um2, parts_of
from compiler.design.choices import Design, Values
from compiler.design.energies import cores_uw, energy_fj
from compiler.design.floor import Floor
from compiler.design.model import Model
from compiler.design.power import left_mw, paced_ps
from compiler.design.problem import Quantity
from compiler.design.rates import Rate, rate

CHAINS, WAITS = "chains", "waits for power"
ALWAYS = ("passive", "cores")  # energy that time takes


@dataclass(frozen=True)
class Figures:
    """What a design is by the model.

    time_ps: of the prefill, or of one decode step, in which `tokens` come; area_um2: by kind;
    energy_fj: by cause, of that time; made_of: ps of the time by what it waits for, the work of a
    unit, `CHAINS`, what tokens take by themselves, or `WAITS`; window_ps: of the prefill or of all
    steps.
    """

    time_ps: int
    tokens: int
    area_um2: dict[str, int]
    energy_fj: dict[str, int]
    made_of: dict[str, int]
    window_ps: int

    @property
    def tokens_per_s(self) -> float:
        """Tokens of all sequences in a second."""
        return self.tokens / (self.time_ps * 1e-12)

    @property
    def total_um2(self) -> int:
        """Square micrometres in all."""
        return sum(self.area_um2.values())

    @property
    def total_fj(self) -> int:
        """Femtojoules in all."""
        return sum(self.energy_fj.values())

    def of(self, quantity: Quantity) -> int:
        """Of area, time, energy, or the product of energy and area."""
        match quantity:
            case "area":
                return self.total_um2
            case "time":
                return self.time_ps
            case "energy":
                return self.total_fj
            case "product":
                return self.total_fj * self.total_um2
            case _:
                assert_never(quantity)


def figures(floor: Floor, design: Design) -> Figures:
    """The figures of a design."""
    model, values = Model(floor, design.whole), design.values
    steps = max(floor.tokens.decode, 1)
    found = rate(model, values)
    energy = energy_fj(model, values, found.time_ps * steps)
    waits = _waits_ps(model, values, energy, found.time_ps)
    if waits:
        energy = energy_fj(model, values, found.time_ps * steps, waits * steps)
    made_of = _made_of(model, design, found)
    return Figures(
        found.time_ps + waits,
        len(floor.tokens) // steps,
        area_um2(parts_of(model.way), model.site, values),
        {cause: fj // steps for cause, fj in energy.items()},
        {**made_of, WAITS: waits} if waits else made_of,
        (found.time_ps + waits) * steps if waits else found.window_ps,
    )


def _waits_ps(model: Model, values: Values, energy: Mapping[str, int], time_ps: int) -> int:
    """How much longer a prefill or a step takes than its stations, to keep the power; 0: none."""
    most, steps = model.floor.power_mw, max(model.floor.tokens.decode, 1)
    if most is None:
        return 0
    work = sum(fj for cause, fj in energy.items() if cause not in ALWAYS)
    cores_mw = -(-cores_uw(model, values) // 1000)
    left = left_mw(most, model.floor.chip) - cores_mw
    return max(paced_ps(work, steps * left) - time_ps, 0)


def _made_of(model: Model, design: Design, found: Rate) -> dict[str, int]:
    """Picoseconds by unit, most first; what passes no other token on the way is a chain's."""
    if found.unit is not None:
        return {model.stations[found.unit].name: found.time_ps}
    made: dict[str, int] = {}
    steps = max(model.floor.tokens.decode, 1)
    for step in found.path:
        ps = model.kernel(step.station, design.values).length(step.first, step.last)
        work = step.first != step.last
        name = model.stations[step.station].name if work else CHAINS
        made[name] = made.get(name, 0) + ps
    return dict(sorted(((name, ps // steps) for name, ps in made.items()), key=lambda p: -p[1]))
