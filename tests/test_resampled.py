"""Data sets as a world: the engine on resampled splits beside scikit-learn, and what must not matter."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from sklearn.linear_model import Ridge

import w2sjax as w2s
from w2sjax.random.keys import Role, pair_key, role_key
from w2sjax.random.threefry import seed_key

ROWS = 240
RIDGES = (0.01, 0.3)


def table(seed: int = 0) -> dict[str, Any]:
    """Two nearly collinear representations of the same rows, with units that differ by 1e4, and two targets."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, 12))
    strong = np.tanh(x @ rng.normal(size=(12, 10)))
    strong = np.c_[strong, strong[:, 0] + 1e-3 * rng.normal(size=ROWS)] * np.geomspace(1e-2, 1e2, 11)
    weak = (x[:, :4] ** 2 + 5).astype(np.float32)
    targets = np.c_[np.sin(x).sum(axis=1), x[:, 0] * x[:, 1] + 3] + 0.1 * rng.normal(size=(ROWS, 2))
    return {"features": {"weak": weak, "strong": strong}, "targets": targets}


@pytest.fixture(scope="module")
def world() -> w2s.worlds.Resampled:
    return w2s.worlds.Resampled(**table())


PROTOCOL = w2s.Protocol(
    n_weak=60,
    n_strong=108,
    n_eval=48,
    tasks=2,
    head=w2s.heads.Ridge(RIDGES[0]),
    weak_head=w2s.heads.Ridge(0.02),
    baseline=True,
)
AXES = {"n_weak": [40, 84], "n_strong": [50, 108], "head.ridge": RIDGES}


@pytest.fixture(scope="module")
def sweep(world: w2s.worlds.Resampled) -> Any:
    return w2s.sweep(world, PROTOCOL, pairs=5, axes=AXES)


def order_of(world: w2s.worlds.Resampled, pair: int, seed: int = 0) -> np.ndarray:
    drawn = world.draw(role_key(pair_key(seed_key(seed), pair), Role.PAIR))
    return np.concatenate([drawn.pools[split] for split in ("weak", "strong", "eval")])


def by_scikit_learn(
    world: w2s.worlds.Resampled,
    order: np.ndarray,
    n_weak: int,
    n_strong: int,
    ridge: float,
    weak_ridge: float,
) -> dict[str, np.ndarray]:
    """The usual chain and its baseline on the splits of an order of the rows."""
    y = world.targets
    weak_x, strong_x = (world.features[name].astype(float) for name in ("weak", "strong"))
    train, transfer, test = order[:84][:n_weak], order[84:192][:n_strong], order[192:240]

    def fit(x: np.ndarray, labels: np.ndarray, ridge: float) -> Any:
        return Ridge(alpha=len(x) * ridge, solver="svd", tol=0).fit(x, labels)

    weak = fit(weak_x[train], y[train], weak_ridge)
    student = fit(strong_x[transfer], weak.predict(weak_x[transfer]), ridge).predict(strong_x[test])
    ceiling = fit(strong_x[transfer], y[transfer], ridge).predict(strong_x[test])
    baseline = fit(strong_x[train], y[train], ridge).predict(strong_x[test])
    teacher = weak.predict(weak_x[test])
    errors = {
        f"{name}_error": ((p - y[test]) ** 2).mean(axis=0)
        for name, p in (("weak", teacher), ("w2s", student), ("ceiling", ceiling), ("baseline", baseline))
    }
    return errors | {"misfit": ((student - teacher) ** 2).mean(axis=0)}


def test_equals_scikit_learn_on_the_same_rows(world: w2s.worlds.Resampled, sweep: Any) -> None:
    for pair in range(5):
        for n_weak in AXES["n_weak"]:
            for n_strong in AXES["n_strong"]:
                for ridge in RIDGES:
                    expected = by_scikit_learn(world, order_of(world, pair), n_weak, n_strong, ridge, 0.02)
                    where = {"pair": pair, "n_weak": n_weak, "n_strong": n_strong, "head.ridge": ridge}
                    for name, values in expected.items():
                        np.testing.assert_allclose(sweep[name].sel(where), values, rtol=1e-8, err_msg=name)


def test_one_pair_equals_scikit_learn(world: w2s.worlds.Resampled, key: jax.Array) -> None:
    """By the other route, which has one size of each sample and few tasks; and row by row."""
    outcome, models = w2s.run_pair(world, PROTOCOL, key, return_models=True)
    y = np.asarray(models.predictions["truth"])
    rows = [int(np.flatnonzero(np.isclose(world.targets, row).all(axis=1))[0]) for row in y]
    assert len(set(rows)) == 48
    np.testing.assert_allclose(models.features["strong"], world.features["strong"][rows])
    residual = np.asarray(models.predictions["w2s"]) - y
    np.testing.assert_allclose(outcome.w2s_error, (residual**2).mean(axis=0), rtol=1e-9)


def test_splits_are_disjoint_and_grow(world: w2s.worlds.Resampled, key: jax.Array) -> None:
    pair = world.draw(key)
    pools = {split: np.asarray(pair.rows(split, n)) for split, n in world.pools.items()}
    assert sorted(np.concatenate(list(pools.values()))) == list(range(ROWS))
    for split, rows in pools.items():
        np.testing.assert_array_equal(pair.rows(split, 30), rows[:30])


def test_every_row_is_equally_often_in_a_pool(world: w2s.worlds.Resampled) -> None:
    """Of 400 resamples each row is in the evaluation pool in a share 0.2: within five standard errors."""
    draw = lambda i: world.draw(pair_key(seed_key(3), i)).pools["eval"]  # noqa: E731
    counts = np.bincount(np.ravel(jax.vmap(draw)(np.arange(400, dtype=np.uint32))), minlength=ROWS)
    assert np.abs(counts - 80).max() < 5 * np.sqrt(400 * 0.2 * 0.8)


def test_results_do_not_depend_on_how_a_sweep_is_divided(
    world: w2s.worlds.Resampled, sweep: Any, tmp_path: Path
) -> None:
    path = tmp_path / "a.zarr"
    settings: dict[str, Any] = {"axes": AXES, "store": path, "chunk_pairs": 1}
    w2s.sweep(world, PROTOCOL, pairs=4, **settings)
    grown = w2s.sweep(world, PROTOCOL, pairs=5, **settings)
    for name in sweep.data_vars:
        np.testing.assert_allclose(grown[name], sweep[name], rtol=1e-9, atol=1e-14, err_msg=name)
    alone = w2s.sweep(world, PROTOCOL, pairs=1, first_pair=4, axes=AXES)
    np.testing.assert_allclose(alone.gain.values[0], sweep.gain.values[4], rtol=1e-9, atol=1e-14)


def test_a_store_knows_its_arrays(world: w2s.worlds.Resampled, tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    protocol = dataclasses.replace(PROTOCOL, n_weak=30)
    w2s.sweep(world, protocol, pairs=2, store=path)
    stored = json.loads(w2s.open_store(path).attrs["configuration"])["world"]
    assert "sha256" in stored["features"]["strong"] and "sha256" in stored["targets"]
    assert w2s.sweep(w2s.worlds.Resampled(**table()), protocol, pairs=2, store=path).sizes["pair"] == 2
    other = table()
    other["features"]["strong"][3, 2] += 1e-9
    with pytest.raises(w2s.StoreError, match=r"holds world\.features\.strong="):
        w2s.sweep(w2s.worlds.Resampled(**other), protocol, pairs=2, store=path)


def test_heads_by_rows_and_a_longer_chain(key: jax.Array) -> None:
    """A trained head, and a student of a student on a pool of its own."""
    shares = {"weak": 0.3, "strong": 0.2, "strong_2": 0.2, "eval": 0.25}
    world = w2s.worlds.Resampled(**table(), shares=shares)
    ridge = w2s.heads.Ridge(0.1)
    stages = (
        w2s.Stage("weak", "weak", "truth", "weak", ridge),
        w2s.Stage("w2s", "strong", "weak", "strong", w2s.heads.Trained(epochs=2)),
        w2s.Stage("next", "strong", "w2s", "strong_2", ridge),
    )
    outcome = w2s.run_pair(
        world, w2s.Protocol(n_weak=70, n_strong=40, n_eval=60, tasks=1, stages=stages), key
    )
    assert np.isfinite(outcome.next_error).all()


def test_label_noise_is_of_the_training_labels(world: w2s.worlds.Resampled) -> None:
    """Errors are against the targets as they are: in a paired comparison noise raises them beyond doubt."""
    protocol = w2s.Protocol(**world.sizes, tasks=1, head=w2s.heads.Ridge(0.1))
    found = w2s.sweep(world, protocol, pairs=24, axes={"label_noise": [0.1, 12.0]})
    for name in ("weak_error", "ceiling_error"):
        more = np.diff(found[name].isel(task=0).transpose("pair", "label_noise"))[:, 0]
        assert more.mean() > 4 * more.std(ddof=1) / 24**0.5 > 0


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no names": ({"features": np.ones((ROWS, 2))}, "features=.* are not named: pass {name: array}"),
    "a taken name": ({"features": {"truth": np.ones((ROWS, 2))}}, "features has the name 'truth'"),
    "other rows": (
        {"features": {"weak": np.ones((3, 2))}},
        r"features\['weak'\] has 3 rows but targets has 240: pass the same rows",
    ),
    "NaN": (
        {"targets": np.where(np.arange(ROWS) == 7, np.nan, 1.0)},
        r"targets holds 1 NaN or infinite values, the first \(nan\) at row 7: drop or fill those rows",
    ),
    "integers": ({"targets": np.arange(ROWS)}, "targets has dtype int64: pass floating numbers"),
    "shares": ({"shares": {"weak": 0.5, "strong": 0.6}}, r"shares=.* sum to 1\.1: pass shares of at most 1"),
    "a negative share": ({"shares": {"weak": -0.5}}, r"shares\['weak'\]=-0\.5 is out of range"),
    "shares without names": (
        {"shares": (0.2, 0.6, 0.2)},
        r"shares=\(0\.2, 0\.6, 0\.2\) is not a mapping: pass {split: share}",
    ),
    "no shares": ({"shares": {}}, "shares={} is not a mapping: pass {split: share}"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    changed, message = REFUSED[name]
    with pytest.raises(w2s.W2SError, match=message):
        w2s.worlds.Resampled(**table() | changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n_weak": 85}, r"n_weak=85 is more than the 84 rows in the pool of split 'weak'"),
        ({"n_eval": 49}, r"n_eval=49 is more than the 48 rows in the pool of split 'eval'"),
        ({"tasks": 3}, r"tasks=3 is more than the 2 targets of the data set: lower it"),
        ({"fresh_misfit": True}, r"shares has no split 'misfit', which this experiment draws"),
    ],
)
def test_a_protocol_that_asks_for_too_much_is_refused_before_a_store_is_made(
    world: w2s.worlds.Resampled, tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    settings: dict[str, Any] = {**world.sizes, "tasks": 1} | changed
    with pytest.raises(w2s.W2SError, match=message):
        w2s.sweep(world, w2s.Protocol(**settings), pairs=2, store=tmp_path / "a.zarr")
    assert not list(tmp_path.iterdir())


GROUPS = np.concatenate(
    [np.repeat([0, 1, 2, 3], [40, 40, 25, 9]), np.repeat(np.arange(10, 23), 2), np.arange(100, 200)]
)


def pools_of(world: w2s.worlds.Resampled, pairs: int) -> dict[str, np.ndarray]:
    draw = lambda i: world.draw(pair_key(seed_key(5), i)).pools  # noqa: E731
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(draw))(np.arange(pairs, dtype=np.uint32)))


def test_groups_stay_together_in_pools_of_fixed_sizes() -> None:
    """And each group is in a pool about as often as the pool is large."""
    world = w2s.worlds.Resampled(**table(), groups=GROUPS)
    pools = pools_of(world, 300)
    assert {split: rows.shape[1] for split, rows in pools.items()} == {"weak": 84, "strong": 108, "eval": 48}
    home = np.empty((300, ROWS), int)
    for number, rows in enumerate(pools.values()):
        np.put_along_axis(home, rows, number, axis=1)
    for label in np.unique(GROUPS):
        own = home[:, label == GROUPS]
        assert (own == own[:, :1]).all()
    for row in (0, 100, 239):  # one of the largest groups, a small one, and a single row
        assert abs((home[:, row] == 1).mean() - 0.45) < 0.15
    single = (home[:, 140:] == 2).mean(axis=0)
    assert np.ptp(single) < 8 * np.sqrt(0.2 * 0.8 / 300)
    text = w2s.worlds.Resampled(**table(), groups=np.array([f"article {label}" for label in GROUPS]))
    assert sorted(text.deals[0].sizes.tolist()) == sorted(world.deals[0].sizes.tolist())


def test_splits_may_be_of_different_domains(key: jax.Array) -> None:
    domains = np.array(["news", "films"])[np.arange(ROWS) % 3 % 2]
    world = w2s.worlds.Resampled(
        **table(),
        shares={"weak": 0.9, "strong": 0.6, "eval": 0.4},
        domains=domains,
        domain_of={"weak": "news", "strong": "films", "eval": "films"},
    )
    pools = {split: np.asarray(rows) for split, rows in world.draw(key).pools.items()}
    assert set(domains[pools["weak"]]) == {"news"} and len(pools["weak"]) == 144
    rest = np.concatenate([pools["strong"], pools["eval"]])
    assert sorted(rest) == np.flatnonzero(domains == "films").tolist()
    again = dataclasses.replace(world, shares={"weak": 0.5, "strong": 0.6, "eval": 0.4})
    assert again.pools == {"weak": 80, "strong": 48, "eval": 32}
    assert np.isfinite(w2s.run_pair(world, w2s.Protocol(**world.sizes, tasks=1), key).gain).all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"groups": np.repeat([0, 1], [200, 40])},
            r"groups has one of 200 of 240 rows, which may fit no pool",
        ),
        ({"groups": np.zeros(3)}, r"groups has shape \(3,\): pass one label per row, of shape \(240,\)"),
        ({"groups": np.array([None, *"ab" * 119, "c"])}, "groups has no label at row 0: give every row one"),
        ({"groups": np.array([np.nan, *"ab" * 119, "c"], object)}, "groups has no label at row 0"),
        ({"groups": np.array(["NaT", *["2026-01-01"] * 239], "M8[D]")}, "groups has no label at row 0"),
        ({"groups": [[1], [1, 2]] * 120}, "groups=.* has rows of other lengths: pass one label per row"),
        ({"domains": np.zeros(ROWS), "domain_of": "AB"}, "domain_of='AB' must name a domain for each of"),
        (
            {"domains": np.zeros(ROWS), "domain_of": dict.fromkeys(("weak", "strong", "eval"), [0])},
            r"domain_of\['weak'\]=\[0\] is no label: pass one of domains",
        ),
        ({"domains": np.zeros(ROWS)}, r"domain_of=None must name a domain for each of weak, strong, eval"),
        (
            {"domains": np.zeros(ROWS), "domain_of": {"weak": 0, "strong": 0, "eval": 7}},
            r"domain_of names 7, which no row is of: the domains are 0",
        ),
        ({"shares": {"weak": 0.001, "eval": 0.5}}, r"shares\['weak'\]=0\.001 is no row of 240: raise it"),
    ],
)
def test_refusals_of_groups_and_domains(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(w2s.W2SError, match=message):
        w2s.worlds.Resampled(**table() | changed)
