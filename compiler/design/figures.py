"""All figures of one design: time, area, energy, and what the time is made of."""

from dataclasses import dataclass

from compiler.design.areas import area_um2, parts_of
from compiler.design.choices import Design
from compiler.design.energies import energy_fj
from compiler.design.floor import Floor
from compiler.design.model import Model
from compiler.design.rates import Rate, rate

CHAINS = "chains"


@dataclass(frozen=True)
class Figures:
    """What a design is by the model.

    time_ps: of the prefill, or of one decode step, in which `tokens` come; area_um2: by kind;
    energy_fj: by cause, of that time; made_of: ps of the time by what it waits for, the work of a
    unit or `CHAINS`, what tokens take by themselves.
    """

    time_ps: int
    tokens: int
    area_um2: dict[str, int]
    energy_fj: dict[str, int]
    made_of: dict[str, int]

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


def figures(floor: Floor, design: Design) -> Figures:
    """The figures of a design."""
    model, values = Model(floor, design.whole), design.values
    steps = max(floor.tokens.decode, 1)
    found = rate(model, values)
    energy = energy_fj(model, values, found.time_ps * steps)
    return Figures(
        found.time_ps,
        len(floor.tokens) // steps,
        area_um2(parts_of(model.way), model.site, values),
        {cause: fj // steps for cause, fj in energy.items()},
        _made_of(model, design, found),
    )


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
