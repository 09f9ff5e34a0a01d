"""Values as tables in a notebook, which asks them for `_repr_html_`: every word is escaped."""

from collections.abc import Iterable, Sequence
from html import escape


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], note: str = ""
) -> str:
    """A table with a heading above and a note below."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(_row(row) for row in rows)
    below = f"<p>{escape(note)}</p>" * bool(note)
    return (
        f"<p><b>{escape(title)}</b></p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"
    )


def folded(summary: str, inside: str) -> str:
    """HTML that is shown when its summary is clicked."""
    return f"<details><summary>{escape(summary)}</summary>{inside}</details>"


def _row(cells: Sequence[object]) -> str:
    return f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in cells)}</tr>"
