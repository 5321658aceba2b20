"""Selection among candidates: hand-made answers, SciPy's ranks, and features against Datasets."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from jax.flatten_util import ravel_pytree
from scipy import stats

import w2sjax as w2s
from w2sjax import studies
from w2sjax.analysis import (
    CRITERIA,
    compare_criteria,
    rank_correlation,
    select,
    select_candidates,
    select_in_dataset,
    selection_by_size,
    selection_report,
)
from w2sjax.analysis.selection_study import criteria_for, held_out_error, selections
from w2sjax.figures import selection_against_samples
from w2sjax.flags import UNUSABLE
from w2sjax.worlds import PerturbedCandidates

WEAK = np.array([1.0, 0.8, 0.9, 2.0])
MISFIT = np.array([0.1, 0.2, 0.5, 2.2])
W2S = np.array([0.9, 0.7, 0.3, 0.6])


def test_hand_made_choices() -> None:
    selections = compare_criteria(WEAK, MISFIT, W2S)
    assert list(selections) == list(CRITERIA)
    bound, weak, misfit, random = (selections[name] for name in CRITERIA)
    # weak_error - misfit is 0.9, 0.6, 0.4, -0.2.
    assert (bound.chosen, weak.chosen, misfit.chosen, random.chosen) == (3, 1, 0, -1)
    np.testing.assert_allclose([bound.regret, weak.regret, misfit.regret], [0.3, 0.4, 0.6])
    np.testing.assert_allclose([bound.relative_regret, weak.relative_regret], [1.0, 4 / 3])
    np.testing.assert_allclose(random.regret, W2S.mean() - 0.3)
    assert (bound.negative_share, bound.chosen_negative, bound.usable) == (0.25, 1, 4)
    assert (weak.negative_share, weak.chosen_negative) == (0, 0)
    # Ranks 4 3 2 1 against 4 3 1 2.
    np.testing.assert_allclose(bound.rank_correlation, 1 - 6 * 2 / (4 * 15))
    assert np.isnan(random.rank_correlation) and np.isnan(random.negative_share)


def test_ties_go_to_the_first_and_share_ranks() -> None:
    selection = select([0.5, 0.2, 0.2, 0.2], [0.1, 0.4, 0.3, 0.2])
    assert selection.chosen == 1
    np.testing.assert_allclose(selection.regret, 0.3)
    expected = stats.spearmanr([0.5, 0.2, 0.2, 0.2], [0.1, 0.4, 0.3, 0.2]).statistic
    np.testing.assert_allclose(selection.rank_correlation, expected)
    assert np.isnan(select([1.0, 1.0], [0.1, 0.2]).rank_correlation)


def test_unusable_candidates_are_never_chosen_but_counted() -> None:
    criterion = np.array([[np.nan, np.nan], [0.3, np.inf], [0.2, np.nan], [0.1, -np.inf]])
    w2s_error = np.array([[0.05, 1.0], [0.4, 1.0], [0.5, 1.0], [np.nan, 1.0]])
    selection = select(criterion, w2s_error)
    np.testing.assert_array_equal(selection.chosen, [2, -1])
    np.testing.assert_array_equal(selection.usable, [2, 0])
    # The best candidate is the best usable one: the first has no criterion.
    np.testing.assert_allclose(selection.regret[0], 0.1)
    assert np.isnan(selection.regret[1]) and np.isnan(selection.negative_share[1])
    masked = select([0.1, 0.2, 0.3], [0.1, 0.2, 0.3], usable=[False, True, True])
    assert (masked.chosen, masked.usable) == (1, 2)
    np.testing.assert_allclose(masked.regret, 0)
    np.testing.assert_allclose(select(None, [0.1, 0.2, 0.4], [False, True, True]).regret, 0.1)
    # A NaN in any quantity takes the candidate away from every criterion.
    for selection in compare_criteria([0.1, 1.0], [np.nan, 0.1], [0.0, 1.0]).values():
        assert selection.usable == 1 and selection.chosen in (1, -1)
        np.testing.assert_allclose(selection.regret, 0)


def test_regret_is_measured_against_the_truth_given() -> None:
    selections = compare_criteria(WEAK, MISFIT, W2S, truth=W2S[::-1])
    np.testing.assert_allclose(selections["upper_bound"].regret, 0.9 - 0.3)
    np.testing.assert_allclose(selections["weak_error"].regret, 0)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shapes .* differ"):
        select([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="no candidates"):
        select(np.zeros((0, 3)), np.zeros((0, 3)))


def test_rank_correlation_is_scipys() -> None:
    rng = np.random.default_rng(0)
    a = rng.integers(0, 5, (7, 40)).astype(float)  # many ties
    b = rng.normal(size=(7, 40))
    usable = rng.random((7, 40)) < 0.8
    ours = rank_correlation(a, b, usable)
    for i in range(40):
        kept = usable[:, i]
        if kept.sum() < 2 or np.ptp(a[kept, i]) == 0:
            assert np.isnan(ours[i])
        else:
            expected = stats.spearmanr(a[kept, i], b[kept, i]).statistic
            np.testing.assert_allclose(ours[i], expected, atol=1e-12)


def test_dataset_is_the_array_path_along_an_axis() -> None:
    rng = np.random.default_rng(1)
    dims, shape = ("pair", "weak_noise", "n_weak", "task"), (5, 4, 2, 3)
    weak, misfit, w2s_error = rng.random((3, *shape))
    code = np.zeros(shape[:3], int)
    code[0, 2, 0] = int(w2s.Flag.NOT_FINITE)
    code[0, 1, 0] = int(w2s.Flag.ILL_CONDITIONED | w2s.Flag.WEAK_RANK_DEFICIENT)  # no reason to refuse
    values = {"weak_error": weak, "misfit": misfit, "w2s_error": w2s_error}
    dataset = xr.Dataset(
        {name: (dims, v) for name, v in values.items()} | {"status_code": (dims[:3], code)},
        coords={"weak_noise": [0.01, 0.02, 0.05, 0.1], "n_weak": [100, 200]},
    )
    report = select_in_dataset(dataset, "weak_noise")
    assert report["regret"].dims == ("criterion", "pair", "n_weak", "task")
    assert report["criterion"].values.tolist() == list(CRITERIA)
    usable = np.broadcast_to(((code & int(UNUSABLE)) == 0)[..., None], shape)
    moved = [np.moveaxis(v, 1, 0) for v in (weak, misfit, w2s_error, usable)]
    for name, expected in compare_criteria(*moved).items():
        for field in dataclasses.fields(expected):
            np.testing.assert_array_equal(
                report[field.name].sel(criterion=name), getattr(expected, field.name)
            )
    assert report["usable"].values[0, 0, 0, 0] == 3
    chosen = report["chosen"].sel(criterion="weak_error")
    np.testing.assert_array_equal(
        report["chosen_value"].sel(criterion="weak_error"), dataset["weak_noise"].values[chosen]
    )
    assert np.isnan(report["chosen_value"].sel(criterion="random")).all()
    with pytest.raises(ValueError, match="strong_noise.* is no axis"):
        select_in_dataset(dataset, "strong_noise")
    with pytest.raises(ValueError, match="no variable misfit"):
        select_in_dataset(dataset.drop_vars("misfit"), "weak_noise")


@pytest.fixture(scope="module")
def features() -> dict[str, dict[str, np.ndarray]]:
    """Weak candidates of one width that see more and more of the inputs; two tasks."""
    rng = np.random.default_rng(2)
    inputs = rng.normal(size=(3, 120, 6))
    truth = np.tanh(inputs @ rng.normal(size=(6, 6))) @ rng.normal(size=(6, 2))
    shared = {
        "y_train": truth[0],
        "y_transfer": truth[1],
        "y_eval": truth[2],
        "strong_transfer": inputs[1],
        "strong_eval": inputs[2],
    }
    weak = {seen: inputs * (np.arange(6) < seen) for seen in (1, 3, 5)}
    return {
        f"{seen} inputs": shared | {"weak_train": w[0], "weak_transfer": w[1], "weak_eval": w[2]}
        for seen, w in weak.items()
    }


def test_features_and_dataset_agree(features: dict[str, dict[str, np.ndarray]]) -> None:
    report, outcomes = select_candidates(features)
    assert report["regret"].dims == ("criterion", "task")
    again = select_in_dataset(outcomes, "candidate")
    xr.testing.assert_identical(report.drop_vars("chosen_name"), again)
    alone = [w2s.evaluate_features(**arguments) for arguments in features.values()]
    bound = np.stack([np.asarray(o.weak_error - o.misfit) for o in alone])
    chosen = report.sel(criterion="upper_bound")
    np.testing.assert_array_equal(chosen["chosen"], bound.argmin(0))
    assert chosen["chosen_name"].values.tolist() == [list(features)[i] for i in bound.argmin(0)]
    assert set(report["chosen_name"].sel(criterion="random").values) == {""}
    w2s_error = np.stack([np.asarray(o.w2s_error) for o in alone])
    np.testing.assert_allclose(chosen["regret"], w2s_error[bound.argmin(0), [0, 1]] - w2s_error.min(0))


def test_candidates_are_refused_by_name(features: dict[str, dict[str, np.ndarray]]) -> None:
    with pytest.raises(ValueError, match="candidates is empty"):
        select_candidates([])
    spoiled = dict(features["1 inputs"], weak_eval=features["1 inputs"]["weak_eval"][:, :2])
    with pytest.raises(ValueError, match="candidate 'b': weak_eval"):
        select_candidates({"a": features["1 inputs"], "b": spoiled})
    with pytest.raises(ValueError, match="candidate '0': .*unknown"):
        select_candidates([dict(features["1 inputs"], unknown=1)])


def network(world: PerturbedCandidates, key: jax.Array, index: int) -> jax.Array:
    """Return the parameters of the weak, target or strong network as one array."""
    return ravel_pytree(jax.tree.map(lambda p: p[index], world.draw(key).parameters))[0]


def test_candidates_of_one_target_have_their_own_noise() -> None:
    key = jax.random.key(0)
    worlds = [PerturbedCandidates(weak_noise=noise, strong_noise=0.0) for noise in (0.01, 0.02, 0.01)]
    weak, target, strong = ([network(world, key, i) for world in worlds] for i in range(3))
    np.testing.assert_array_equal(target[0], target[1])
    np.testing.assert_array_equal(strong[0], target[0])
    np.testing.assert_array_equal(weak[0], weak[2])
    first, second = (weak[0] - target[0]) / 0.01, (weak[1] - target[1]) / 0.02
    assert abs(float(jnp.corrcoef(first, second)[0, 1])) < 0.1
    np.testing.assert_allclose([first.std(), second.std()], 1, atol=0.1)
    # Equal levels of weak and strong noise are different copies.
    both = PerturbedCandidates(weak_noise=0.02, strong_noise=0.02)
    assert float(jnp.abs(network(both, key, 0) - network(both, key, 2)).max()) > 0.01


@pytest.fixture(scope="module")
def swept() -> xr.Dataset:
    """A small version of the study."""
    study = studies.get("charikar2024-selection")
    assert isinstance(study, studies.Study)
    axes = {
        "weak_noise": (0.02, 0.05, 0.1),
        "n_weak": (60, 300),
        "n_strong": (60, 300),
        "n_eval": (50, 200, 900),
    }
    protocol = dataclasses.replace(study.protocol, tasks=2)
    return w2s.sweep(study.world, protocol, pairs=4, axes=axes)


def test_held_out_error_is_of_the_other_rows(swept: xr.Dataset) -> None:
    truth = held_out_error(swept)
    assert truth["n_eval"].values.tolist() == [50, 200]
    whole = swept["w2s_error"].sel(n_eval=900, drop=True)
    first = swept["w2s_error"].sel(n_eval=[50, 200])
    n = first["n_eval"]
    combined = ((n * first + (900 - n) * truth) / 900).transpose(*first.dims)
    np.testing.assert_allclose(combined, whole.broadcast_like(first).transpose(*first.dims))
    with pytest.raises(ValueError, match="n_eval has no second value"):
        held_out_error(swept.isel(n_eval=[0]))


def test_report_and_figure_of_the_study(swept: xr.Dataset) -> None:
    report = selections(swept)
    assert report["regret"].dims == ("criterion", "pair", "n", "n_eval", "task")
    cell = {"n_weak": 300, "n_strong": 300, "n_eval": 200}
    expected = select_in_dataset(swept.sel(cell), "weak_noise", held_out_error(swept).sel(cell))
    for field in ("chosen", "regret", "rank_correlation"):
        np.testing.assert_allclose(report[field].sel(n=300, n_eval=200), expected[field])
    result = selection_by_size(swept)
    numbers = selection_report(result)
    assert numbers["candidate_axis"] == "weak_noise" and numbers["selections_per_size"] == 8
    assert numbers["unusable_candidates"] == 0
    random = numbers["random"]["n=300, n_eval=200"]
    assert (
        random["best_share"]["mean"] == pytest.approx(1 / 3) and random["rank_correlation"]["median"] is None
    )
    assert "share of tasks" in numbers["headline"]
    figure = selection_against_samples(result, "title")
    assert len(figure.axes) == 6
    assert all(axes.get_xlabel() and axes.get_ylabel() for axes in figure.axes)
    with pytest.raises(ValueError, match="hold candidates"):
        selections(swept.isel(weak_noise=0, drop=True))


def test_weak_error_is_no_criterion_among_strong_models() -> None:
    assert criteria_for("weak_noise") == CRITERIA
    assert criteria_for("strong_noise") == ("upper_bound", "misfit", "random")


def test_studies_select_among_weak_and_strong_models() -> None:
    for name, axis, least in (
        ("charikar2024-selection", "weak_noise", 8),
        ("charikar2024-selection-strong", "strong_noise", 6),
    ):
        study = studies.get(name)
        assert isinstance(study, studies.Study)
        assert len(study.axes[axis]) >= least and study.pairs >= 1000
        assert study.axes["n_weak"] == study.axes["n_strong"]
