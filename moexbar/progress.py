"""What a long piece of work is at, told to whoever wants to know."""

from typing import Protocol


class Progress(Protocol):
    """Is told of each piece of work, and of its steps as they begin."""

    def begin(self, work: str, steps: int) -> None:
        """A piece of work of so many steps begins."""

    def step(self, name: str) -> None:
        """The next step of it begins."""

    def end(self) -> None:
        """It is done."""

    def note(self, text: str) -> None:
        """Something that was found and whoever asked should know."""


class Quiet:
    """Tells nobody."""

    def begin(self, work: str, steps: int) -> None:
        """Say nothing."""

    def step(self, name: str) -> None:
        """Say nothing."""

    def end(self) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""
