"""Data sets as a world: features of the same rows in several representations, and targets; a pair is a resample."""

import dataclasses
from collections.abc import Hashable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.errors import W2SError
from w2sjax.pytrees import pytree
from w2sjax.random.draws import default_dtype, fold_in
from w2sjax.validation import check_array, check_number, check_unmasked, shown
from w2sjax.worlds.dealing import Deal, make_deal

SHARES = {"weak": 0.35, "strong": 0.45, "eval": 0.2}
"""Shares of the rows in the pools of the usual three splits."""


@pytree("features", "targets", "groups", "domains", "deals")
@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Resampled:
    """Rows of a data set, dealt out anew for every pair.

    The rows are put in a random order, and cut into disjoint pools by shares: floor(share * rows) each. A split of
    n rows is the first n of its pool, so that a smaller split is a part of a larger one, and the pair axis of a sweep
    is the resample: quantiles over pairs say how much the draw of the splits matters. Resamples of one data set
    overlap: their spread is not that of fresh data.

    The truth is the targets as they are: task t is column t of the targets, and a protocol may ask for as many tasks as
    there are columns. Its `label_noise` adds Gaussian noise to those that models are trained on.

    Args:
        features: floating `[rows, width]` by the name of the representation: "weak" and "strong" for the usual chain,
            any names for a chain of stages. Linear heads with a ridge depend on their units: see
            `w2sjax.data.standardized`.
        targets: floating `[rows]` or `[rows, target]`.
        shares: of the rows in each pool, by split: numbers > 0 whose sum is at most 1. A chain with further splits
            ("strong_2"), or a protocol with a fresh misfit ("misfit"), needs pools of these names too.
        groups: `[rows]` labels; rows of one label stay in one pool (molecules of a scaffold, sentences of an article,
            equal rows). Pools have the same sizes whatever the draw; see `w2sjax.worlds.dealing.Deal`.
        domains: `[rows]` labels of where rows are from, for splits of different domains; with `domain_of`.
        domain_of: label of the domain of every split; shares are then of the domain's rows.

    Raises:
        W2SError: naming what is wrong: another number of rows, a value that is not finite with its row and column,
            shares that are no shares. A protocol that asks for more rows than a pool has, or more tasks than there are
            targets, is refused when it runs.
    """

    features: Mapping[str, Any]
    targets: Any
    shares: Any = tuple(SHARES.items())
    groups: Any = None
    domains: Any = None
    domain_of: Any = None
    deals: tuple[Deal, ...] = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.features, Mapping) or not self.features:
            raise W2SError(
                f"features={shown(self.features)} are not named: pass {{name: array}}, such as weak and strong."
            )
        features = {}
        for name, values in self.features.items():
            if not isinstance(name, str) or not name.isidentifier() or name in ("target", "truth"):
                raise W2SError(f"features has the name {shown(name)}: use letters, digits and underscores.")
            features[name] = check_array(f"features[{name!r}]", values, layout="[rows, width]", ranks=(2,))
        targets = check_array("targets", self.targets, layout="[rows] or [rows, target]", ranks=(1, 2))
        targets = targets[:, None] if targets.ndim == 1 else targets
        for name, values in features.items():
            if len(values) != len(targets):
                raise W2SError(
                    f"features[{name!r}] has {len(values)} rows but targets has {len(targets)}: pass the same rows."
                )
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "targets", targets)
        groups = None
        if self.groups is not None:
            labels = _checked_labels("groups", self.groups, len(targets))
            groups = np.unique(labels, return_inverse=True)[1].astype(np.int32)
        deals = []
        for rows, shares in self._domains(_checked_shares(self.shares, self.domain_of), len(targets)):
            deals.append(make_deal(rows, None if groups is None else groups[rows], shares))
        object.__setattr__(self, "groups", groups)
        object.__setattr__(self, "deals", tuple(deals))

    def _domains(self, shares: dict[str, float], rows: int) -> "list[tuple[np.ndarray, dict[str, float]]]":
        """Return the rows of every domain, and the shares of the splits that are of it."""
        object.__setattr__(self, "shares", tuple(shares.items()))
        if self.domains is None and self.domain_of is None:
            return [(np.arange(rows), shares)]
        if self.domains is None or set(_mapping(self.domain_of)) != set(shares):
            raise W2SError(
                f"domain_of={shown(self.domain_of)} must name a domain for each of {', '.join(shares)}: pass it "
                "together with domains."
            )
        named = dict(self.domain_of)
        names = tuple(dict.fromkeys(named.values()))
        labels = self.domains
        if isinstance(
            self.domain_of, Mapping
        ):  # as the user gave them; afterwards the number of each, -1 for others
            given = _checked_labels("domains", labels, rows)
            labels = np.full(rows, -1, np.int32)
            for number, name in enumerate(names):
                own = given == (str(name) if given.dtype.kind == "U" else name)
                labels[own] = number
                if not own.any():
                    known = ", ".join(map(shown, np.unique(given)[:8].tolist()))
                    raise W2SError(
                        f"domain_of names {shown(name)}, which no row is of: the domains are {known}."
                    )
        object.__setattr__(self, "domains", labels)
        object.__setattr__(self, "domain_of", tuple(named.items()))
        return [
            (
                np.flatnonzero(labels == number),
                {split: shares[split] for split in shares if named[split] == name},
            )
            for number, name in enumerate(names)
        ]

    @property
    def pools(self) -> dict[str, int]:
        """Number of rows in each pool."""
        return {split: size for deal in self.deals for split, size in deal.pools}

    @property
    def sizes(self) -> dict[str, Any]:
        """The largest sizes of a protocol: `Protocol(**world.sizes, tasks=1)`."""
        return {
            f"n_{split}": self.pools[split] for split in ("weak", "strong", "eval") if split in self.pools
        }

    def table(self, name: str) -> Any:
        """Return all rows of a representation, or of the targets, `[rows, width]`.

        Raises:
            W2SError: for a name that it does not have.
        """
        if name == "target":
            return self.targets
        if name not in self.features:
            known = ", ".join(map(repr, self.features))
            raise W2SError(f"a stage is on {name!r}, but the features are {known}: name one of them.")
        return self.features[name]

    def draw(self, key: jax.Array) -> "ResampledPair":
        """Deal out the rows: each resample is a function of the key alone."""
        keys = fold_in(key, np.arange(len(self.deals), dtype=np.uint32))
        pools: dict[str, jax.Array] = {}
        for deal, own in zip(self.deals, keys, strict=True):
            order, start = deal.order(own), 0
            for split, size in deal.pools:
                pools[split] = order[start : start + size]
                start += size
        return ResampledPair(self, pools)


@dataclasses.dataclass(frozen=True, eq=False)
class ResampledPair:
    """A data set whose rows were dealt out: positions of rows, int32 `[n]`, by split."""

    world: Resampled
    pools: Mapping[str, jax.Array]

    def rows(self, split: str, n: int) -> jax.Array:
        """Return the first n rows of a split's pool, int32 `[n]`; the pilot is spread evenly over all rows.

        Raises:
            W2SError: for a split without a pool, or one with fewer rows.
        """
        total = len(self.world.targets)
        if split == "pilot":  # no part of the experiment, and one for all resamples
            return jnp.asarray((np.arange(n) * total) // n, jnp.int32)
        if split not in self.pools:
            raise W2SError(f"shares has no split {split!r}, which this experiment draws: give it a share.")
        pool = self.pools[split]
        if n > len(pool):
            size = f"n_{split.partition('_')[0]}" if split != "misfit" else "n_eval"
            raise W2SError(
                f"{size}={n} is more than the {len(pool)} rows in the pool of split {split!r}: lower it, or raise "
                "its share."
            )
        return pool[:n]

    def take(self, name: str, rows: jax.Array) -> jax.Array:
        """Return rows of a representation, or of the targets, `[n, width]` in JAX's default float dtype."""
        return jnp.asarray(self.world.table(name))[rows].astype(default_dtype())

    def heads(self, key: jax.Array, tasks: int) -> tuple[jax.Array, jax.Array]:
        """Return the heads of the truth: task t is target t."""
        width = self.world.targets.shape[1]
        if tasks > width:
            raise W2SError(f"tasks={tasks} is more than the {width} targets of the data set: lower it.")
        return jnp.eye(tasks, width, dtype=default_dtype()), jnp.zeros(tasks, default_dtype())


def _mapping(values: Any) -> dict[str, Any]:
    """Return a mapping, or a tuple of pairs, as a dict; empty for anything else."""
    pairs = isinstance(values, tuple) and all(isinstance(one, tuple) and len(one) == 2 for one in values)
    return dict(values) if pairs or isinstance(values, Mapping) else {}


def _checked_shares(shares: Any, domain_of: Any) -> dict[str, float]:
    """Return shares by split in the order given, or refuse them."""
    named = _mapping(shares)
    if not named:
        raise W2SError(f"shares={shown(shares)} is not a mapping: pass {{split: share}}, such as {SHARES}.")
    for split, share in named.items():
        check_number(f"shares[{split!r}]", share, above=0)
    domains = _mapping(domain_of)
    for split, name in domains.items():
        if not isinstance(name, Hashable):
            raise W2SError(f"domain_of[{split!r}]={shown(name)} is no label: pass one of domains.")
    for domain in set(domains.values()) or {None}:
        total = sum(share for split, share in named.items() if domains.get(split) == domain)
        if total > 1 + 1e-9:
            raise W2SError(f"shares={shown(named)} sum to {total:.6g}: pass shares of at most 1 in all.")
    return {split: float(share) for split, share in named.items()}


def _checked_labels(name: str, labels: Any, rows: int) -> np.ndarray:
    """Return labels of rows, or refuse them: numbers or text, none missing."""
    check_unmasked(name, labels)
    import pandas as pd

    try:
        found = np.asarray(labels)
    except ValueError:
        raise W2SError(f"{name}={shown(labels)} has rows of other lengths: pass one label per row.") from None
    if found.shape != (rows,):
        raise W2SError(f"{name} has shape {found.shape}: pass one label per row, of shape ({rows},).")
    missing = np.asarray(pd.isna(found))
    if found.dtype.kind == "O":
        found = np.array(["" if none else str(label) for label, none in zip(found, missing, strict=True)])
        missing = found == ""
    if missing.any():
        raise W2SError(f"{name} has no label at row {int(np.argmax(missing))}: give every row one.")
    return found
