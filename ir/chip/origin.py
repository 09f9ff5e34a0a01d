"""Where a chip's numbers come from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fact:
    """Where a number of the chip comes from: field path, value as written, source.

    path: table and field of these dataclasses, e.g. mvm.read_ps; text: with its unit, "130 ns".
    assumed: no published value for this chip; low, high: the band a report carries for it, if any,
    in the unit of the field that `path` names.
    """

    path: str
    text: str
    source: str
    assumed: bool
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Change:
    """A number that was set for this chip alone: `key = text`, as it was asked for.

    key: table and field with the unit it was given in, e.g. mvm.read_ns; text: its value.
    """

    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.key} = {self.text}"


@dataclass(frozen=True)
class Headline:
    """What the source says one full crossbar reaches; the preset's self-test (0 = not stated)."""

    tops_per_w: float = 0.0
    tops_per_mm2: float = 0.0
