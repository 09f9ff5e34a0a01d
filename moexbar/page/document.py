"""A page as a value, and as the text of one HTML file that loads nothing and sends nothing."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from moexbar.figures.draw import complete
from moexbar.figures.figure import Figure
from moexbar.page.bundle import bundle
from moexbar.page.html import Html, data, join, tag

NO_SCRIPT = "The figures are drawn by the script in this file, which this browser does not run."


SCRIPTS = "base.js", "figures.js", "zoom.js", "tables.js", "sweep.js", "start.js"  # one module


@dataclass(frozen=True)
class Section:
    """A part of a page.

    key: its anchor; title: its heading; body: what is in it; kind: class of the element.
    """

    key: str
    title: str
    body: tuple[Html, ...]
    kind: str | None = None


@dataclass(frozen=True)
class Page:
    """What a page tells.

    title: what it is of; over, under: lines above and below; written: by what and from what.
    """

    title: str
    over: str
    under: str
    written: str
    sections: tuple[Section, ...]


def render(page: Page) -> bytes:
    """The file: the same page is the same bytes. Raises InputError without the extra `plots`."""
    style, own = _resource("page.css"), "".join(map(_resource, SCRIPTS))
    scripts = bundle(), own
    body = tag(
        "div",
        tag("header", _heading(page), _toggle(), class_="top"),
        tag("nav", _contents(page.sections), aria_label="Contents"),
        tag("main", *map(_section, page.sections)),
        tag("footer", page.written),
        class_="frame",
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(style, scripts)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("link", rel="icon", href="data:,"),
        tag("title", page.title),
        tag("style", Html(style)),
    )
    parts = body, data(_themes(), id="themes"), *(_script(script) for script in scripts)
    whole = join((Html("<!doctype html>"), tag("html", head, tag("body", *parts), lang="en")), "\n")
    return whole.encode("utf-8")


def _policy(style: str, scripts: Sequence[str]) -> str:
    """What the page may do: run these scripts, use this style, and show pictures it made itself."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(_hash, scripts))}",
            f"style-src {_hash(style)}",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _script(content: str) -> Html:
    return tag("script", Html(content), type="module")


def _themes() -> dict[str, object]:
    """What is around every figure in each theme."""
    return {theme: complete(Figure("", "", "", {}), theme) for theme in ("light", "dark")}


def _heading(page: Page) -> Html:
    over, under = tag("p", page.over, class_="kicker"), tag("p", page.under, class_="lead")
    return tag("div", over, tag("h1", page.title), under)


def _toggle() -> Html:
    button = tag("button", "Dark theme", id="theme", type="button")
    return join((tag("noscript", tag("p", NO_SCRIPT)), button))


def _contents(sections: Sequence[Section]) -> Html:
    links = (tag("a", one.title, href=f"#{one.key}") for one in sections)
    return tag("ol", *(tag("li", link) for link in links))


def _section(one: Section) -> Html:
    heading = tag("h2", one.title, id=f"{one.key}-title")
    words = {"id": one.key, "class_": one.kind, "aria_labelledby": f"{one.key}-title"}
    return tag("section", heading, *one.body, **words)


def _resource(name: str) -> str:
    return (files("moexbar.page") / name).read_text(encoding="utf-8")
