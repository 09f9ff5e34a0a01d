"""What each layer's region costs inside for each shape, worked out once and refined on request."""

from dataclasses import dataclass, field

from compiler.options import SolverOptions
from compiler.placement.bounds import inside_bound
from compiler.placement.curves import by_hooks
from compiler.placement.floorplan import Shape
from compiler.placement.layout import Groups, Layout, by_density, improved, lay_out
from compiler.placement.region_model import exact_layout
from compiler.placement.traffic import Flow, Traffic

_TRIALS = 300


@dataclass
class Inside:
    """Layouts by layer and shape, from quick to exact; each lower bound holds for every layout."""

    traffic: Traffic
    per_core: int
    options: SolverOptions
    flows: dict[int, tuple[Flow, ...]] = field(init=False)
    _densest_first: dict[int, tuple[list[int], Groups]] = field(init=False)
    layouts: dict[tuple[int, Shape], Layout] = field(default_factory=dict)
    bounds: dict[tuple[int, Shape], int] = field(default_factory=dict)
    guesses: dict[tuple[int, Shape], int] = field(default_factory=dict)
    values: dict[tuple[int, Shape], int] = field(default_factory=dict)
    refined: set[tuple[int, Shape]] = field(default_factory=set)
    deterministic: bool = True

    def __post_init__(self) -> None:
        """Sort the flows by layer, and those of each by density."""
        self.flows = {layer: self.traffic.of(layer) for layer in self.traffic.layers}
        self._densest_first = {
            layer: (by_density(flows), Groups.of(flows)) for layer, flows in self.flows.items()
        }

    def cores(self) -> dict[int, int]:
        """Cores that each layer needs at least."""
        return {
            layer: -(-sum(f.pgs for f in flows) // self.per_core)
            for layer, flows in sorted(self.flows.items())
        }

    def guess(self, layer: int, shape: Shape) -> int:
        """Packets x hops of one layout, at once: the densest traffic first along the hooks."""
        if (layer, shape) not in self.guesses:
            order, groups = self._densest_first[layer]
            path = by_hooks(*shape)
            self.guesses[layer, shape] = groups.value_along(order, path, self.per_core)
        return self.guesses[layer, shape]

    def value(self, layer: int, shape: Shape) -> int:
        """Packets x hops of the best layout known, which itself is not kept for every shape."""
        if (layer, shape) in self.layouts:
            return self.layouts[layer, shape].value
        if (layer, shape) not in self.values:
            found = lay_out(self.flows[layer], *shape, self.per_core)
            self.values[layer, shape] = found.value
        return self.values[layer, shape]

    def layout(self, layer: int, shape: Shape) -> Layout:
        """The best layout known."""
        if (layer, shape) not in self.layouts:
            self.layouts[layer, shape] = lay_out(self.flows[layer], *shape, self.per_core)
        return self.layouts[layer, shape]

    def bound(self, layer: int, shape: Shape) -> int:
        """The best lower bound known."""
        if (layer, shape) not in self.bounds:
            self.bounds[layer, shape] = inside_bound(self.flows[layer], self.per_core, *shape)
        return self.bounds[layer, shape]

    def refine(self, layer: int, shape: Shape) -> bool:
        """Search for a better layout and bound, once; False if there is nothing left to do."""
        layout, bound = self.layout(layer, shape), self.bound(layer, shape)
        if (layer, shape) in self.refined or layout.value <= bound:
            return False
        self.refined.add((layer, shape))
        flows = self.flows[layer]
        layout = improved(flows, layout, self.per_core, _TRIALS)
        found = exact_layout(flows, layout, bound, self.per_core, self.options)
        self.layouts[layer, shape], self.bounds[layer, shape], repeats = found
        self.deterministic = self.deterministic and repeats
        return True
