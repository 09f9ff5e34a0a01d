"""Who chooses for `draw`: a seeded generator, or choices made before, to replay and to shrink."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.chain.draw import draw_recipe
from tests.chain.recipe import Recipe

TRIES = 300  # recipes that shrinking may run


class Choices:
    """Chooses by `place`, and remembers what: (dimension, option) and the place of the option."""

    def __init__(self, place: Callable[[int, int], int]) -> None:
        """place: from (number of the choice, number of options) to the option's place."""
        self._place = place
        self.made: list[tuple[str, str]] = []
        self.places: list[int] = []

    def __call__(self, name: str, options: Sequence[Any]) -> Any:
        """One of `options`, the simplest of which comes first."""
        place = self._place(len(self.places), len(options))
        self.places.append(place)
        self.made.append((name, str(options[place])))
        return options[place]


def drawn(seed: int, number: int) -> tuple[Recipe, Choices]:
    """Case `number` of `seed`."""
    random = np.random.default_rng((seed, number))
    choices = Choices(lambda _, count: int(random.integers(count)))
    return draw_recipe(choices), choices


def replayed(places: Sequence[int]) -> tuple[Recipe, Choices]:
    """The case of these choices; where there are none left, the simplest."""

    def place(number: int, count: int) -> int:
        return min(places[number], count - 1) if number < len(places) else 0

    choices = Choices(place)
    return draw_recipe(choices), choices


def shrink(places: Sequence[int], fails: Callable[[Recipe], bool]) -> Recipe:
    """A simpler recipe that still fails: each choice as early among its options as it may be."""
    best, (recipe, _), tries = list(places), replayed(places), 0
    changed = True
    while changed and tries < TRIES:
        changed = False
        for at in range(len(best)):
            for earlier in sorted({0, best[at] // 2, best[at] - 1}):
                if not 0 <= earlier < best[at] or tries >= TRIES:
                    continue
                tries += 1
                simpler, choices = replayed([*best[:at], earlier, *best[at + 1 :]])
                if fails(simpler):
                    best, recipe, changed = choices.places, simpler, True
                    break
            if at + 1 >= len(best):  # the simpler case has fewer choices
                break
    return recipe
