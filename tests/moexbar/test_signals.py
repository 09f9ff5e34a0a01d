"""Ctrl-C and SIGTERM: some of the moments that `python -m benchmarks.interrupts` draws.

Of each command a run is signalled while it imports, and one when it works; 10 s in all.
"""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.runs import Ended, Run, strays
from tests.paths import ROOT, TINY

MOST_S = 5.0
SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three layers of 32 experts, each of which CP-SAT searches for long."""
    random = np.random.default_rng(0)
    heat = np.repeat(random.gumbel(size=(3, 20, 32)), 64, axis=1)
    choices = np.argsort(random.gumbel(size=(3, 1280, 32)) + 2 * heat, axis=2)[:, :, -4:]
    path = tmp_path_factory.mktemp("trace") / "routing.npz"
    sequence = np.repeat(np.arange(20), 64)
    np.savez(path, choices=choices.astype(np.int16), num_experts=32, sequence=sequence)
    return path


def signalled(words: list[str], folder: Path, number: int, until: str) -> Ended:
    """A run that gets a signal when it has such a process, or at once."""
    run = Run(words, folder)
    assert run.handled()
    while until and not any(until in command for command in run.family()):
        time.sleep(0.02)
    run.send(number)
    ended = run.end()
    assert ended.wrong() == []
    assert ended.code == 128 + number, ended.err
    assert ended.seconds < MOST_S
    assert strays(folder) == []
    return ended


@pytest.mark.parametrize("number", SIGNALS)
def test_during_the_first_imports(number: int, tmp_path: Path, trace: Path) -> None:
    """Which end first, so that something may be found and printed then."""
    ended = signalled(["group", str(trace)], tmp_path, number, "")
    word = "interrupted" if number == signal.SIGINT else "terminated"
    assert ended.err.splitlines()[-1] == f"error: {word}"


def test_group_prints_groups_of_every_layer(tmp_path: Path, trace: Path) -> None:
    words = ["group", str(trace), "--window", "128", "--time", "100", "--json"]
    ended = signalled([*words, "--processes", "2"], tmp_path, signal.SIGTERM, "spawn_main")
    rows = json.loads(ended.out)["layers"]
    assert [row["layer"] for row in rows] == [0, 1, 2]
    assert all(sorted(e for g in row["groups"] for e in g) == list(range(32)) for row in rows)
    assert "the best so far" in ended.err


def test_compile_leaves_the_earlier_output(tmp_path: Path) -> None:
    """In the middle of a run of ONNX Runtime, whose process goes too."""
    (tmp_path / "out").mkdir()
    given = [str(TINY / "model.onnx"), "--inputs", str(TINY / "inputs.npz"), "-o", "out"]
    signalled(["compile", *given], tmp_path, signal.SIGTERM, "onnxdoor.processes.worker")
    assert list((tmp_path / "out").iterdir()) == []


LOST = """
import signal, time
from ir.undisturbed import Once

class Callback:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)  # raised here it is printed and forgotten

once = Once()
once.listen(signal.SIGTERM)
try:
    callback = Callback()
    del callback
    time.sleep(20)
except KeyboardInterrupt:
    print("raised", once.number)
"""


def test_an_interruption_that_a_callback_loses_is_raised_once_more() -> None:
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", LOST], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (done.stdout, done.stderr) == ("raised 15\n", "")
    assert time.monotonic() - begun < 10


IMPORTING = """
import signal
from ir.undisturbed import Once

once = Once()
once.listen(signal.SIGINT)
try:
    import slow
    while True: pass
except KeyboardInterrupt:
    print(slow.whole)
"""


def test_an_import_is_not_interrupted(tmp_path: Path) -> None:
    """Extension modules crash on an exception while they are imported."""
    slow = (
        "import signal, time\nsignal.raise_signal(signal.SIGINT)\ntime.sleep(0.2)\nwhole = 'all'\n"
    )
    (tmp_path / "slow.py").write_text(slow)
    words = [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{IMPORTING}",
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("all\n", "")


COMPILING = """
import signal, time
from ir.undisturbed import Once

once = Once()
once.listen(signal.SIGINT)
there = {"__name__": "numba.core.typing.typeof"}
exec('''
import signal, time
def loaded():
    signal.raise_signal(signal.SIGINT)
    time.sleep(0.2)
    return "all"
''', there)
try:
    whole = there["loaded"]()
    while True: pass
except KeyboardInterrupt:
    print(whole)
"""


def test_compiled_loops_are_not_interrupted_while_they_are_loaded() -> None:
    """Half-loaded machine code crashed or complained later, in 8 of 756 runs of `group`."""
    words = [sys.executable, "-c", COMPILING]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("all\n", "")


PUT_OFF = """
import signal, time
from ir.undisturbed import Once, undisturbed

once = Once()
once.listen(signal.SIGINT)
there = {"__name__": "numba"}
exec("import signal\\ndef loaded(): signal.raise_signal(signal.SIGINT)", there)
try:
    there["loaded"]()
    with undisturbed():
        time.sleep(0.2)
        print("whole")
    print("never")
except KeyboardInterrupt:
    print("raised")
"""


def test_one_that_is_raised_again_is_put_off_too() -> None:
    """In a block that is not to be disturbed, such as one that begins a process."""
    words = [sys.executable, "-c", PUT_OFF]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("whole\nraised\n", "")


STUCK = """
import time, moexbar.cli, moexbar.__main__

def app(args, prog_name):
    while True:
        try:
            time.sleep(60)
        except BaseException:  # as some libraries do
            continue

moexbar.cli.app = app
moexbar.__main__.run()
"""


def test_what_swallows_it_is_cut_off(tmp_path: Path) -> None:
    begun = subprocess.Popen(
        [sys.executable, "-c", STUCK], stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    time.sleep(1.5)
    sent = time.monotonic()
    begun.terminate()
    assert begun.communicate(timeout=30)[1] == "error: terminated\n"
    assert begun.returncode == 143
    assert time.monotonic() - sent < MOST_S


def test_a_command_may_be_profiled() -> None:
    """Whose table is written at Python's own end, which commands leave out otherwise."""
    words = [sys.executable, "-m", "cProfile", "-m", "moexbar", "--version"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    assert "function calls" in done.stdout
    assert done.returncode == 0
