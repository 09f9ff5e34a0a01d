"""What is done to a page when Sphinx reads it.

A line `<!-- site: NAME -->` is replaced by what NAME makes of the program: `api`, `commands`,
`chip-keys`, `schemas`; or, of `<!-- site: file PATH -->`, by that file without its title.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from docs.site import api, chip_keys, commands, schemas
from docs.site.links import ROOT, linked

MADE: dict[str, Callable[[], str]] = {
    "api": api.page,
    "commands": commands.page,
    "chip-keys": chip_keys.page,
    "schemas": schemas.page,
}
MARK = re.compile(r"^<!-- site: ([\w-]+)(?: (\S+))? -->$", re.MULTILINE)
TOCTREE = re.compile(r"^```\{toctree\}\n.*?^```$", re.MULTILINE | re.DOTALL)
OPEN_PROMPT = re.compile(r"^```\n(?=\$ )", re.MULTILINE)


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx what to do to every page that it reads."""
    app.connect("source-read", _read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _read(app: Any, name: str, source: list[str]) -> None:
    path = Path(str(app.env.doc2path(name)))
    source[0] = prepared(source[0], path)


def prepared(text: str, page: Path) -> str:
    """The source of a page, or of a notebook, as Sphinx gets it."""
    own = page.resolve()  # a notebook lies elsewhere
    text = linked(text, own, page)
    text = TOCTREE.sub(lambda tree: _found(tree[0], page.parent), text)
    text = MARK.sub(lambda mark: _made(mark[1], mark[2], page), text)
    return OPEN_PROMPT.sub("```console\n", text) if page.suffix == ".md" else text


def _found(toctree: str, folder: Path) -> str:
    """A table of contents without the patterns that no page is of, of which Sphinx would warn.

    Without any page there is no table.
    """

    def some(line: str) -> bool:
        found = folder.glob(f"{line}.*") if "*" in line else ()
        return "*" not in line or any(path.suffix in (".md", ".ipynb") for path in found)

    lines = [line for line in toctree.split("\n") if some(line)]
    return "\n".join(lines) if any(re.match(r"\w", line) for line in lines) else ""


def _made(name: str, path: str | None, page: Path) -> str:
    """What stands in the place of a mark."""
    if name != "file" or path is None:
        return MADE[name]()
    file = ROOT / path
    title, _, rest = file.read_text(encoding="utf-8").partition("\n")
    if not title.startswith("# "):
        raise ValueError(f"{path}: begins with {title!r}, expected its title, `# ...`")
    return linked(rest, file, page)
