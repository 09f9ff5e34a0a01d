"""A team of this process alone, which may be made to die, and small sweeps for it."""

from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from moexbar.exploration import task
from tests.paths import MODELS

SMALL: dict[str, Any] = {
    "model": str(MODELS / "token_choice.onnx"),
    "inputs": str(MODELS / "heldout.npz"),
    "prefill": 16,
    "chip": "hermes-mux2",
    "scheduling": "min-transfer",
    "chip.bus.transfers_per_slot": 8,
    "chip.bus.return_lanes": 2,
    "chip.pg.input_buffers": 2,
}
FIXED = "\n".join(f"{name!r} = {value!r}".replace("'", '"') for name, value in SMALL.items())


class Inline:
    """Carries calls out at once; `dies` says of each whether its process dies instead."""

    def __init__(self, size: int, dies: Callable[[Callable[..., Any], tuple[Any, ...]], bool]):
        self.size, self.together, self._dies = size, True, dies
        self.died = (BrokenProcessPool,)
        self.renewed = 0

    def submit(self, call: Callable[..., Any], *words: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            if self._dies(call, words):
                future.set_exception(BrokenProcessPool())
            else:
                future.set_result(call(*words))
        except Exception as error:
            future.set_exception(error)
        return future

    def renew(self) -> None:
        self.renewed += 1

    def stop(self) -> None:
        pass


def inline(
    patch: pytest.MonkeyPatch,
    dies: Callable[[Callable[..., Any], tuple[Any, ...]], bool] = lambda call, words: False,
) -> None:
    """Let `explore` work in this process."""
    patch.setattr(task, "Processes", lambda size: Inline(size, dies))


def sweep_file(folder: Path, text: str, fixed: str = FIXED) -> Path:
    """A sweep of the shipped model in a file."""
    path = folder / "sweep.toml"
    path.write_text(f"{fixed}\n{text}\n", encoding="utf-8")
    return path


def rows_of(done: "task.Explored") -> list[dict[str, Any]]:
    """The table of results, row by row."""
    return done.results.table.to_pylist()
