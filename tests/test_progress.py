"""What a waiting user is told: the time left, and that a program is being compiled."""

import time

import pytest

import w2sjax as w2s
from w2sjax.sweeps import progress
from w2sjax.sweeps.progress import Meter


def test_the_time_left_leaves_the_compilation_out(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    meter = Meter(1000, show=False)
    with meter.compiling():
        now[0] = 60.0
    meter.advance(10, {})
    assert meter.seconds_left is None and "not known yet" in meter.line()
    now[0] = 61.0
    meter.advance(10, {w2s.Flag.ILL_CONDITIONED: 3})
    assert meter.seconds_left == pytest.approx(98) and "3 ill conditioned" in meter.line()
    assert meter.rate == pytest.approx(10)


def test_the_time_left_knows_what_cells_cost_and_what_is_not_compiled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two programs of 20 s each; 50 calls of a second, then 50 that take four times as long: within a factor of two."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    meter = Meter(100, show=False, work=50 * 1 + 50 * 4, programs=2)
    for work in (1, 4):
        with meter.compiling():
            now[0] += 20
        for _ in range(50):
            now[0] += work
            meter.advance(1, {}, work)
            if meter.done >= 10:
                assert meter.seconds_left is not None
                true = 2 * 20 + 250 - now[0]
                assert true / 2 <= meter.seconds_left <= 2 * true
    assert meter.seconds_left == 0


def test_a_long_compilation_is_announced(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.05)
    with Meter(10, show=True).compiling():
        time.sleep(0.5)
    assert capsys.readouterr().err == "compiling; a later run finds the program ready\n"
