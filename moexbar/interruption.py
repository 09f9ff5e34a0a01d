"""Ctrl-C and SIGTERM on the command line: the first one ends the command, within seconds.

It raises KeyboardInterrupt, so that what is finished is printed or kept on the way out. Whatever
then holds the process up, a library's search or an exception that it swallowed, is cut off.
"""

import os
import signal
import sys
import threading
import time
from typing import NoReturn

from ir.undisturbed import SIGNALS, Once

MOST_S = 4.3  # from the signal to the end
WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


class Interruption(Once):
    """The handler of both signals."""

    @property
    def code(self) -> int:
        """The exit code: 130, 143, or 0 where no signal came."""
        return 128 + self.number if self.number else 0

    def begin(self) -> None:
        """Handle both from now on; Ctrl-C only where it is not ignored, as of `nohup`."""
        read, write = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        threading.Thread(target=_cut_off, args=(read,), daemon=True).start()
        usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        self.listen(signal.SIGTERM, *[signal.SIGINT] * usual)

    def leave(self, code: int) -> NoReturn:
        """End the process and its threads, wherever they are; a signal changes nothing any more.

        Python's own end waits for some threads and breaks off others within C++, which aborts. It
        also takes apart all modules, 0.4 s of a command of 1.5 s (`pandas`, `numba`, OR-Tools).
        """
        import atexit

        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        if sys.getprofile() is not None and not self.number:
            sys.exit(code)  # a profiler writes its table then
        _end_children()
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                continue
        os._exit(code)


def _cut_off(read: int) -> None:
    """Wait for a signal, in a thread, and end the process some time after it."""
    while (number := os.read(read, 1)[0]) not in SIGNALS:
        continue
    time.sleep(MOST_S)
    _end_children()
    os.write(2, f"error: {WORDS[signal.Signals(number)]}\n".encode())
    os._exit(128 + number)


def _end_children() -> None:
    """End the processes of pools; those of ONNX Runtime end when we do."""
    processes = sys.modules.get("multiprocessing")
    for child in [] if processes is None else processes.active_children():
        child.kill()
