"""Plain text as Markdown, and tables."""

import re
from collections.abc import Iterable, Sequence

CODE = re.compile(r"(`+)(.+?)\1")
PAGE = re.compile(r"\bdocs/([\w-]+\.md)\b")
SPECIAL = re.compile(r"([\\*_\[\]<>{}$#|])")


def plain(text: str) -> str:
    """Text whose only markup is code between backticks."""
    parts: list[str] = []
    at = 0
    for code in CODE.finditer(text):
        parts += [SPECIAL.sub(r"\\\1", text[at : code.start()]), code[0]]
        at = code.end()
    return "".join([*parts, SPECIAL.sub(r"\\\1", text[at:])])


def told(text: str) -> str:
    """Plain text of the program on a page of the reference: pages that it names are links."""
    return PAGE.sub(r"[\1](../\1)", plain(text))


def code(text: str) -> str:
    """Text as code, whatever backticks are in it."""
    return f"`{text}`" if "`" not in text else f"`` {text} ``"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; bars in cells are escaped."""
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for row in rows:
        cells = (re.sub(r"(?<!\\)\|", r"\\|", " ".join(cell.split())) for cell in row)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
