"""Markup as values: what is no markup yet is escaped where it is put in, so none is forgotten."""

import json
from collections.abc import Iterable
from html import escape

from moexbar.report.plain import as_json
from moexbar.visible import visible

VOID = ("meta", "link", "input", "br")


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def text(words: object) -> Html:
    """Any text as the content of an element or attribute; what would not be seen is spelt out.

    That is control characters, marks that turn the direction of writing, and halves of characters
    that UTF-8 cannot hold.
    """
    if isinstance(words, Html):
        return words
    return Html(escape(visible(words, lines=True), quote=True))


def tag(name: str, /, *inner: object, **attributes: str | int | bool | None) -> Html:
    """An element; `class_` is class, `aria_label` aria-label; True: without a value, None: not."""
    words = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        called = key.rstrip("_").replace("_", "-")
        words.append(called if value is True else f'{called}="{text(value)}"')
    head = f"<{' '.join(words)}>"
    return Html(head if name in VOID else f"{head}{join(inner)}</{name}>")


def join(parts: Iterable[object], between: str = "") -> Html:
    """Parts one after the other."""
    return Html(text(between).join(text(part) for part in parts))


def data(value: object, **attributes: str) -> Html:
    """A block of JSON, which no character of a text in it can end or turn into markup."""
    plain = json.dumps(as_json(value), allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    for sign in "<>&":  # all others that matter are beyond ASCII, so escaped already
        plain = plain.replace(sign, f"\\u{ord(sign):04x}")
    return tag("script", Html(plain), type="application/json", **attributes)
