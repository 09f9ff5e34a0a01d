"""Help: what it says, that it fits a terminal, and that asking for it imports nothing heavy."""

import re
import shlex
import subprocess
import sys
from importlib import import_module
from inspect import cleandoc

import pytest
import typer
from typer.core import TyperArgument

from backends.functional.analog import DRIFT_NU, DRIFT_SPREAD
from moexbar.__main__ import main
from moexbar.cli.analog_options import NU, SPREAD
from moexbar.cli.commands import COMMANDS, Command
from moexbar.cli.lazy import load
from moexbar.examples.catalogue import EXAMPLES
from moexbar.examples.names import LARGE

NAMES = [command.name for command in COMMANDS]
HEAVY = {"onnx", "onnx_ir", "onnxruntime", "ortools", "numba", "pyarrow", "networkx", "pandas"}


def help_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int, *words: str
) -> str:
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", width)
    assert main([*words, "--help"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_list_says_what_the_command_itself_says(command: Command) -> None:
    module = import_module(f"moexbar.cli.{command.module}")
    doc = cleandoc(getattr(module, command.function).__doc__)
    assert doc.split("\n\n")[0] == command.does


@pytest.mark.parametrize("width", [80, 100])
def test_all_commands_are_listed_in_panels(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = help_of(monkeypatch, capsys, width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    words = [line.strip("│ ").split(" ")[0] for line in lines if line.startswith("│ ")]
    assert [word for word in words if word in NAMES] == NAMES
    for panel in {command.panel for command in COMMANDS}:
        assert f"╭─ {panel} ─" in text
    assert "Exit codes: 0 done" in text


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("name", NAMES)
def test_a_help_fits_and_reads_well(
    name: str, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = help_of(monkeypatch, capsys, width, name)
    assert max(map(len, text.splitlines())) <= width
    for cut_or_technical in ("…", "<int", "<float", "<str", "<path", "<bool", "{", "RANGE"):
        assert cut_or_technical not in text
    assert f" Example: moexbar {name} " in text
    usage = text.strip().splitlines()[0]
    assert usage.startswith(f"Usage: moexbar {name} [OPTIONS]")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_examples_are_understood(command: Command) -> None:
    """Each is of its command, with arguments, options and values that there are; none is run."""
    module = import_module(f"moexbar.cli.{command.module}")
    doc = cleandoc(getattr(module, command.function).__doc__)
    examples = re.findall(r"Example: moexbar (.*)", doc)
    assert examples
    for example in examples:
        name, *words = shlex.split(example.partition(" > ")[0])
        assert name == command.name
        load(command).make_context(name, words)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_an_argument_is_shown_by_its_name_alone(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Typer has no setting that leaves the type out, so help answers its `display_type_rich`."""
    renamed = "typer asks for the type of an argument by another name: see moexbar/cli/lazy.py"
    assert callable(getattr(TyperArgument, "display_type_rich", None)), renamed
    text = help_of(monkeypatch, capsys, 100, command.name)
    flat = " ".join(text.replace("│", " ").split())
    called = load(command)
    for param in called.get_params(typer.Context(called)):
        if param.param_type_name == "argument":
            first = param.help.split()[0]
            assert f" {param.metavar} {first}" in flat, renamed


def test_options_stand_in_panels_with_readable_values(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = help_of(monkeypatch, capsys, 100, "group")
    panels = [line.split("─ ")[1].split(" ─")[0] for line in text.splitlines() if "╭─" in line]
    assert panels == ["Arguments", "Chip", "Routing", "Window", "Methods", "Output"]
    flat = " ".join(text.replace("│", " ").split())
    assert "--fit LOW:HIGH Sequences to fit to, as fractions of the trace. [default: 0:0.5]" in flat
    assert "--window INT [x>=1] Tokens in flight together. [default: 512]" in flat
    assert "--set FIELD=VALUE Change one field of the chip" in flat
    assert "[default: 5]" in flat  # seconds, as one writes them


RUN = (
    "import sys\n"
    "from moexbar.__main__ import main\n"
    "code = main(sys.argv[1:])\n"
    "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    "sys.exit(code)\n"
)


def imported(*words: str) -> set[str]:
    """Top-level modules that a fresh process has imported at its end."""
    done = subprocess.run([sys.executable, "-c", RUN, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def test_the_version_and_the_list_of_commands_import_no_command() -> None:
    assert not imported("--version") & (HEAVY | {"numpy", "rich", "compiler", "backends"})
    assert not imported("--help") & (HEAVY | {"numpy", "compiler", "backends"})


@pytest.mark.parametrize("name", NAMES)
def test_the_help_of_a_command_imports_its_signature_alone(name: str) -> None:
    assert not imported(name, "--help") & HEAVY


def test_import_moexbar_imports_no_solver_and_no_model_reader() -> None:
    words = [sys.executable, "-c", "import moexbar, sys; print(*sys.modules)"]
    found = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert not set(found) & HEAVY


def test_numbers_that_are_written_twice_agree() -> None:
    """Light modules repeat what heavy ones define, so that help need not import these."""
    assert (float(NU), float(SPREAD)) == (DRIFT_NU, DRIFT_SPREAD)
    assert tuple(EXAMPLES) == LARGE


def test_a_mistyped_command_is_code_2_and_names_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["grop"]) == 2
    assert "Did you mean 'group'?" in capsys.readouterr().err
