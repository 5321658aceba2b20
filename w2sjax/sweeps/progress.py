"""Progress on stderr: a live line on a terminal, plain lines elsewhere, nothing on short work."""

import contextlib
import datetime
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from w2sjax.flags import Flag

QUIET_SECONDS = 2.0
PLAIN_LINE_SECONDS = 10.0


class Meter:
    """Counts pairs done and reports rate, time left, compilation, and how many pairs have each serious flag.

    Args:
        total: pairs in all.
        show: False for silence.
        done: pairs that an earlier run finished.
        work: what is left to do, in any unit that time is about proportional to; by default one unit per pair.
        programs: how many are to be compiled.
    """

    def __init__(
        self, total: int, *, show: bool, done: int = 0, work: float | None = None, programs: int = 1
    ) -> None:
        self.total, self.done = total, done
        self.flagged: Counter[Flag] = Counter()
        self._work_left = float(total - done) if work is None else work
        self._programs_left, self._compiled = programs, list[float]()
        self._first: tuple[float, float, int] | None = None
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

    @contextlib.contextmanager
    def compiling(self) -> Iterator[None]:
        """Say so where what is done within takes long, and leave its time out of the rate."""
        said = threading.Timer(QUIET_SECONDS, self._say_compiling)
        said.daemon = True
        started = time.monotonic()
        if self._show:
            said.start()
        try:
            yield
        finally:
            said.cancel()
            self._compiled.append(time.monotonic() - started)
            self._programs_left -= 1

    def _working_seconds(self) -> float:
        return time.monotonic() - self._start - sum(self._compiled)

    @property
    def rate(self) -> float | None:
        """Pairs per second since the first ones were done, compilation left out; None until there are more."""
        if self._first is None or self.done == self._first[2]:
            return None
        return (self.done - self._first[2]) / max(self._working_seconds() - self._first[0], 1e-9)

    @property
    def seconds_left(self) -> float | None:
        """Estimated time to the end, with the programs still to be compiled; None until it can be told."""
        if self.done >= self.total:
            return 0.0
        if self._first is None or self._first[1] == self._work_left:
            return None
        since = self._working_seconds() - self._first[0]
        working = since * self._work_left / (self._first[1] - self._work_left)
        compiling = statistics.fmean(self._compiled) if self._compiled else 0.0
        return working + max(0, self._programs_left) * compiling

    def advance(self, pairs: int, flagged: Mapping[Flag, int], work: float | None = None) -> None:
        """Record finished pairs with their work, and how many carry each flag of `w2sjax.flags.SERIOUS`."""
        self.done += pairs
        self._work_left -= pairs if work is None else work
        self.flagged.update(flagged)
        now = time.monotonic()
        if self._first is None:
            self._first = (self._working_seconds(), self._work_left, self.done)
        if not self._show or now - self._start < QUIET_SECONDS:
            return
        if self._terminal:
            self._update_live()
        elif now - self._last_line >= PLAIN_LINE_SECONDS or self.done >= self.total:
            self._last_line = now
            print(self.line(), file=sys.stderr, flush=True)

    def line(self) -> str:
        """Return the state in one plain line."""
        left = self.seconds_left
        time_left = "time left not known yet" if left is None else f"{left:.0f} s left"
        return f"{self.done}/{self.total} pairs, {_shown(self.rate)}{time_left}, {self.flags()}"

    def flags(self) -> str:
        """Say which serious flags how many of the pairs computed now carry."""
        return (
            ", ".join(f"{count} {flag.words()}" for flag, count in self.flagged.items() if count)
            or "no flags"
        )

    def _say_compiling(self) -> None:
        if self._terminal:
            self._update_live(compiling=True)
        else:
            print("compiling; a later run finds the program ready", file=sys.stderr, flush=True)

    def _update_live(self, *, compiling: bool = False) -> None:
        if self._live is None:
            columns = [
                TextColumn("{task.completed:.0f}/{task.total:.0f} pairs"),
                TextColumn("{task.fields[state]}"),
            ]
            self._live = Progress(BarColumn(), *columns, TimeElapsedColumn(), console=Console(stderr=True))
            self._live.add_task("", total=self.total, completed=0, state="")
            self._live.start()
        left = self.seconds_left
        state = f"{_shown(self.rate)}{self.flags()}"
        if compiling:
            state = "compiling"
        elif left is not None:
            state = f"{_shown(self.rate)}{datetime.timedelta(seconds=round(left))} left, {self.flags()}"
        self._live.update(self._live.task_ids[0], completed=self.done, state=state)


def _shown(rate: float | None) -> str:
    return "" if rate is None else f"{rate:.0f} pairs/s, " if rate >= 10 else f"{rate:.2g} pairs/s, "
