"""`moexbar` with a line on standard error for every answer that CP-SAT finds on the way.

    python -m tests.moexbar.cli.solving group R.npz ...

What is sent to the command after such a line comes in the middle of a solve, on a slow machine too.
The exact search of few experts, which would go before it for half of the time, is left out.
"""

import sys
from unittest import mock

from compiler import solver
from compiler.grouping import exact, parallel
from moexbar.__main__ import main

FOUND = "CP-SAT has an answer\n"


class Announced(solver._Progress):
    """Notes answers as ever, and says so."""

    def on_solution_callback(self) -> None:
        super().on_solution_callback()
        sys.stderr.write(FOUND)
        sys.stderr.flush()


def announce() -> None:
    mock.patch.object(solver, "_Progress", Announced).start()
    mock.patch.object(exact, "MOST_PLACES", 0).start()


def listen() -> None:
    """What a worker process runs first."""
    announce()
    parallel._listen()


if __name__ == "__main__":
    announce()
    mock.patch.object(parallel, "_listen", listen).start()
    sys.exit(main(sys.argv[1:]))
