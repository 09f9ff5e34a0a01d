"""`moexbar` on the command line: runs the application and turns errors into one line and a code.

What takes time to import is imported when `run` holds Ctrl-C.
"""

import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType

INTERRUPTED = 130
TERMINATED = 143


class Interruption:
    """A handler of Ctrl-C that remembers it: a library may turn the exception into its own."""

    def __init__(self) -> None:
        self.came = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Note the signal and raise KeyboardInterrupt."""
        self.came = True
        raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None, interrupted: Callable[[], bool] = lambda: False) -> int:
    """Run one command; returns the exit code (see `moexbar --help`).

    interrupted: whether Ctrl-C came; what fails after it is called an interruption.
    """
    try:
        code, message = _outcome(argv)
    except KeyboardInterrupt:
        code, message = INTERRUPTED, ""
    except Exception:
        if not interrupted():
            raise
        code, message = INTERRUPTED, ""
    if code and code != TERMINATED and interrupted():
        code = INTERRUPTED
    if code == INTERRUPTED:
        message = "interrupted"
    if message:
        _fail(message)
    return code


def _outcome(argv: Sequence[str] | None) -> tuple[int, str]:
    """The exit code, and what to say of an error."""
    from ir.errors import ArgumentError, MoexbarError
    from moexbar.cli import app

    try:
        app(args=None if argv is None else list(argv), prog_name="moexbar")
    except SystemExit as done:  # usage errors (2), --help (0), interruption (130)
        return done.code if isinstance(done.code, int) else 0, ""
    except ArgumentError as error:
        return error.exit_code, str(error.typed)
    except MoexbarError as error:
        return error.exit_code, str(error)
    except MemoryError:
        hint = "use a smaller --prefill or a smaller model"
        return MoexbarError.exit_code, f"out of memory; {hint}"
    return 0, ""


def _fail(message: str) -> None:
    from moexbar.console import fail  # rich takes longer to import than the version to print

    fail(message)


def _terminate(number: int, frame: FrameType | None) -> None:
    sys.exit(TERMINATED)


def run() -> None:
    """Entry point of the installed command."""
    interruption = Interruption()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored
        signal.signal(signal.SIGINT, interruption)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = main(interrupted=lambda: interruption.came)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done: what follows takes no time
    except KeyboardInterrupt:  # while an error was being said
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        code = INTERRUPTED
        _fail("interrupted")
    sys.exit(code)


if __name__ == "__main__":
    run()
