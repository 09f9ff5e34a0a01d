"""The limits on what a model and its inputs may ask for, as a document."""

from dataclasses import dataclass

from moexbar.report.plain import Document


@dataclass(frozen=True)
class LimitRow:
    """One limit.

    name: by which MOEXBAR_LIMITS and messages call it.
    limit: at most so many, in force now.
    default: where nothing is set; of memory that of this machine.
    unit: of the number.
    of: what it limits.
    why: the default is so high.
    """

    name: str
    limit: int
    default: int
    unit: str
    of: str
    why: str


@dataclass(frozen=True)
class LimitsReport(Document):
    """What `moexbar limits` tells.

    setting: the environment variable that changes them.
    limits: in the order in which they are counted.
    """

    setting: str
    limits: tuple[LimitRow, ...]
