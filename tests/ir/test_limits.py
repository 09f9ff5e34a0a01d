"""The table of limits: read from words, named in messages."""

from dataclasses import fields

import pytest

from ir.errors import InputError
from ir.limits import SETTING, Limits, shown, told


def test_words() -> None:
    limits = Limits.of("tokens=5, value_bytes=7,")
    assert (limits.tokens, limits.value_bytes) == (5, 7)
    assert Limits.of("") == Limits()


@pytest.mark.parametrize(
    "word",
    ["tokens", "tokens=", "tokens=-1", "tokens=0", "tokens=1e3", "token=3", "=3", "tokens=²"],
)
def test_other_words(word: str) -> None:
    with pytest.raises(InputError, match=r"MOEXBAR_LIMITS: .*expected NAME=NUMBER, NAME one of fi"):
        Limits.of(word)


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, "depth=3")
    assert Limits.in_force() == Limits(depth=3)


def test_what_is_said() -> None:
    limits = Limits(depth=3)
    limits.check("depth", 3, "m.onnx", "graphs")
    with pytest.raises(InputError) as found:
        limits.check("depth", 1000, "m.onnx", "graphs")
    assert str(found.value) == (
        "m.onnx: graphs: 1,000 levels, limit depth = 3; if you trust the file, raise it: "
        "MOEXBAR_LIMITS=depth=1000"
    )
    with pytest.raises(InputError, match=r"over 10\^30 levels.*; no machine holds it"):
        limits.check("depth", 10**30, "m.onnx", "graphs")
    assert shown(10**23) == "100,000,000,000,000,000,000,000"


def test_a_limit_that_was_raised_is_met() -> None:
    """What a message advises is enough."""
    Limits.of("depth=1000").check("depth", 1000, "m.onnx", "graphs")


@pytest.mark.parametrize("name", [one.name for one in fields(Limits)])
def test_each_says_what_it_is(name: str) -> None:
    assert set(told(name)) == {"unit", "of", "why"}
    assert all(told(name).values())
