"""Shared by all tests: golden texts (rewritten by `pytest --update-golden`), one child process."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ir.onnxdoor.session import Runtime

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden texts")


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Tests send themselves and their children Ctrl-C.

    A shell starts background jobs with SIGINT ignored, and children inherit that; a handler of our
    own is reset to the default in them.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with tests/golden/NAME, or rewrite it."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), f"{name}: rewrite with --update-golden"

    return compare


@pytest.fixture(scope="session")
def runtime() -> Iterator[Runtime]:
    """ONNX Runtime in one child process for all tests of a worker."""
    with Runtime() as child:
        yield child
