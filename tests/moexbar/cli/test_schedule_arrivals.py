"""`moexbar schedule --arrivals`: tokens that come one after another, from words to bounds."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import moexbar as mx
from ir.errors import InputError
from moexbar.__main__ import main

GROUPS = {"layers": [{"layer": 0, "groups": [[0, 1], [2, 3]]}]}


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """Sixteen tokens, two windows of eight; all use experts 0 and 2, one of each group."""
    np.savez(
        tmp_path / "trace.npz",
        layer=np.array([0]),
        num_experts=np.array([4]),
        choices=np.tile(np.array([0, 2], dtype=np.int16), (1, 16, 1)),
        sequence=np.zeros(16, dtype=np.int64),
    )
    (tmp_path / "groups.json").write_text(json.dumps(GROUPS))
    found = [str(tmp_path / "trace.npz"), "--grouping-file", str(tmp_path / "groups.json")]
    return ["schedule", *found, "--window", "8"]


def run(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main([*words, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_one_token_a_slot(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    # Each runs on both groups when it comes: slots 0 to 7, and nothing waits.
    found = run(capsys, *words, "--arrivals", "one-per-slot")
    assert found["arrivals"] == list(range(8))
    for window in found["windows"]:
        assert (window["slots"], window["slots_bound"], window["transfers"]) == (8, 8, 8)
        assert window["status"] == "optimal (bound)"
        assert window["delay"] == {"mean": 0.0, "most": 0, "in_order": 0.0}


def test_four_tokens_a_slot_wait_for_each_other(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    # They come in slots 0 0 0 0 1 1 1 1 and run one a slot: delays 0 1 2 3 3 4 5 6, 24 / 8 = 3.
    found = run(capsys, *words, "--arrivals", "4-per-slot", "--policy", "token-serial")
    assert found["arrivals"] == [0, 0, 0, 0, 1, 1, 1, 1]
    assert found["windows"][0]["slots"] == 8
    assert found["windows"][0]["delay"] == {"mean": 3.0, "most": 6, "in_order": 3.0}


def test_a_file_says_when_each_comes(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The last comes in slot 9: ten slots, where eight would do.
    path = tmp_path / "slots.txt"
    path.write_text("0 0 1, 1 2 # a note, 3\n2 3\n9\n")
    found = run(capsys, *words, "--arrivals", str(path))
    assert found["arrivals"] == [0, 0, 1, 1, 2, 2, 3, 9]
    assert (found["windows"][0]["slots"], found["windows"][0]["slots_bound"]) == (10, 10)


def test_the_words_say_what_is_proven(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--arrivals", "2-per-slot"]) == 0
    told = capsys.readouterr().out
    assert "2 of 2 windows proven optimal for these arrivals; seed 0" in told
    assert "in order" in told
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "2 of 2 windows proven optimal; seed 0" in told
    assert "in order" not in told
    plain = run(capsys, *words)
    assert "arrivals" not in plain
    assert "delay" not in plain["windows"][0]


def test_python_takes_a_number_slots_or_a_file(words: list[str], tmp_path: Path) -> None:
    trace, groups = words[1], words[3]
    (tmp_path / "slots.txt").write_text("0 0 1 1 2 2 3 3")
    asked: list[Any] = [2, [0, 0, 1, 1, 2, 2, 3, 3], np.arange(8) // 2, tmp_path / "slots.txt"]
    for arrivals in asked:
        orders = mx.schedule(trace, groups, 0, window=8, arrivals=arrivals)
        assert repr(orders[0]) == (
            "<SlotOrder min-transfer: 8 slots (at least 8), 8 transfers (at least 8), "
            "optimal (bound) for these arrivals>"
        )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("0-per-slot", "'0-per-slot', expected one-per-slot, 2-per-slot or a file"),
        ("two-per-slot", "'two-per-slot', expected one-per-slot"),
        ("absent.txt", "absent.txt"),
        ("few.txt", "3 slots, expected 8: one a token of a window"),
        ("words.txt", "line 2: '-1', expected a slot: a number from 0 up"),
    ],
)
def test_what_cannot_be_read_is_code_2(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("few.txt").write_text("0 1 2")
    Path("words.txt").write_text("0\n-1")
    assert main([*words, "--arrivals", given]) == 2
    assert message in capsys.readouterr().err


def test_reschedule_refuses(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--arrivals", "one-per-slot", "--policy", "reschedule"]) == 2
    assert "reschedule counts on tokens that are all there" in capsys.readouterr().err


def test_python_refuses_what_is_no_arrival(words: list[str]) -> None:
    for arrivals, message in ((0, "arrivals: 0, expected at least 1"), ([0.5], "arrivals: 0.5")):
        with pytest.raises(InputError, match=message):
            mx.schedule(words[1], words[3], 0, window=8, arrivals=arrivals)  # type: ignore[arg-type]
