"""Changes that nobody has to notice, with the reason for each: they are the same, or nearly."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("accepted.txt")


@dataclass(frozen=True)
class Accepted:
    """A change of a place, by its words, and why it may survive."""

    module: str
    place: str
    words: str
    reason: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells the change from others."""
        return self.module, self.place, self.words


def accepted(path: Path = FILE) -> dict[tuple[str, str, str], Accepted]:
    """Read the list: `# reason` before the changes that it is for, one a line.

    A change is `module place | what -> what else`. Raises ValueError at a line that is none.
    """
    out: dict[tuple[str, str, str], Accepted] = {}
    reason = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("#"):
            reason = line.removeprefix("#").strip()
        elif line.strip():
            where, found, words = line.partition(" | ")
            if not found or not reason:
                raise ValueError(f"{path.name}:{number}: expected `module place | change`")
            module, _, place = where.partition(" ")
            one = Accepted(module, place, words, reason)
            out[one.key] = one
    return out


def reasons(found: list[Accepted]) -> Counter[str]:
    """How many changes each reason is given for."""
    return Counter(one.reason for one in found)
