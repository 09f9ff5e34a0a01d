"""One child process for all tests of the front end."""

from collections.abc import Iterator

import pytest

from ir.onnxdoor.session import Runtime


@pytest.fixture(scope="session")
def runtime() -> Iterator[Runtime]:
    with Runtime() as child:
        yield child
