"""Work counted instead of timed: the same on a fast, a slow and a busy machine."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def lines_at_most(limit: int) -> Iterator[None]:
    """AssertionError when the block executes more than `limit` lines of Python.

    A CPU runs some five million in a second.
    """
    count = 0

    def trace(_: FrameType, event: str, __: Any) -> Any:
        nonlocal count
        if event == "line":
            count += 1
            assert count <= limit, f"more than {limit} lines"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
