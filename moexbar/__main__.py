"""`moexbar` on the command line: runs the application and turns errors into one line and a code.

What takes time to import is imported when `run` holds Ctrl-C and SIGTERM.
"""

import gc
import sys
from collections.abc import Callable, Sequence

from moexbar.interruption import WORDS, Interruption

INTERRUPTED = 130
GARBAGE = 100_000, 100, 100  # a model is many objects that stay: looking at them took a fifth of it
TOLD = {128 + number: word for number, word in WORDS.items()}


def main(argv: Sequence[str] | None = None, interrupted: Callable[[], int] = lambda: 0) -> int:
    """Run one command; returns the exit code (see `moexbar --help`).

    interrupted: the exit code of a signal that came, or 0; what fails after it is called an
    interruption.
    """
    try:
        code, message = _outcome(argv)
    except KeyboardInterrupt:
        code, message = interrupted() or INTERRUPTED, ""
    except Exception:
        if not interrupted():
            raise
        code, message = interrupted(), ""
    if code:
        code = interrupted() or code
    message = TOLD.get(code, message)
    if message:
        _fail(message)
    return code


def _outcome(argv: Sequence[str] | None) -> tuple[int, str]:
    """The exit code, and what to say of an error."""
    from ir.errors import ArgumentError, InputError, MoexbarError
    from moexbar.cli import app

    try:
        app(args=None if argv is None else list(argv), prog_name="moexbar")
    except SystemExit as done:  # usage errors (2), --help (0), interruption (130)
        code = done.code if isinstance(done.code, int) else 0
        return _flushed(code)
    except ArgumentError as error:
        return error.exit_code, str(error.typed)
    except MoexbarError as error:
        return error.exit_code, str(error)
    except MemoryError:
        hint = "use a smaller --prefill or a smaller model"
        return MoexbarError.exit_code, f"out of memory; {hint}"
    except OSError as error:  # that no file is named for: of standard output, or a machine's limit
        if error.errno is None:
            raise
        where = str(error.filename or "standard output")
        return InputError.exit_code, str(InputError(where, str(error.strerror)))
    return _flushed(0)


def _flushed(code: int) -> tuple[int, str]:
    """The code, where all that was printed is written; else what is in the way."""
    from ir.errors import InputError

    try:
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read it has read enough
        _silence()
        return code or 1, ""
    except OSError as error:
        _silence()
        problem = f"cannot be written: {error.strerror}"
        return InputError.exit_code, str(InputError("standard output", problem))
    return code, ""


def _silence() -> None:
    """What was not written is not tried again at the end."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str) -> None:
    from moexbar.console import fail  # rich takes longer to import than the version to print

    fail(message)


def run() -> None:
    """Entry point of the installed command."""
    interruption = Interruption()
    interruption.begin()
    gc.set_threshold(*GARBAGE)
    code = 0
    try:
        code = main(interrupted=lambda: interruption.code)
    except KeyboardInterrupt:  # while an error was being said
        code = interruption.code
        _fail(TOLD[code])
    interruption.leave(code)


if __name__ == "__main__":
    run()
