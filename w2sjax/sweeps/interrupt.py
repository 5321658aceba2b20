"""Ctrl-C that waits for the running chunk."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType


class SweepInterrupted(KeyboardInterrupt):
    """A sweep that stopped between two chunks because it was asked to; the same call goes on with it."""


@contextlib.contextmanager
def graceful_stop(*, show: bool) -> Iterator[threading.Event]:
    """Have the first SIGINT set the event that is yielded, and the second interrupt at once.

    It does nothing outside the main thread, where signals cannot be handled, and where a handler is not Python's own:
    it belongs to somebody who knows better.

    Args:
        show: tell on stderr what the first SIGINT does.
    """
    asked, before = threading.Event(), signal.getsignal(signal.SIGINT)

    def ask(number: int, frame: FrameType | None) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)
        if show:
            told = "stopping after the running chunk; Ctrl-C again stops at once and loses that chunk"
            print(told, file=sys.stderr, flush=True)

    mine = threading.current_thread() is threading.main_thread() and before is signal.default_int_handler
    if mine:
        signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        if mine:
            signal.signal(signal.SIGINT, before)
