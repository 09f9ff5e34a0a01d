"""What can go wrong, as exceptions that say where, what was found and what to do.

Every message has one form: ``WHERE: FIELD: found, expected; hint``. The command line prints it on
one line as ``error: ...`` and exits with the class's code; no traceback for a user's mistake.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar


class MoexbarError(Exception):
    """Base of every error this project raises on purpose."""

    exit_code: ClassVar[int] = 2


class LocatedError(MoexbarError):
    """An error that says where it was met, what was found and what to do."""

    def __init__(self, where: str, problem: str, hint: str = "") -> None:
        self.where = where
        self.problem = problem
        self.hint = hint
        super().__init__(f"{where}: {problem}" + (f"; {hint}" if hint else ""))

    def __reduce__(self) -> tuple[type["LocatedError"], tuple[str, ...]]:
        """Rebuild it in another process: a worker's error is the user's too."""
        return type(self), (self.where, self.problem, self.hint)


class InputError(LocatedError):
    """A file, option or request that cannot be used as it is."""


@contextmanager
def said_of(file: str) -> Generator[None]:
    """Name a file in each InputError of the block: one of a value knows only its field."""
    try:
        yield
    except InputError as error:
        if error.where == file or error.where.startswith(f"{file}:"):
            raise
        raise type(error)(f"{file}: {error.where}", error.problem, error.hint) from error


class ArgumentError(InputError):
    """Arguments that cannot be used, by their names in Python.

    typed: the same in the words of the command line.
    """

    def __init__(self, where: str, problem: str, hint: str, typed: InputError) -> None:
        self.typed = typed
        super().__init__(where, problem, hint)

    def __reduce__(self) -> tuple[type["ArgumentError"], tuple[str | InputError, ...]]:  # type: ignore[override]
        """Rebuild it in another process."""
        return type(self), (self.where, self.problem, self.hint, self.typed)


class RefusedError(InputError):
    """ONNX Runtime works, and does not take what it was given.

    lacking: it has no such operator or kernel, as other builds of it may.
    """

    lacking = False


class LoadRefusedError(RefusedError):
    """It does not take the model."""


class RunRefusedError(RefusedError):
    """It took the model, and fails on these inputs."""


class OtherRoutingError(InputError):
    """A routing trace sends tokens elsewhere than the model's routers do for the inputs given."""


class FolderBusyError(MoexbarError):
    """Another run holds the output folder."""

    exit_code = 3


class CheckError(MoexbarError):
    """A mapping or program broke one of its invariants: a fault of ours, never of the input.

    `check` is the invariant's name, `culprit` the tile, instruction or unit that breaks it.
    """

    exit_code = 4

    def __init__(self, check: str, culprit: str, problem: str) -> None:
        self.check = check
        self.culprit = culprit
        self.problem = problem
        super().__init__(f"check {check}: {culprit}: {problem}")

    def __reduce__(self) -> tuple[type["CheckError"], tuple[str, ...]]:
        """Rebuild it in another process."""
        return type(self), (self.check, self.culprit, self.problem)


@dataclass(frozen=True)
class Amount:
    """So much of something, and the words for it in a message."""

    value: int
    words: str


class InfeasibleError(MoexbarError):
    """The request does not fit: names the short resource, what is needed and what there is.

    `demand` and `supply` count `unit`, and the demand is the greater.
    """

    exit_code = 5

    def __init__(self, resource: str, demand: Amount, supply: Amount, unit: str, hint: str) -> None:
        self.resource = resource
        self.demand = demand
        self.supply = supply
        self.unit = unit
        self.hint = hint
        super().__init__(f"{self.shortage}; {hint}")

    @property
    def shortage(self) -> str:
        """What is needed and what there is, without what to do."""
        return f"{self.resource}: needs {self.demand.words}, has {self.supply.words}"

    def __reduce__(self) -> tuple[type["InfeasibleError"], tuple[str | Amount, ...]]:
        """Rebuild it in another process."""
        return type(self), (self.resource, self.demand, self.supply, self.unit, self.hint)


class RuntimeLostError(LocatedError):
    """ONNX Runtime could not answer: its process died or ran out of memory or time.

    This says nothing about the model, so nothing may be concluded from it.
    """

    exit_code = 6
