"""Markup as values: what is put in is text, unless it is markup already."""

import json
import re

import pytest

from moexbar.page.html import Html, data, join, tag, text
from tests.moexbar.page.hostile import NAMES


def test_elements_and_attributes() -> None:
    assert tag("p", "a < b & c") == "<p>a &lt; b &amp; c</p>"
    assert tag("p", tag("b", "x"), "y") == "<p><b>x</b>y</p>"
    assert tag("a", "x", href='"q"', class_="c", data_of="k") == (
        '<a href="&quot;q&quot;" class="c" data-of="k">x</a>'
    )
    assert tag("details", open=True, hidden=None) == "<details open></details>"
    assert tag("meta", charset="utf-8") == '<meta charset="utf-8">'
    assert join(["a", Html("<br>"), 3], ", ") == "a, <br>, 3"


def test_what_is_not_seen_is_spelt_out() -> None:
    assert text("a\x00b\u202ec\ufeff") == "a\\x00b\\u202ec\\ufeff"
    assert text("\ud800") == "\\ud800"
    assert text("two\nlines") == "two\nlines"


@pytest.mark.parametrize("kind", NAMES)
def test_data_is_data(kind: str) -> None:
    """No sign in it can end the block, and it is read back as it was."""
    name = NAMES[kind]
    block = data({name: [name, 1.5, float("nan")]}, class_="spec")
    inner = re.fullmatch(r'<script type="application/json" class="spec">(.*)</script>', block, re.S)
    assert inner is not None
    assert not set(inner[1]) & set("<>&\u2028\u2029")
    assert json.loads(inner[1]) == {name: [name, 1.5, None]}
