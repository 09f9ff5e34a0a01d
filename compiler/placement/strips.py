"""A first plan for many regions: strips across the mesh, in turn to the right and to the left.

Each strip takes the next few layers and is as high as they need, so that little of it is left over
and layers that follow each other are neighbours.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from compiler.placement.floorplan import Plan, Shape
from ir.placement import Region

Moves = tuple[tuple[tuple[int, int], int], ...]
Inside = Callable[[int, Shape], int]


def plan_in_strips(
    cores: Mapping[int, int],
    moves: Moves,
    inside: Inside,
    limits: Sequence[Shape],
    *,
    smaller: bool,
) -> Plan | None:
    """The best plan in strips within one of the meshes `limits`; None if none fits.

    cores: {layer: cores it needs}; inside: packets x hops within a layer's region of a shape;
    smaller: the mesh may be smaller than its limit (it is to be chosen).
    """
    best: Plan | None = None
    for limit in limits:
        for across in (False, True):
            width, height = reversed(limit) if across else limit
            for regions, used in _strips(cores, width):
                if used > height:
                    continue
                plan = _turned(regions) if across else regions
                value = sum(inside(r.layer, (r.width, r.height)) for r in plan)
                value += moves_value(moves, plan)
                if best is None or value < best.value:
                    mesh = (width, used if smaller else height)
                    best = Plan((mesh[1], mesh[0]) if across else mesh, tuple(plan), value)
    return best


def moves_value(moves: Moves, regions: Sequence[Region]) -> int:
    """Packets x hops between regions."""
    at = {r.layer: r for r in regions}
    return sum(n * (abs(at[a].x - at[b].x) + abs(at[a].y - at[b].y)) for (a, b), n in moves)


def _strips(cores: Mapping[int, int], width: int) -> Iterator[tuple[list[Region], int]]:
    """Regions in strips of 1, 2, 3, ... layers each, and the rows they take."""
    layers = sorted(cores)
    for each in range(1, len(layers) + 1):
        regions: list[Region] = []
        y = 0
        for number, first in enumerate(range(0, len(layers), each)):
            strip = layers[first : first + each]
            height = _height(cores, strip, width)
            if height is None:
                return
            x = 0
            for layer in strip:
                w = -(-cores[layer] // height)
                left = x if number % 2 == 0 else width - x - w
                regions.append(Region(layer, left, y, w, height))
                x += w
            y += height
        yield regions, y


def _height(cores: Mapping[int, int], strip: Sequence[int], width: int) -> int | None:
    """Fewest rows in which the regions of `strip` stand side by side; None if too many do."""
    if len(strip) > width:
        return None
    height = max(1, -(-sum(cores[layer] for layer in strip) // width))
    while sum(-(-cores[layer] // height) for layer in strip) > width:
        height += 1
    return height


def _turned(regions: Sequence[Region]) -> list[Region]:
    return [Region(r.layer, r.y, r.x, r.height, r.width) for r in regions]
