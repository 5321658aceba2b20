"""Stores, plots and evaluations by several threads of one process at once."""

import concurrent.futures
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import w2sjax as w2s
from tests.test_cli_evaluate import features
from w2sjax.analysis import gain_on_misfit
from w2sjax.figures import gain_against_misfit, plot
from w2sjax.figures.saving import save
from w2sjax.process_wide import ProcessWide

WORLD = w2s.worlds.PerturbedMLP(width=4, depth=2)
PROTOCOL = w2s.Protocol(n_weak=40, n_strong=40, n_eval=40, tasks=2)
ROUNDS, THREADS = 80, 4


def test_stores_plots_and_evaluations_at_once(tmp_path: Path) -> None:
    alone = w2s.sweep(WORLD, PROTOCOL, pairs=4, seed=1).weak_error.values
    evaluated = float(w2s.evaluate_features(**features()).gain[0])

    def job(number: int) -> Any:
        path = tmp_path / f"{number}.zarr"
        ds = w2s.sweep(WORLD, PROTOCOL, pairs=4, seed=1, store=path, chunk_pairs=2)
        np.testing.assert_array_equal(ds.weak_error.values, alone)
        if number % 8 < 4:
            figure = (
                plot([ds], x="misfit", y="gain", title="a $title$")
                if number % 2
                else gain_against_misfit(gain_on_misfit(ds))
            )
            save(figure, path.with_suffix(".svg" if number % 4 == 1 else ".png"))
        assert float(w2s.evaluate_features(**features()).gain[0]) == evaluated
        return xr.open_zarr(path, chunks=None).weak_error.values

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        for values in pool.map(job, range(ROUNDS)):
            np.testing.assert_array_equal(values, alone)


def test_one_store_by_several_threads(tmp_path: Path) -> None:
    alone = w2s.sweep(WORLD, PROTOCOL, pairs=4, seed=1).weak_error.values
    for trial in range(12):
        path = tmp_path / f"{trial}.zarr"
        if trial % 2:
            path.mkdir()
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            runs = [
                pool.submit(w2s.sweep, WORLD, PROTOCOL, pairs=4, seed=1, store=path, chunk_pairs=1)
                for _ in range(THREADS)
            ]
            for run in runs:
                np.testing.assert_array_equal(run.result().weak_error.values, alone)


def test_a_setting_of_the_process_ends_with_the_last_thread() -> None:
    state: list[str] = []

    def make() -> Any:
        state.append("on")
        return lambda: state.append("off")

    context = ProcessWide(make)
    barrier = threading.Barrier(4)

    def job(number: int) -> None:
        with context():
            barrier.wait()
            assert state == ["on"]
            time.sleep(0.01 * number)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(job, range(4)))
    assert state == ["on", "off"]
