"""The fields of a configuration, each checked when it is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from ir.errors import InputError
from moexbar.chips.fields import shown

MOST = {  # far above any model, far below what would fill a machine
    "layers": 2000,
    "width": 1 << 20,
    "heads": 1 << 14,
    "experts": 1 << 14,
    "tokens": 1 << 26,
}


@dataclass(frozen=True)
class Fields:
    """A configuration's fields under the file's name; several names of a field are tried in turn.

    A field that is null counts as missing. Every reading raises InputError naming file and field.
    """

    where: str
    raw: Mapping[str, Any]

    def has(self, *names: str) -> bool:
        """Whether a field of one of these names is there."""
        return any(self.raw.get(name) is not None for name in names)

    def whole(self, *names: str, most: str, least: int = 1) -> int:
        """A whole number from `least` to what `MOST` allows."""
        if not self.has(*names):
            spelled = " or ".join(names)
            raise InputError(
                self.where, f"{spelled}: missing, expected a whole number", "add it to the file"
            )
        return self._number(names, MOST[most], least)

    def whole_or(self, default: int, *names: str, most: str, least: int = 0) -> int:
        """The same; `default` where there is none."""
        return self._number(names, MOST[most], least) if self.has(*names) else default

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        if not self.has(name):
            return default
        found = self.raw[name]
        if not isinstance(found, bool):
            self.refuse(name, found, "true or false")
        return found

    def real(self, default: float, *names: str, most: float = 1e12) -> float:
        """A positive number."""
        for name in names:
            found = self.raw.get(name)
            if found is None:
                continue
            if isinstance(found, bool) or not isinstance(found, int | float):
                self.refuse(name, found, "a number")
            if not 0 < found <= most:
                self.refuse(name, found, f"a number above 0, at most {most:g}")
            return float(found)
        return default

    def word(self, default: str, *names: str) -> str:
        """A string."""
        for name in names:
            found = self.raw.get(name)
            if found is None:
                continue
            if not isinstance(found, str):
                self.refuse(name, found, "a string")
            return found
        return default

    def part(self, name: str) -> "Fields":
        """The fields of an object within; none where it is missing."""
        found = self.raw.get(name)
        if found is None:
            return Fields(f"{self.where}: {name}", {})
        if not isinstance(found, dict):
            self.refuse(name, found, "an object")
        return Fields(f"{self.where}: {name}", found)

    def numbers(self, name: str, most: str) -> list[int] | None:
        """A list of whole numbers from 0; None where it is missing."""
        found = self.raw.get(name)
        if found is None:
            return None
        if not isinstance(found, list) or len(found) > MOST["layers"]:
            self.refuse(name, found, f"a list of at most {MOST['layers']} whole numbers")
        for entry in found:
            if (
                isinstance(entry, bool)
                or not isinstance(entry, int)
                or not 0 <= entry <= MOST[most]
            ):
                self.refuse(name, entry, f"whole numbers from 0 to {MOST[most]}")
        return [int(entry) for entry in found]

    def same(self, *names: str, most: str, default: int | None = None) -> int:
        """A whole number, or a list of one for each layer, all of them equal."""
        for name in names:
            if isinstance(self.raw.get(name), list):
                found = set(self.numbers(name, most) or ())
                if len(found) != 1:
                    self.refuse(name, sorted(found), "the same number for every layer")
                return found.pop()
        if default is not None:
            return self.whole_or(default, *names, most=most)
        return self.whole(*names, most=most)

    def refuse(self, name: str, found: object, expected: str) -> NoReturn:
        """Raise InputError: what the field holds and what it should."""
        raise InputError(self.where, f"{name}: {shown(repr(found))[:80]}, expected {expected}")

    def _number(self, names: tuple[str, ...], most: int, least: int) -> int:
        name = next(name for name in names if self.has(name))
        found = self.raw[name]
        if isinstance(found, bool) or not isinstance(found, int):
            self.refuse(name, found, "a whole number")
        if not least <= found <= most:
            self.refuse(name, found, f"a whole number from {least} to {most}")
        return found
