"""Ways to renumber dies after which every route is one again: they leave byte-links as they are."""

from itertools import permutations

import numpy as np

from compiler.dies.problem import Problem
from ir.arrays import Array, Ints

_FEW = 5  # dies of which all ways to renumber are tried


def symmetries(before: Array, columns: int) -> Ints:
    """The image of every die under each symmetry found: int64 [symmetries, dies].

    Tried are turns and mirrors of a mesh, those of a ring, and, of few dies, all ways. Each is held
    against the routes themselves, since these prefer a direction; what is kept is a group.
    """
    n = len(before)
    if n <= _FEW:
        tried = np.array(list(permutations(range(n))), dtype=np.int64).reshape(-1, n)
    else:
        tried = np.array(_of_mesh(n, columns) if columns else _of_ring(n), dtype=np.int64)
    return tried[[_keeps_routes(before, image) for image in tried]]


def _keeps_routes(before: Array, image: Ints) -> bool:
    """Whether the die before b on the route from a is mapped to that on the images' route."""
    mapped = np.append(image, -1)[before]
    return bool((before[np.ix_(image, image)] == mapped).all())


def _of_ring(n: int) -> list[Ints]:
    at = np.arange(n)
    return [(at * turn + k) % n for k in range(n) for turn in (1, -1)]


def _of_mesh(n: int, columns: int) -> list[Ints]:
    if n % columns:
        return [np.arange(n)]
    y, x = np.divmod(np.arange(n), columns)
    rows = n // columns
    found = [b * columns + a for b in (y, rows - 1 - y) for a in (x, columns - 1 - x)]
    if rows == columns:
        found += [b * columns + a for b in (x, rows - 1 - x) for a in (y, columns - 1 - y)]
    return found


def turned(
    problem: Problem, before: Array, columns: int, die: Ints
) -> tuple[Ints, dict[int, list[int]]]:
    """`die` renumbered, and the dies that each item may go to, so that no best value is lost.

    The largest item is on the first of the dies that are alike for it. Where all dies are joined
    to all, the next largest is there or on the second, and so on.
    """
    n = len(before)
    if not len(problem.items):
        return die, {}
    ranked = np.argsort(-problem.area, kind="stable").tolist()
    domains = {item: list(range(n)) for item in ranked}
    if (before + np.eye(n, dtype=before.dtype) * (np.arange(n) + 1) == np.arange(n)[:, None]).all():
        number: dict[int, int] = {}
        for rank, item in enumerate(ranked):
            number.setdefault(int(die[item]), len(number))
            domains[item] = domains[item][: rank + 1]
        return np.array([number[d] for d in die.tolist()], dtype=np.int64), domains
    images = symmetries(before, columns)
    lowest = images.min(axis=0)
    domains[ranked[0]] = np.flatnonzero(lowest == np.arange(n)).tolist()
    image: Ints = images[int(images[:, die[ranked[0]]].argmin())]
    return image[die], domains
