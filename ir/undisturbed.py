"""Ctrl-C and SIGTERM where they do no harm: not within a block, an import, or numba.

An exception in the middle of an import crashes extension modules, and so it does where numba
compiles or loads machine code; in a callback of a library it is printed and forgotten. So it is
raised when the import or the loading is done, and once more where it is lost.
"""

import contextlib
import signal
import sys
import threading
from collections.abc import Generator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_PUT_OFF = (*SIGNALS, signal.SIGALRM)  # the last raises one again that came where it did harm
_AGAIN_S = 0.05
_IMPORTS = "<frozen importlib._bootstrap>"  # the file of the frames of every import
# have frames while they compile and load, not while code runs; all of them: its C calls back into
# what only looks at types, and does not look whether that came back
_FRAGILE = ("numba", "llvmlite")


@contextlib.contextmanager
def undisturbed() -> Generator[None]:
    """Put signals off until the block ends; for short blocks only."""
    if threading.current_thread() is not threading.main_thread():  # which alone gets them
        yield
        return
    came: list[int] = []

    def later(number: int, frame: FrameType | None) -> None:
        came.append(number)

    before = {number: signal.getsignal(number) for number in _PUT_OFF}
    try:  # from here on all are put back, also where one comes before all are put off
        for number in _PUT_OFF:
            signal.signal(number, later)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
        for missed in came:
            signal.raise_signal(missed)


class Once:
    """A handler that raises KeyboardInterrupt for the first signal; those after it change nothing.

    number: of the first signal, 0: none came.
    """

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Note the signal, and raise as soon as that does no harm."""
        if number != signal.SIGALRM:
            if self.number:
                return
            self.number = number
        if not self.heard():
            return
        if _harmed(frame):
            _again()
            return
        raise KeyboardInterrupt

    def heard(self) -> bool:
        """Whether there is anything to interrupt."""
        return True

    def listen(self, *numbers: int) -> None:
        """Handle these signals from now on."""
        signal.signal(signal.SIGALRM, self)
        sys.unraisablehook = _unraisable
        for number in numbers:
            signal.signal(number, self)


def _harmed(frame: FrameType | None) -> bool:
    """Whether an exception here would leave something half made, which crashes later."""
    while frame is not None:
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        if frame.f_code.co_filename == _IMPORTS or package in _FRAGILE:
            return True
        frame = frame.f_back
    return False


def _again() -> None:
    signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)


def _unraisable(what: "sys.UnraisableHookArgs") -> None:
    """Raise KeyboardInterrupt once more where a library's callback lost it."""
    if what.exc_type is KeyboardInterrupt:
        _again()
    else:
        sys.__unraisablehook__(what)
