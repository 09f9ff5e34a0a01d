"""Which files a compilation writes, by name."""

from typing import Literal, get_args

from compiler.options import one_of

Part = Literal["report", "program", "mapping", "routing", "listing", "trace"]
ALL: tuple[Part, ...] = get_args(Part)


def parts(text: str) -> tuple[Part, ...]:
    """The files named in a comma-separated list, all for an empty one; InputError for others."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    return tuple(one_of("--write", name, ALL) for name in names) or ALL
