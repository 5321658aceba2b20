"""Training before the experiments: each pair's networks are trained once, in batches, and kept while wanted."""

import bisect
import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.random.draws import default_dtype
from w2sjax.random.keys import ALGORITHM
from w2sjax.random.threefry import seed_key
from w2sjax.sweeps.batch import prepare_pairs, training_group
from w2sjax.sweeps.grid import Cell
from w2sjax.sweeps.identity import kind_of, sources
from w2sjax.sweeps.plan import Plan, key_of
from w2sjax.sweeps.provenance import plain_fields
from w2sjax.sweeps.store.checkpoints import Arrays, Checkpoints, digest

QUIET_SECONDS = 2.0


class Preparations:
    """What the preparations of a sweep's worlds return, by pair.

    Runs that do not depend on what an axis varies are shared by the cells along it.

    Args:
        plan: of the sweep; pairs of its items are trained together before they are asked for.
        folder: where checkpoints go; None keeps results in memory only.
        show: report batches of over two seconds on stderr.

    Memory: the results of the pairs of one region and one batch, some 20 kB each for the networks of the released
    notebook.
    """

    def __init__(self, plan: Plan, folder: Path | None, *, show: bool) -> None:
        self._plan, self._folder, self._show = plan, folder, show
        self._wanted: dict[int, list[range]] = {}
        for item in plan.items:
            self._wanted.setdefault(item.cell, []).append(item.pairs)
        self._kept: dict[str, dict[int, Any]] = {}
        self._checkpoints: dict[str, Checkpoints] = {}
        self._trained = 0

    def of(self, index: int, pairs: np.ndarray) -> dict[str, Any] | None:
        """Return the results for pairs of one cell, `{name: arrays [pair, ...]}`; None if its world has none."""
        cell = self._plan.cells[index]
        preparations = getattr(cell.world, "preparations", None)
        if preparations is None:
            return None
        first, chunk = self._plan.pairs.start, self._plan.chunk_pairs
        self._forget(first + (int(pairs.min()) - first) // chunk * chunk)
        return {
            name: self._results(name, preparation, index, cell, pairs)
            for name, preparation in preparations().items()
        }

    def _forget(self, first: int) -> None:
        """Drop the results of pairs before the first one of the regions that are being computed."""
        for kept in self._kept.values():
            for pair in [pair for pair in kept if pair < first]:
                del kept[pair]

    def _results(self, name: str, preparation: Any, index: int, cell: Cell, pairs: np.ndarray) -> Any:
        description = {
            "kind": kind_of(preparation),
            "code": sources(preparation)[0],
            **plain_fields(preparation),
            "seed": self._plan.seed,
            "draws": cell.own_draws,
            "algorithm": ALGORITHM,
            "dtype": jnp.dtype(default_dtype()).name,  # inputs and labels are rounded from it
        }
        place = digest(description)
        if place not in self._kept:
            self._kept[place] = {}
            if self._folder is not None:
                template = _named(jax.eval_shape(preparation, seed_key(0)))
                self._checkpoints[place] = Checkpoints(self._folder, name, description, template)
        kept = self._kept[place]
        while missing := [pair for pair in dict.fromkeys(pairs.tolist()) if pair not in kept]:
            if self._restore(place, preparation, missing[0]):
                continue
            group = training_group(preparation) * jax.local_device_count()
            later = self._later(index, missing[-1], place)
            batch = list(itertools.islice(itertools.chain(missing, later), group))
            self._run(place, name, preparation, cell, np.array(batch, np.int64))
        rows = [kept[pair] for pair in pairs.tolist()]
        return jax.tree.map(lambda *leaves: np.stack(leaves), *rows)

    def _later(self, index: int, pair: int, place: str) -> Iterator[int]:
        """Yield the pairs after one that will be wanted in a cell, up to the first that is there already."""
        ranges = self._wanted[index]
        first = bisect.bisect_right(ranges, pair, key=lambda pairs: pairs.stop)
        for pairs in ranges[first:]:
            for later in range(max(pairs.start, pair + 1), pairs.stop):
                if later in self._kept[place] or self._is_stored(place, later):
                    return
                yield later

    def _is_stored(self, place: str, pair: int) -> bool:
        return place in self._checkpoints and pair in self._checkpoints[place]

    def _restore(self, place: str, preparation: Any, pair: int) -> bool:
        """Take the batch of a pair from disk, and say whether it was there."""
        batch = self._checkpoints[place].load(pair) if place in self._checkpoints else None
        if batch is None:
            return False
        shapes = jax.eval_shape(preparation, seed_key(0))
        structure, names = jax.tree.structure(shapes), list(_named(shapes))
        for row, found in enumerate(batch[0].tolist()):
            leaves = [batch[1][name][row] for name in names]
            self._kept[place][found] = jax.tree.unflatten(structure, leaves)
        return True

    def _run(self, place: str, name: str, preparation: Any, cell: Cell, pairs: np.ndarray) -> None:
        started = time.monotonic()
        results = prepare_pairs(preparation, key_of(self._plan.seed, cell), pairs)
        if place in self._checkpoints:
            self._checkpoints[place].save(pairs, _named(results))
        for row, pair in enumerate(pairs.tolist()):
            self._kept[place][pair] = jax.tree.map(lambda a, row=row: a[row], results)
        seconds = time.monotonic() - started
        self._trained += len(pairs)
        if self._show and seconds > QUIET_SECONDS:
            print(
                f"{name}: trained {len(pairs)} pairs in {seconds:.0f} s ({self._trained} so far)",
                file=sys.stderr,
                flush=True,
            )


def _named(tree: Any) -> Arrays:
    """Return the leaves of a pytree by their path, in order."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }
