"""`moexbar schedule --bus --buffer`: the limits reach the policy, and who refuses them says so."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moexbar.__main__ import main

GROUPS = {"layers": [{"layer": 0, "groups": [[0, 1], [2, 3]]}]}


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """Eight tokens that all use experts 0 and 2, one of each group."""
    choices = np.tile(np.array([0, 2], dtype=np.int16), (1, 8, 1))
    np.savez(
        tmp_path / "trace.npz",
        layer=np.array([0]),
        num_experts=np.array([4]),
        choices=choices,
        sequence=np.zeros(8, dtype=np.int64),
    )
    (tmp_path / "groups.json").write_text(json.dumps(GROUPS))
    found = [str(tmp_path / "trace.npz"), "--grouping-file", str(tmp_path / "groups.json")]
    return ["schedule", *found, "--window", "8", "--json"]


def run(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(list(words)) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize("policy", ["token-serial", "min-transfer", "cp-sat", "online"])
def test_limits_are_kept_and_named(
    words: list[str], capsys: pytest.CaptureFixture[str], policy: str
) -> None:
    # A token needs one slot and one transfer, so a bus of one still takes eight slots.
    found = run(capsys, *words, "--policy", policy, "--bus", "1", "--buffer", "2")
    assert (found["bus"], found["buffer"]) == (1, 2)
    assert [(w["slots"], w["transfers"]) for w in found["windows"]] == [(8, 8)]
    assert run(capsys, *words)["bus"] is None


@pytest.mark.parametrize("option", ["--bus", "--buffer"])
def test_a_policy_that_cannot_keep_them_is_code_2(
    words: list[str], capsys: pytest.CaptureFixture[str], option: str
) -> None:
    assert main([*words, "--policy", "compact", option, "1"]) == 2
    assert "compact keeps no limit" in capsys.readouterr().err
    assert main([*words, option, "0"]) == 2
