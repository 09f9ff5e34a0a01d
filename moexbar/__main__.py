"""`moexbar` on the command line: runs the application and turns errors into one line and a code."""

import signal
import sys
from collections.abc import Sequence
from types import FrameType

from ir.errors import MoexbarError
from moexbar.cli import app

INTERRUPTED = 130
TERMINATED = 143


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (see `moexbar --help`)."""
    try:
        app(args=None if argv is None else list(argv), prog_name="moexbar")
    except SystemExit as done:  # usage errors (2), --help (0), interruption (130)
        if done.code == INTERRUPTED:
            _fail("interrupted")
        return done.code if isinstance(done.code, int) else 0
    except MoexbarError as error:
        _fail(str(error))
        return error.exit_code
    except MemoryError:
        _fail("out of memory; use a smaller --prefill or a smaller model")
        return MoexbarError.exit_code
    return 0


def _fail(message: str) -> None:
    from moexbar.console import fail  # rich takes longer to import than the version to print

    fail(message)


def _terminate(number: int, frame: FrameType | None) -> None:
    sys.exit(TERMINATED)


def run() -> None:
    """Entry point of the installed command."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(main())


if __name__ == "__main__":
    run()
