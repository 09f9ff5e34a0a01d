"""Regions on the mesh: which rectangle each layer takes, and where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from compiler.options import SolverOptions
from compiler.solver import cp_model, solve
from ir.placement import Region

Shape = tuple[int, int]  # width, height
Var = cp_model.IntVar


@dataclass(frozen=True)
class Floor:
    """What the regions are put on: the meshes allowed, shapes with their cost, and the moves.

    meshes: (width, height) to choose one from; shapes: {layer: {shape: packets x hops inside}};
    moves: ((from layer, to layer), packets).
    """

    meshes: tuple[Shape, ...]
    shapes: Mapping[int, Mapping[Shape, int]]
    moves: tuple[tuple[tuple[int, int], int], ...]


@dataclass(frozen=True)
class Plan:
    """Regions on a mesh, their value, and a bound for all plans of the same Floor (0: none)."""

    mesh: Shape
    regions: tuple[Region, ...]
    value: int
    bound: int = 0
    deterministic: bool = True


def plan_value(floor: Floor, regions: Sequence[Region]) -> int:
    """Packets x hops within the regions and between them."""
    at = {r.layer: r for r in regions}
    inside = sum(floor.shapes[r.layer][r.width, r.height] for r in regions)
    return inside + sum(
        n * (abs(at[a].x - at[b].x) + abs(at[a].y - at[b].y)) for (a, b), n in floor.moves
    )


def plan_by_cp_sat(
    floor: Floor, start: Plan | None, options: SolverOptions, free: Sequence[int] | None = None
) -> Plan | None:
    """The best plan found from `start` on; None if there is none.

    free: layers whose regions may change, all if None; its bound then holds for these alone.
    """
    model = _Model(floor, start, free)
    answer = solve(model.model, model.variables, options)
    if answer.values is None:
        return start
    mesh, regions = model.plan(answer.values)
    value = plan_value(floor, regions)
    bound = answer.bound if answer.bound is not None and free is None else 0
    found = Plan(mesh, regions, value, bound, answer.deterministic)
    if start is not None and value >= start.value:
        return replace(start, bound=max(start.bound, bound), deterministic=answer.deterministic)
    return found


class _Model:
    """Variables, constraints and objective."""

    def __init__(self, floor: Floor, start: Plan | None, free: Sequence[int] | None) -> None:
        self.floor = floor
        self.layers = sorted(floor.shapes)
        self.model = cp_model.CpModel()
        self.model.name = "floorplan"
        meshes = floor.meshes if free is None or start is None else (start.mesh,)
        self.widest, self.highest = max(w for w, _ in meshes), max(h for _, h in meshes)
        self.mesh = (self._var(self.widest, "mesh.w"), self._var(self.highest, "mesh.h"))
        self.model.add_allowed_assignments(list(self.mesh), list(meshes))
        names = ("x", "y", "w", "h")
        limit = {"x": self.widest, "w": self.widest, "y": self.highest, "h": self.highest}
        self.box = {
            layer: [self._var(limit[n], f"{n}{layer}") for n in names] for layer in self.layers
        }
        self.cost = {layer: self._shape(layer) for layer in self.layers}
        self.regions_apart()
        self.model.minimize(cp_model.LinearExpr.sum([*self.cost.values(), *self._moves()]))
        if start is not None:
            self.hint(start)
            self.fix(start, free)

    @property
    def variables(self) -> list[Var]:
        """Mesh width and height, then x, y, w, h of each layer."""
        return [*self.mesh, *(var for layer in self.layers for var in self.box[layer])]

    def _var(self, high: int, name: str) -> Var:
        return self.model.new_int_var(0, high, name)

    def _shape(self, layer: int) -> Var:
        """Width, height and cost are one of the layer's shapes."""
        costs = self.floor.shapes[layer]
        rows = [
            (w, h, cost) for (w, h), cost in costs.items() if w <= self.widest and h <= self.highest
        ]
        cost = self._var(max(costs.values()), f"cost{layer}")
        self.model.add_allowed_assignments([*self.box[layer][2:], cost], rows)
        return cost

    def regions_apart(self) -> None:
        columns, rows = [], []
        for layer in self.layers:
            x, y, w, h = self.box[layer]
            right, below = self._var(self.widest, "right"), self._var(self.highest, "below")
            columns.append(self.model.new_interval_var(x, w, right, f"columns{layer}"))
            rows.append(self.model.new_interval_var(y, h, below, f"rows{layer}"))
            self.model.add(right <= self.mesh[0])
            self.model.add(below <= self.mesh[1])
        self.model.add_no_overlap_2d(columns, rows)

    def _moves(self) -> list[cp_model.LinearExprT]:
        """Packets x port distance; two regions apart are at least their least side apart."""
        terms: list[cp_model.LinearExprT] = []
        for (a, b), amount in self.floor.moves:
            far = []
            for axis, limit in ((0, self.widest), (1, self.highest)):
                distance = self._var(limit, f"distance{a}.{b}.{axis}")
                here, there = self.box[a][axis], self.box[b][axis]
                self.model.add(distance >= here - there)
                self.model.add(distance >= there - here)
                far.append(distance)
            self.model.add(sum(far) >= 1)
            terms.append(amount * cp_model.LinearExpr.sum(far))
        return terms

    def hint(self, start: Plan) -> None:
        for var, value in zip(self.mesh, start.mesh, strict=True):
            self.model.add_hint(var, value)
        for r in start.regions:
            for var, value in zip(self.box[r.layer], (r.x, r.y, r.width, r.height), strict=True):
                self.model.add_hint(var, value)

    def fix(self, start: Plan, free: Sequence[int] | None) -> None:
        for r in start.regions if free is not None else ():
            if r.layer not in (free or ()):
                values = (r.x, r.y, r.width, r.height)
                for var, value in zip(self.box[r.layer], values, strict=True):
                    self.model.add(var == value)

    def plan(self, values: tuple[int, ...]) -> tuple[Shape, tuple[Region, ...]]:
        """Mesh and regions from the values of `variables`."""
        boxes = zip(self.layers, zip(*[iter(values[2:])] * 4, strict=True), strict=True)
        return (values[0], values[1]), tuple(Region(layer, *box) for layer, box in boxes)
