"""Progress on stderr: a live line on a terminal, plain lines elsewhere, nothing on short work."""

import sys
import time
from collections import Counter
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from w2sjax.flags import Flag

QUIET_SECONDS = 2.0
PLAIN_LINE_SECONDS = 10.0


class Meter:
    """Counts pairs done and reports rate, time left and how many pairs have each serious flag.

    Args:
        total: pairs in all.
        show: False for silence.
        done: pairs that an earlier run finished.
    """

    def __init__(self, total: int, *, show: bool, done: int = 0) -> None:
        self.total, self.done = total, done
        self.flagged: Counter[Flag] = Counter()
        self._already = done
        self._first: tuple[float, int] | None = None
        self._show = show
        self._terminal = sys.stderr.isatty()
        self._start = time.monotonic()
        self._last_line = self._start
        self._live: Progress | None = None

    def __enter__(self) -> "Meter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    @property
    def rate(self) -> float:
        """Pairs per second; measured from the first pairs done, once there are more, to leave the compilation out."""
        since, before = self._start, self._already
        if self._first is not None and self.done > self._first[1]:
            since, before = self._first
        return (self.done - before) / max(time.monotonic() - since, 1e-9)

    @property
    def seconds_left(self) -> float | None:
        """Estimated time to the end; None until a call has been timed that did not compile."""
        if self._first is None or self.done == self._first[1]:
            return 0.0 if self.done >= self.total else None
        return (self.total - self.done) / max(self.rate, 1e-9)

    def advance(self, pairs: int, flagged: Mapping[Flag, int]) -> None:
        """Record finished pairs, and how many of them carry each flag of `w2sjax.flags.SERIOUS`."""
        self.done += pairs
        self.flagged.update(flagged)
        now = time.monotonic()
        if self._first is None:
            self._first = (now, self.done)
        if not self._show or now - self._start < QUIET_SECONDS:
            return
        if self._terminal:
            self._update_live()
        elif now - self._last_line >= PLAIN_LINE_SECONDS or self.done >= self.total:
            self._last_line = now
            print(self.line(), file=sys.stderr, flush=True)

    def line(self) -> str:
        """Return the state in one line: how many pairs have which serious flags is of those computed now."""
        left, rate = self.seconds_left, self.rate
        parts = [
            f"{self.done}/{self.total} pairs",
            f"{rate:.0f} pairs/s" if rate >= 10 else f"{rate:.2g} pairs/s",
            "time left not known yet" if left is None else f"{left:.0f} s left",
            ", ".join(f"{count} {flag.words()}" for flag, count in self.flagged.items() if count)
            or "no flags",
        ]
        return ", ".join(parts)

    def _update_live(self) -> None:
        if self._live is None:
            self._live = Progress(BarColumn(), TextColumn("{task.description}"), console=Console(stderr=True))
            self._live.add_task("", total=self.total)
            self._live.start()
        self._live.update(self._live.task_ids[0], completed=self.done, description=self.line())
