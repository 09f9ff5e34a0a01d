"""Ctrl-C at any moment of a command: one line and code 130, whatever a library made of it."""

import subprocess
import sys

import pytest

from tests.paths import ROOT

PROGRAM = """
import os, signal, sys
import moexbar.__main__, moexbar.cli

def app(args, prog_name):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        {what}

signal.signal(signal.SIGINT, signal.default_int_handler)
moexbar.cli.app = app
moexbar.__main__.run()
"""


@pytest.mark.parametrize(
    "what",
    [
        "raise",
        "raise ImportError('initialization failed')",  # what an extension's loading makes of it
        "from ir.errors import InputError; raise InputError('model', 'cannot be read')",
        "sys.exit(2)",
    ],
)
def test_whatever_comes_of_it_is_called_an_interruption(what: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(what=what)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert (done.returncode, done.stderr) == (130, "error: interrupted\n")


def test_a_signal_that_came_too_late_changes_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(what="print('done')")],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_an_error_without_it_stays_one() -> None:
    program = PROGRAM.format(what="pass").replace("os.kill(os.getpid(), signal.SIGINT)", "1 / 0")
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 1
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")
