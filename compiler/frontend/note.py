"""A finding for the user, before it is text."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """What the user is told.

    reason: why it is so, where the text gives one; what has been told for a reason is not told
    again for the same one.
    """

    text: str
    reason: str = ""


WEIGHTLESS = "the weights are holes in a sparse file"  # why something is not run
