"""Training before the experiments: each pair's networks are trained once, in batches, and kept."""

import itertools
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.draws import default_dtype
from w2sjax.sweeps import labels
from w2sjax.sweeps.batch import prepare_pairs, training_group
from w2sjax.sweeps.checkpoints import Arrays, Checkpoints, digest
from w2sjax.sweeps.grid import Cell
from w2sjax.sweeps.plan import Plan, Region, key_of
from w2sjax.threefry import seed_key

QUIET_SECONDS = 2.0


class Preparations:
    """What the preparations of a sweep's worlds return, by pair.

    Runs that do not depend on what an axis varies are shared by the cells along it.

    Args:
        plan: of the sweep.
        regions: those that will be computed, so that pairs can be trained together before they are asked for.
        folder: where checkpoints go; None keeps results in memory only.
        show: report batches of over two seconds on stderr.

    Memory: the results of every pair, some 20 kB for the networks of the released notebook.
    """

    def __init__(self, plan: Plan, regions: Sequence[Region], folder: Path | None, *, show: bool) -> None:
        self._plan, self._folder, self._show = plan, folder, show
        self._wanted: dict[int, list[int]] = {}
        for region in regions:
            self._wanted.setdefault(region.cell, []).extend(region.pairs)
        self._kept: dict[str, dict[int, Any]] = {}
        self._checkpoints: dict[str, Checkpoints] = {}

    def of(self, index: int, pairs: np.ndarray) -> dict[str, Any] | None:
        """Return the results for pairs of one cell, `{name: arrays [pair, ...]}`; None if its world has none."""
        cell = self._plan.cells[index]
        preparations = getattr(cell.world, "preparations", None)
        if preparations is None:
            return None
        return {
            name: self._results(name, preparation, index, cell, pairs)
            for name, preparation in preparations().items()
        }

    def _results(self, name: str, preparation: Any, index: int, cell: Cell, pairs: np.ndarray) -> Any:
        description = {
            "kind": type(preparation).__name__,
            **labels.plain_fields(preparation),
            "seed": self._plan.seed,
            "draws": cell.own_draws,
            "dtype": jnp.dtype(default_dtype()).name,  # inputs and labels are rounded from it
        }
        place = digest(description)
        if place not in self._kept:
            self._kept[place] = {}
            if self._folder is not None:
                self._open(place, name, description, preparation)
        kept = self._kept[place]
        missing = [int(pair) for pair in pairs if int(pair) not in kept]
        while missing:
            group = training_group(preparation) * jax.local_device_count()
            later = (p for p in self._wanted[index] if p not in kept and p not in missing)
            batch = list(itertools.islice(itertools.chain(missing, later), group))
            self._run(place, name, preparation, cell, np.array(batch, np.int64))
            missing = [pair for pair in missing if pair not in kept]
        rows = [kept[int(pair)] for pair in pairs]
        return jax.tree.map(lambda *leaves: np.stack(leaves), *rows)

    def _run(self, place: str, name: str, preparation: Any, cell: Cell, pairs: np.ndarray) -> None:
        started = time.monotonic()
        results = prepare_pairs(preparation, key_of(self._plan.seed, cell), pairs)
        if place in self._checkpoints:
            self._checkpoints[place].save(pairs, _named(results))
        for row, pair in enumerate(pairs):
            self._kept[place][int(pair)] = jax.tree.map(lambda a, row=row: a[row], results)
        seconds = time.monotonic() - started
        if self._show and seconds > QUIET_SECONDS:
            count = len(self._kept[place])
            print(
                f"{name}: trained {len(pairs)} pairs in {seconds:.0f} s ({count} so far)",
                file=sys.stderr,
                flush=True,
            )

    def _open(self, place: str, name: str, description: dict[str, Any], preparation: Any) -> None:
        assert self._folder is not None
        self._checkpoints[place] = Checkpoints(self._folder, name, description)
        shapes = jax.eval_shape(preparation, seed_key(0))
        template = {key: np.zeros(s.shape, s.dtype) for key, s in _named(shapes).items()}
        structure = jax.tree.structure(shapes)
        for pairs, arrays in self._checkpoints[place].load(template):
            leaves = [arrays[key] for key in _named(shapes)]
            for row, pair in enumerate(pairs):
                self._kept[place][int(pair)] = jax.tree.unflatten(structure, [leaf[row] for leaf in leaves])


def _named(tree: Any) -> Arrays:
    """Return the leaves of a pytree by their path, in order."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }
