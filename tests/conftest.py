"""Shared by all tests: golden texts (rewritten by `pytest --update-golden`), one child process."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from compiler.frontend import account, read
from compiler.frontend.facts import Facts
from ir.account import WeightAccount
from ir.onnxdoor.load import Source
from ir.onnxdoor.processes.session import Runtime
from ir.workload import Workload
from tests.children import used_again
from tests.compiler.frontend.left_digital import stored_elements
from tests.paths import MODELS

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


@pytest.fixture(scope="session", autouse=True)
def _children_are_used_again() -> Iterator[None]:
    """A process of ONNX Runtime that a test is done with serves the next one."""
    with used_again():
        yield


@pytest.fixture(scope="session", autouse=True)
def _every_account_adds_up() -> Iterator[None]:
    """In every model that a test reads, each stored element is in one category of its account."""

    def checked(facts: Facts, *rest: Any) -> WeightAccount:
        found, path = account.account_of(facts, *rest), facts.graph.source.path
        assert found.elements == stored_elements(path), path
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(read, "account_of", checked)
        yield


@pytest.fixture(scope="session", autouse=True)
def _the_shipped_models_are_read_once() -> Iterator[None]:
    """Dozens of tests of commands begin with one of them; reading has tests of its own."""
    held: dict[tuple[Any, ...], Workload] = {}
    real = read.read_model

    def once(source: Source, **words: Any) -> Workload:
        if source.path.parent.resolve() != MODELS:
            return real(source, **words)
        key = (source.path, source.sha256, words["tokens"], words["batch"], words["decodes"])
        if key not in held:
            held[key] = real(source, **words)
        return held[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("moexbar.model.read_model", once)
        yield


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with tests/golden/NAME, or rewrite it."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), f"{name}: rewrite with --update-golden"

    return compare


@pytest.fixture(scope="module")
def runtime(_children_are_used_again: None) -> Iterator[Runtime]:
    """ONNX Runtime in one child process for all tests of a file; then it drops their models."""
    with Runtime() as child:
        yield child
