"""Time the training of representations against the loop of the notebook released with Charikar et al. 2024, in torch.

Usage: python benchmarks/pretraining.py [--fast] [--out FILE.json]

Both sides train a 2-layer and an 8-layer network of width 16 on 10 tasks of 2000 samples in shuffled batches of 32 by
AdamW. 200 epochs (here) and a few hundred steps (torch) are timed and scaled to the 630,000 steps of a whole run;
`steps_timed` says how many. They alternate within one run. The last record is of a pair, which trains both networks.
Torch is not installed with this package: without it (`pip install torch`) only this package is timed.
"""

import dataclasses
import importlib.util
import os
import time
from typing import Any

import jax
import numpy as np
import recording

import w2sjax as w2s
from w2sjax.sweeps.batch import prepare_pairs, training_group
from w2sjax.worlds import PretrainedMLP

WHOLE = 1000 * 10 * 63
"""Steps of one network at the notebook's settings."""


def torch_seconds_per_step(depth: int, steps: int, threads: int) -> float:
    """Return the seconds that one step of the notebook's loop takes, written as a torch user writes it."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    layers: list[Any] = []
    for layer in range(depth):
        layers += [nn.Linear(8 if layer == 0 else 16, 16), nn.ReLU()]
    network = nn.Sequential(*layers)
    head = nn.Linear(16, 1).requires_grad_(False)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    loss_of = nn.MSELoss()
    rng = np.random.default_rng(0)
    x = rng.normal(0, 500, (2000, 8))
    y = rng.normal(0, 50, (2000, 1))
    done = 0
    started = time.perf_counter()
    while done < steps:
        order = rng.permutation(len(x))
        x, y = x[order], y[order]
        total = 0.0
        for begin in range(0, len(x), 32):
            optimizer.zero_grad()
            inputs = torch.tensor(x[begin : begin + 32], dtype=torch.float32)
            labels = torch.tensor(y[begin : begin + 32], dtype=torch.float32)
            loss = loss_of(head(network(inputs)), labels)
            total += loss.item()
            loss.backward()
            optimizer.step()
            done += 1
            if done == steps:
                break
    return (time.perf_counter() - started) / steps


class Ours:
    """The compiled training of one kind of network for a number of seeds."""

    def __init__(self, name: str, seeds: int, epochs: int) -> None:
        world = dataclasses.replace(PretrainedMLP(), epochs=epochs)
        self._run, self._steps = world.preparations()[name], epochs * 10 * 63
        group = training_group(self._run) * jax.local_device_count()
        self._calls = [np.arange(start, min(start + group, seeds)) for start in range(0, seeds, group)]
        started = time.perf_counter()
        self._call(self._calls[0])
        self.first_seconds = time.perf_counter() - started

    def _call(self, pairs: np.ndarray) -> Any:
        return prepare_pairs(self._run, jax.random.key(0), pairs)

    def seconds_per_step(self) -> float:
        """Return the seconds that one step of all seeds takes."""
        started = time.perf_counter()
        for pairs in self._calls:
            self._call(pairs)
        return (time.perf_counter() - started) / self._steps


def summary(seconds_per_step: dict[str, float | None]) -> dict[str, float]:
    """Return the least times of one seed, of 32 and of torch, as far as they were taken, and their ratios."""
    found = {}
    for side, value in seconds_per_step.items():
        if value is not None:
            found[f"{side}_microseconds_per_step"] = round(value * 1e6, 2)
            found[f"{side}_seconds_for_{WHOLE}_steps"] = round(value * WHOLE, 1)
    one, many, torch = (seconds_per_step[side] for side in ("one", "many", "torch"))
    if one is not None and torch is not None:
        found["times_faster_than_torch"] = round(torch / one, 1)
    if one is not None and many is not None:
        found["time_of_32_seeds_over_one"] = round(many / one, 1)
    return found


def main() -> None:
    """Run both sides in turn and write one record per network."""
    options = recording.options(__doc__)
    w2s.use_all_cores()
    with_torch = importlib.util.find_spec("torch") is not None
    repeats, epochs, steps = (1, 1, 63) if options.fast else (3, 200, 630)
    records = []
    both: dict[str, Any] = dict.fromkeys(("one", "many", "torch"), 0.0)
    for name, depth in (("weak", 2), ("strong", 8)):
        one = Ours(name, 1, epochs)
        many = None if options.fast else Ours(name, 32, epochs)
        seconds: dict[str, list[float]] = {"one": [], "many": [], "torch": []}
        for _ in range(repeats):
            seconds["one"].append(one.seconds_per_step())
            if many is not None:
                seconds["many"].append(many.seconds_per_step())
            if with_torch:
                choices = (1,) if options.fast else (1, len(os.sched_getaffinity(0)))
                seconds["torch"].append(min(torch_seconds_per_step(depth, steps, n) for n in choices))
        best = {side: min(values) if values else None for side, values in seconds.items()}
        records.append(
            {
                "network": f"{depth} layers of 16",
                "dtype": "float32",
                "steps_timed": {"w2sjax": epochs * 630, "torch": steps if with_torch else 0},
                "first_call_seconds": round(one.first_seconds, 2),
                **summary(best),
            }
        )
        for side, value in best.items():
            both[side] = None if value is None or both[side] is None else both[side] + value
    records.append({"network": "both", "dtype": "float32", **summary(both)})
    packages = ("torch", "optax") if with_torch else ("optax",)
    recording.write(
        {"benchmark": "pretraining", **recording.surroundings(*packages), "records": records}, options.out
    )


if __name__ == "__main__":
    main()
