"""ONNX Runtime's process dies: made good once; then an error, never fewer MoE layers."""

import json
import signal
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiler.frontend import read_model
from ir.errors import RuntimeLostError
from ir.onnxdoor.processes import child, serving
from ir.onnxdoor.processes.session import Runtime
from moexbar.__main__ import main
from tests.compiler.frontend import models as m

MOMENTS = 15
Before = Callable[[Runtime], None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two MoE layers, and tokens for it."""
    made = tmp_path_factory.mktemp("model")
    m.write(made, [m.dense_masked(), m.per_expert_gather])
    np.savez(made / "inputs.npz", **m.token_ids())
    return made


def words(command: str, folder: Path, out: Path) -> list[str]:
    if command == "model":
        return ["model", str(folder / "model.onnx"), "--json"]
    files = ["--inputs", str(folder / "inputs.npz"), "-o", str(out)]
    asked = "--prefill 8 --chip tiny --set pg.mux=2 --no-baselines --json".split()
    return ["compile", str(folder / "model.onnx"), *files, *asked]


def at_requests(
    monkeypatch: pytest.MonkeyPatch, numbers: Sequence[int], before: Before
) -> list[int]:
    """Call `before` at these requests, counted from 1, to any child process; the list counts."""
    ask, count = Runtime.ask, [0]

    def asked(self: Runtime, *request: Any) -> Any:
        count[0] += 1
        if count[0] in numbers:
            before(self)
        return ask(self, *request)

    monkeypatch.setattr(Runtime, "ask", asked)
    return count


def kill(runtime: Runtime) -> None:
    runtime._process.kill()
    runtime._process.wait()


def kill_at_work(monkeypatch: pytest.MonkeyPatch, runtime: Runtime) -> None:
    """Killed when the request has reached it, before it has answered or just after."""
    send = serving.send

    def sent(*message: Any) -> None:
        send(*message)
        monkeypatch.setattr(child, "send", send)
        runtime._process.kill()

    monkeypatch.setattr(child, "send", sent)


def found(command: str, printed: str) -> object:
    """What must be the same: all that `model` says; model, slots, cost, execution of `compile`."""
    answer = json.loads(printed)
    if command == "model":
        return answer
    (row,) = answer["methods"]
    return answer["model"], row["slots"], row["time_ns"], row["energy_nj"], answer["executed"]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["model", "compile"])
def test_killed_at_many_moments(
    command: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every other time before a request, else during one; another process does its work."""
    with pytest.MonkeyPatch.context() as patch:
        count = at_requests(patch, (), kill)
        assert main(words(command, folder, tmp_path / "out")) == 0
    whole = capsys.readouterr().out
    for at, moment in enumerate(np.linspace(1, count[0], MOMENTS).astype(int).tolist()):
        with pytest.MonkeyPatch.context() as patch:
            at_requests(patch, [moment], partial(kill_at_work, patch) if at % 2 else kill)
            assert main(words(command, folder, tmp_path / f"out{at}")) == 0
        assert found(command, capsys.readouterr().out) == found(command, whole), moment


@pytest.mark.slow
@pytest.mark.parametrize("command", ["model", "compile"])
def test_killed_again(
    command: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A process begun in place of another one dies of the same request."""
    real, begun = child._child, [0]

    def short_lived(given: tuple[str, ...]) -> subprocess.Popen[bytes]:
        """From the third on they are killed at once."""
        made = real(given)
        begun[0] += 1
        if begun[0] > 2:
            made.kill()
        return made

    for moment in (2, 5, 8):
        begun[0] = 0
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(child, "_child", short_lived)
            at_requests(patch, [moment, moment + 1], kill)
            assert main(words(command, folder, tmp_path / "out")) == 6
        shown = capsys.readouterr()
        assert shown.out == ""
        assert "ONNX Runtime's process died (exit -9); try again" in shown.err
        assert not (tmp_path / "out").exists()


def test_a_child_that_stops_answering(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reason is what came first, not that the child is dead when its model is to be dropped."""

    def stop(runtime: Runtime) -> None:
        runtime._process.send_signal(signal.SIGSTOP)
        runtime._seconds = 0.3

    at_requests(monkeypatch, [3], stop)
    assert main(words("model", folder, folder)) == 6
    assert "ONNX Runtime took over 0.3 s; try again" in capsys.readouterr().err


def test_a_child_without_the_memory_it_needs(folder: Path) -> None:
    """150 MiB hold Python, and not ONNX Runtime too."""
    with Runtime(memory_bytes=150 << 20) as runtime, pytest.raises(RuntimeLostError):
        read_model(folder / "model.onnx", runtime=runtime)


def test_a_machine_without_room_for_a_child(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_room(*_: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(child, "_child", no_room)
    assert main(words("model", folder, folder)) == 6
    assert "process cannot be started: [Errno 12] Cannot allocate memory" in capsys.readouterr().err
