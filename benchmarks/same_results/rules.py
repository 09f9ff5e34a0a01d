"""Which differences are left out, as `deliberate` lists them, and which paths have moved."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain, zip_longest
from pathlib import PurePath

from benchmarks.same_results import deliberate


@dataclass(frozen=True)
class Rules:
    """left_out: {place: reason}; moved: {place on the old side: path on the new one}."""

    left_out: Mapping[str, str]
    moved: Mapping[str, str]

    def place_of(self, file: str, path: str) -> str | None:
        """The place that leaves out this path (of a text: this line), if one does."""
        return next((place for place in self.left_out if _at(place, file, path)), None)

    def moved_to(self, file: str, path: str) -> tuple[str | None, str]:
        """The place by which a path of the old side has moved, if one did; the path now."""
        for place, target in self.moved.items():
            if found := _at(place, file, path):
                pieces = zip_longest(re.split(r"\[\]|\*", target), found.groups(), fillvalue="")
                return place, "".join(chain(*pieces)) + path[found.end() :]
        return None, path


RULES = Rules(deliberate.NOT_COMPARED | deliberate.DELIBERATE, deliberate.MOVED)


def _at(place: str, file: str, path: str) -> re.Match[str] | None:
    name, _, wanted = place.partition(": ")
    return _pattern(wanted).match(path) if PurePath(file).match(name) else None


@cache
def _pattern(path: str) -> re.Pattern[str]:
    """Of a path with one group for every `[]` and `*`; it ends where a key or an index ends."""
    text = re.escape(path).replace(r"\[\]", r"(\[\d+\])").replace(r"\*", "(.*)")
    return re.compile(text + r"(?=[.\[]|$)")
