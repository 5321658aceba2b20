"""Settings of the whole process, made when the first thread enters and undone when the last one leaves."""

import contextlib
import threading
from collections.abc import Callable, Iterator


class ProcessWide:
    """A context that many threads may be in at once.

    Args:
        make: makes the setting, and returns what undoes it.
    """

    def __init__(self, make: Callable[[], Callable[[], None]]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._inside = 0
        self._undo: Callable[[], None] = lambda: None

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """Enter the context."""
        with self._lock:
            if self._inside == 0:
                self._undo = self._make()
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self._undo()
