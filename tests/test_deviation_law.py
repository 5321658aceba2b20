"""The law of the deviation against many samples of one pair, its coverage, its bands, and what it refuses."""

import json
from typing import Any

import jax
import numpy as np
import pytest
import xarray as xr

import w2sjax as w2s
from w2sjax import analysis, studies, theory
from w2sjax.analysis.deviation import deviation_laws, law_band, law_coverage, law_over_map
from w2sjax.cli import main
from w2sjax.engine.redraw import _redraw, redraw
from w2sjax.figures import finite_sample_map, law_coverage_figure
from w2sjax.report import contents
from w2sjax.theory.deviation import laws_of_pairs

WORLD = w2s.worlds.PerturbedMLP(
    input_dim=4, width=4, depth=2, activation="tanh", input_scale=1.0, weak_noise=0.3, strong_noise=0.0
)
PROTOCOL = w2s.Protocol(n_weak=100, n_eval=1000, tasks=3)
AXES: dict[str, list[Any]] = {"strong_noise": [0.0, 0.1], "n_strong": [4, 500, 2000]}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    store = tmp_path_factory.mktemp("law") / "law.zarr"
    w2s.sweep(WORLD, PROTOCOL, pairs=60, axes=AXES, store=store)
    return w2s.open_store(store).load().assign_attrs(store=str(store))


def test_mean_and_spread_are_those_of_many_samples() -> None:
    """One weak model and one population, 4000 samples of the w2s model fitted by NumPy."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400_000, 3))
    strong = np.tanh(x @ rng.normal(size=(3, 3)))
    truth, weak = np.sin(x.sum(1)), np.maximum(x[:, 0], x[:, 1])
    law = theory.deviation_law(strong, weak[:, None], truth[:, None])
    z = np.c_[strong, np.ones(len(x))]
    n, found = 300, []
    for _ in range(4000):
        rows = rng.integers(0, len(x), n)
        head = np.linalg.lstsq(z[rows], weak[rows], rcond=None)[0]
        found.append(head)
    heads = np.stack(found, axis=1)
    second, cross = z.T @ z / len(z), z.T @ np.c_[weak, truth] / len(z)
    to = [((h * (second @ h)).sum(0) - 2 * c @ h) for c in cross.T for h in (heads,)]
    constant = np.mean(weak**2), np.mean(truth**2)
    misfit, w2s_error = to[0] + constant[0], to[1] + constant[1]
    deviation = np.mean((weak - truth) ** 2) - w2s_error - misfit
    error = deviation.std() / len(deviation) ** 0.5
    assert abs(deviation.mean() - law.mean(n)[0]) < 3 * error + 0.1 * abs(law.bias[0]) / n
    np.testing.assert_allclose(law.spread(n)[0], deviation.std(), rtol=0.05)
    assert abs(law.bias[0]) / n > 8 * error  # which the mean without the bias would fail


def test_one_program_draws_any_number_of_pairs_again() -> None:
    def drawn(pairs: list[int]) -> np.ndarray:
        found: np.ndarray = redraw(WORLD, PROTOCOL, PROTOCOL.chain()[:1], ("strong",), 500, 0, pairs)[0][
            "strong"
        ]
        return found

    first, programs = drawn([2]), _redraw._cache_size()  # type: ignore[attr-defined]
    np.testing.assert_array_equal(drawn([1, 2, 4])[1], first[0])
    assert _redraw._cache_size() == programs  # type: ignore[attr-defined]


def test_no_prediction_is_on_rows_of_the_sweep_and_a_pair_stands_alone() -> None:
    law = laws_of_pairs(WORLD, PROTOCOL, 0, (0, 3, 5), 1000)
    assert law.limit.shape == (3, 3) and (law.dimension == 5).all()
    assert np.abs(law.limit).max() < 1e-12  # realizable: the residual is orthogonal to all that is strong
    alone = laws_of_pairs(WORLD, PROTOCOL, 0, (3,), 1000)
    for name in law._fields:
        np.testing.assert_allclose(getattr(alone, name)[0], getattr(law, name)[1], rtol=1e-6, atol=1e-14)
    more = laws_of_pairs(WORLD, PROTOCOL, 0, (0,), 20_000)
    assert np.abs(more.bias / law.bias[:1] - 1).max() < 0.3


def test_coverage_is_nominal_where_samples_are_many(dataset: xr.Dataset) -> None:
    result = law_coverage(dataset)
    covered = result["coverage"].sel(level=0.9)
    assert (
        covered.sel(n_strong=4).max() == 0
    )  # NaN is in no interval: four samples do not determine five numbers
    assert (abs(covered.sel(n_strong=[500, 2000]) - 0.9) < 0.08).all()
    assert (result["spread_ratio"].sel(n_strong=2000) < 1.3).all()
    report = analysis.law_report(result)
    assert "90% band holds" in report["headline"] and len(report["by_world"]) == 2
    figure = law_coverage_figure(result, "title")
    assert len(figure.axes) == 3 and "n_strong" in figure.axes[-1].get_xlabel()


def test_bands_surround_most_tasks(dataset: xr.Dataset) -> None:
    one = dataset.sel(strong_noise=[0.0], n_strong=[2000])
    band = law_band(one, "misfit", "gain")["band"].dropna("x")
    low, high = (np.interp(one["misfit"], band["x"], band.sel(quantile=q)) for q in (0.05, 0.95))
    inside = (one["gain"] > low) & (one["gain"] < high)
    among = (one["misfit"] > band["x"].min()) & (one["misfit"] < band["x"].max())
    assert 0.8 < float(inside.where(among).mean()) <= 1
    along = law_band(dataset, "n_strong", "deviation")["band"]
    assert along["x"].values.tolist() == [4, 500, 2000] and np.isnan(along.sel(x=4)).all()
    assert (
        np.diff(along.sel(x=[500, 2000], quantile=0.95) - along.sel(x=[500, 2000], quantile=0.05)) < 0
    ).all()
    with pytest.raises(w2s.W2SError, match="--theory is for gain or deviation .* not pgr against misfit"):
        law_band(dataset, "misfit", "pgr")


def test_plot_draws_the_law(dataset: xr.Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    store = dataset.attrs["store"]
    for extra in ([], ["--facet", "n_strong"], ["--x", "n_strong", "--y", "deviation", "--overwrite"]):
        with pytest.raises(SystemExit) as exit:
            main(["plot", store, "--theory", *extra])
        assert exit.value.code == 0, capsys.readouterr().err
    with pytest.raises(SystemExit) as exit:
        main(["plot", store, "--theory", "--y", "pgr"])
    assert exit.value.code == 2 and "--theory is for" in capsys.readouterr().err


def test_map_has_the_law_where_it_holds() -> None:
    sizes = [10, 300, 1000, 4000]
    world = w2s.worlds.PerturbedMLP(input_dim=4, width=4, depth=2, activation="tanh", input_scale=1.0)
    axes = {"strong_noise": [0.0, 0.1], "n_weak": sizes, "n_strong": sizes}
    swept = w2s.sweep(world, PROTOCOL, pairs=16, axes=axes)
    result = law_over_map(analysis.finite_sample(swept), swept, pairs=16)
    law, simulated = result["law"].sel(quantile=0.5), result["distance"].sel(quantile=0.5, curve="n_strong")
    ratio = (law / simulated).sel(n=[300, 1000])
    assert (ratio > 0.6).all() and (ratio < 1.6).all()
    assert len(finite_sample_map(result).axes[0].get_lines()) > len(
        finite_sample_map(result.drop_vars("law")).axes[0].get_lines()
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"head": w2s.heads.Ridge(0.1)},
            "violates the assumption of a w2s model by least squares: set head=Ridge",
        ),
        ({"head": w2s.heads.Ball()}, "a w2s model by least squares"),
        (
            {"reuse_inputs": True},
            "reuse_inputs=True violates the assumption of inputs that the weak model has not",
        ),
        ({"fresh_misfit": True}, "fresh_misfit=True violates the assumption of gain and misfit of one"),
        (
            {"n_strong": 5},
            "n_strong=5 with 5 violates the assumption of more samples than .*: set n_strong to 6",
        ),
        ({"numerics": w2s.Numerics(evaluation_points="sobol")}, "independent evaluation inputs"),
    ],
)
def test_violated_assumptions_are_refused(fields: dict[str, Any], message: str) -> None:
    protocol = w2s.Protocol(**{"n_weak": 100, "n_strong": 50, "n_eval": 500, "tasks": 2} | fields)
    with pytest.raises(w2s.W2SError, match=message):
        theory.DEVIATION_LAW.predict(WORLD, protocol)


def test_other_losses_and_cells_of_their_own_are_refused(dataset: xr.Dataset) -> None:
    text = dataset.attrs["configuration"]
    apart = dataset.assign_attrs(configuration=text.replace('"paired": true', '"paired": false'))
    with pytest.raises(w2s.W2SError, match="paired=False"):
        deviation_laws(apart)
    other = dataset.assign_attrs(configuration=text.replace('"squared error"', '"absolute error"'))
    with pytest.raises(w2s.W2SError, match="loss 'absolute error'"):
        deviation_laws(other)


def test_study_is_of_the_default_worlds() -> None:
    study = studies.get("finite-sample-law")
    assert isinstance(study, studies.Study) and study.pairs >= 1000
    assert study.world == w2s.worlds.PerturbedMLP(weak_noise=0.05)
    assert {n for n in study.axes["n_strong"] if n >= 1000} and jax.config.jax_enable_x64


def test_a_page_about_the_sweep_has_the_band(dataset: xr.Dataset) -> None:
    found = contents([dataset.isel(pair=slice(8))])
    assert found["notes"] == []
    for noise, cells in zip(AXES["strong_noise"], (found["cells"][:3], found["cells"][3:]), strict=True):
        band = law_band(dataset.isel(pair=slice(8)).sel(strong_noise=[noise]), "n_strong", "deviation")[
            "band"
        ]
        laws = [cell["law"] for cell in cells]
        assert laws[0] == [None] * 3  # of fewer samples than features
        np.testing.assert_allclose(laws[1:], band.transpose("x", "quantile")[1:], rtol=1e-4)
    found = contents(
        [
            dataset.isel(pair=slice(8)).assign_attrs(
                configuration=json.dumps(json.loads(dataset.attrs["configuration"]) | {"paired": False})
            )
        ]
    )
    assert "paired=False" in found["notes"][0]
