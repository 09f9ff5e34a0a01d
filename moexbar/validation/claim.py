"""A number that somebody published, as it stands in its source."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

Ours = Mapping[str, Callable[[], float]]  # key of a claim: what our model gives, in its unit
Evidence = Literal["measured", "modelled", "run", "code"]
EVIDENCE: dict[Evidence, str] = {
    "measured": "measured on silicon",
    "modelled": "a model's figure, published",
    "run": "a run of another simulator",
    "code": "a run of the code whose rules a preset takes over",
}


@dataclass(frozen=True)
class Claim:
    """One published quantity.

    key: names the row, and the function that gives ours.
    quantity: in words; unit: of both values.
    published: as the source has it, or the arithmetic on it that `source` states.
    source: author, venue, year, place.
    fits: which number of a preset was set from it, or from the same source in a way that leaves the
    two no freedom to differ; empty: the row is independent.
    second_hand: read where others quote the source, not in the source.
    cause: why ours differs, where it does.
    """

    key: str
    quantity: str
    unit: str
    published: float
    source: str
    fits: str = ""
    second_hand: bool = False
    cause: str = ""

    @property
    def independent(self) -> bool:
        """Whether no number of the model was set from it."""
        return not self.fits


@dataclass(frozen=True)
class Study:
    """The quantities of one publication or one run.

    title: over its rows; evidence: what kind of numbers they are; source: of all of them.
    """

    title: str
    evidence: Evidence
    source: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Unmatched:
    """A published figure that nothing of ours can be set beside, and why.

    quantity: what it is, with its value and unit; source: as of a claim; why: what is missing.
    """

    quantity: str
    source: str
    why: str
