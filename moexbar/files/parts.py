"""Which files a compilation writes, by name."""

from typing import Literal, get_args

from compiler.options import one_of

Part = Literal["report", "program", "mapping", "routing", "listing", "trace", "annotated", "page"]
ALL: tuple[Part, ...] = get_args(Part)
ASKED: tuple[Part, ...] = ("annotated", "page")  # written only where they are named
USUAL: tuple[Part, ...] = tuple(part for part in ALL if part not in ASKED)


def parts(text: str) -> tuple[Part, ...]:
    """The files named in a comma-separated list, USUAL for an empty one; InputError for others."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    return tuple(one_of("--write", name, ALL) for name in names) or USUAL
