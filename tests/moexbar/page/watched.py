"""A page opened in a browser, with all that it asks for and complains of written down."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
REFUSALS = """document.addEventListener('securitypolicyviolation', (event) =>
    console.error('refused by the policy', event.violatedDirective, event.blockedURI))"""
LONGEST = 60_000  # ms on a machine that does much else


@dataclass
class Seen:
    """What a page did: requests beside the file itself, console messages, errors, dialogs."""

    requests: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def close(self, dialog: Any) -> None:
        """Note a dialog, and close it."""
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def clear(self) -> None:
        """Forget what was seen."""
        for found in (self.requests, self.said, self.dialogs):
            found.clear()

    @property
    def nothing(self) -> bool:
        """Whether it neither asked for anything nor complained."""
        return not (self.requests or self.said or self.dialogs)


@contextmanager
def opened(browser: Any, path: Path, **words: Any) -> Iterator[tuple[Any, Seen]]:
    """The page of a file, its first screen drawn. words: as of a new page of a browser."""
    seen, page = Seen(), browser.new_page(**{"viewport": {"width": 1400, "height": 900}, **words})
    page.set_default_timeout(LONGEST)
    page.on("request", lambda one: seen.requests.append(one.url))
    page.on("console", lambda one: seen.said.append(f"{one.type}: {one.text}"))
    page.on("pageerror", lambda error: seen.said.append(f"error: {error}"))
    page.on("dialog", lambda one: seen.close(one))
    page.add_init_script(REFUSALS)
    try:
        goto(page, path, seen)
        yield page, seen
    finally:
        page.close()


def goto(page: Any, path: Path, seen: Seen) -> None:
    """Open a file in a page that is watched; the file itself is no request."""
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-drawn]", state="attached")
    seen.requests.remove(path.as_uri())


def draw_all(page: Any) -> int:
    """Bring every figure into view until it is drawn; how many there are."""
    figures = page.query_selector_all("figure.plot")
    for figure in figures:
        figure.scroll_into_view_if_needed()
        page.wait_for_selector(
            f"figure.plot[data-kind='{figure.get_attribute('data-kind')}'][data-drawn]",
            state="attached",
        )
    return len(figures)
