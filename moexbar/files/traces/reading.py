"""What the reader of a trace may be told: its axes, its number of experts, its limits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ir.errors import InputError
from ir.npz import ArchiveLimits
from moexbar.files.traces.axes import Axes

OPTION = "--limit"


@dataclass(frozen=True)
class RoutingLimits:
    """What a trace may need: see ArchiveLimits for the file itself.

    experts: per layer; cells: tokens x experts, the size of one layer's matrix in bytes.
    """

    archive: ArchiveLimits = field(default_factory=lambda: ArchiveLimits(option=OPTION))
    experts: int = 4096
    cells: int = 2**27

    @classmethod
    def of(cls, words: Sequence[str]) -> "RoutingLimits":
        """The defaults but for NAME=NUMBER words; InputError for others."""
        limits = cls()
        for word in words:
            name, _, text = word.partition("=")
            if name not in NAMES or not text.isdecimal() or len(text) > 15 or int(text) < 1:
                raise InputError(
                    OPTION, f"{word!r}, expected NAME=NUMBER, NAME one of {', '.join(NAMES)}"
                )
            changed: dict[str, Any] = {name: int(text)}
            if name in ("experts", "cells"):
                limits = replace(limits, **changed)
            else:
                limits = replace(limits, archive=replace(limits.archive, **changed))
        return limits


_ARCHIVE = [f.name for f in fields(ArchiveLimits) if f.name != "option"]
NAMES = (*_ARCHIVE, "experts", "cells")


def silent(remark: str) -> None:
    """Keep a remark from everybody."""


@dataclass(frozen=True)
class Reading:
    """How to read a trace file where the file itself leaves it open.

    axes: of its array, None to recognise them; num_experts: of every layer, None to take it from
    the file; model_experts: of the model that the trace is for, where neither says it; say: is told
    what was recognised or left out.
    """

    axes: Axes | None = None
    num_experts: int | None = None
    model_experts: int | None = None
    limits: RoutingLimits = field(default_factory=RoutingLimits)
    say: Callable[[str], None] = field(default=silent, compare=False)

    def __post_init__(self) -> None:
        if self.num_experts is not None and not 1 <= self.num_experts <= self.limits.experts:
            raise InputError(
                "--num-experts", f"{self.num_experts}, expected 1 to {self.limits.experts}"
            )

    @property
    def experts(self) -> int | None:
        """Experts of a layer where the file does not say."""
        return self.num_experts or self.model_experts


def raise_it(name: str, needed: int, instead: str) -> str:
    """What to do about the limit `name` where `needed` is more than it."""
    return f"{instead}, or raise it: {OPTION} {name}={needed}"
