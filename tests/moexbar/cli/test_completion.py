"""Shell completion by typer's protocol: the words so far go in by the environment."""

import os
import subprocess
import sys

import pytest

from moexbar.__main__ import main
from moexbar.chips import preset_names
from moexbar.cli.commands import COMMANDS


def completed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str
) -> list[str]:
    """What bash is offered for the last word of a line, which may be empty."""
    words = line.split(" ")
    monkeypatch.setenv("_MOEXBAR_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    assert main([]) == 0
    return capsys.readouterr().out.split()


def test_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert completed(monkeypatch, capsys, "moexbar ") == [command.name for command in COMMANDS]
    assert completed(monkeypatch, capsys, "moexbar comp") == ["compile", "compare"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("moexbar group --gro", ["--groups", "--group-size", "--grouping"]),
        ("moexbar group r.npz --chip hermes-mux", ["hermes-mux2", "hermes-mux4", "hermes-mux8"]),
        ("moexbar group r.npz --grouping c", ["contiguous", "co-activation", "cp-sat"]),
        ("moexbar schedule r.npz --policy m", ["min-transfer"]),
        (
            "moexbar compare r.npz --solvers lpt,c",
            ["lpt,contiguous", "lpt,co-activation", "lpt,cp-sat"],
        ),
        ("moexbar inspect out --opcode M", ["MVM", "MUL"]),
        ("moexbar inspect out --group-by ", ["unit", "token", "expert", "opcode"]),
        ("moexbar simulate out --mode r", ["replay", "run"]),
        ("moexbar chips ha", []),
        ("moexbar example tiny-", ["tiny-token-choice", "tiny-expert-choice"]),
    ],
)
def test_options_and_their_values(
    line: str,
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert completed(monkeypatch, capsys, line) == expected


def test_every_preset(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert completed(monkeypatch, capsys, "moexbar chips ") == list(preset_names())


def test_as_a_shell_asks() -> None:
    """A process of its own, as bash starts it on every press of the key: none of it is heavy."""
    run = (
        "import sys; from moexbar.__main__ import main; main(); "
        "print(*sys.modules, file=sys.stderr)"
    )
    asked = {
        "_MOEXBAR_COMPLETE": "complete_bash",
        "COMP_WORDS": "moexbar group r.npz --chip isa",
        "COMP_CWORD": "4",
    }
    done = subprocess.run(
        [sys.executable, "-c", run],
        env=os.environ | asked,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["isaac"]
    assert not {"ortools", "onnx", "numba", "pyarrow"} & set(done.stderr.split())


def test_the_script_for_a_shell_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_MOEXBAR_COMPLETE", "source_bash")
    assert main([]) == 0
    assert "_MOEXBAR_COMPLETE=complete_bash" in capsys.readouterr().out
