"""Ctrl-C that waits for the running chunk."""

import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any


class SweepInterrupted(KeyboardInterrupt):
    """A sweep that stopped between two chunks because it was asked to; the same call goes on with it."""


class GracefulStop:
    """While active, the first SIGINT sets `requested` and the second interrupts at once.

    It does nothing outside the main thread, where signals cannot be handled.

    Args:
        show: tell on stderr what the first SIGINT does.
    """

    def __init__(self, *, show: bool) -> None:
        self.requested = False
        self._show = show
        self._previous: Any = None
        self._active = False

    def __enter__(self) -> "GracefulStop":
        # A handler that is not Python's own belongs to somebody who knows better.
        mine = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if threading.current_thread() is threading.main_thread() and mine:
            self._previous = signal.signal(signal.SIGINT, self._handle)
            self._active = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self._restore()
        if self._show:
            print(
                "stopping after the running chunk; Ctrl-C again stops at once and loses that chunk",
                file=sys.stderr,
                flush=True,
            )

    def _restore(self) -> None:
        if self._active:
            signal.signal(signal.SIGINT, self._previous)
            self._active = False
