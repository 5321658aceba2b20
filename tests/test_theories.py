"""Every theory against simulation, in the names of the sweep; what violates an assumption is refused by its name."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

import w2sjax as w2s
from tests.theory_cases import CASES
from tests.theory_cases import DEEP_LINEAR as LINEAR
from w2sjax import analysis, theory
from w2sjax.figures import theory_beside_simulation
from w2sjax.heads import Ball, Ridge


def test_every_theory_has_a_case() -> None:
    assert {case.theory.name for case in CASES.values()} == {one.name for one in theory.THEORIES}


@pytest.mark.parametrize("name", CASES)
def test_predictions_are_within_three_standard_errors(name: str) -> None:
    case = CASES[name]
    prediction = case.theory.predict(case.world, case.protocol, case.axes, pairs=case.pairs)
    dataset = w2s.sweep(case.world, case.protocol, pairs=case.pairs, axes=case.axes, metrics=case.metrics)
    assert {name.removesuffix("_spread") for name in prediction} <= set(dataset)
    assert list(prediction.dims)[: len(case.axes)] == list(case.axes)
    assert np.prod([len(values) for values in case.axes.values()]) >= 3
    result = analysis.beside_theory(dataset, prediction)
    first = str(next(iter(result)))
    xr.testing.assert_allclose(
        result[first].sel(of="simulated", drop=True), dataset[first].mean(("pair", "task"))
    )
    rounding = 1e-9 * dataset["weak_error"].mean()  # of what is zero
    for variable in result:
        predicted, simulated, error = (result[variable].sel(of=of) for of in result["of"].values)
        scale = abs(predicted)
        if "weak_error" in result:
            scale = np.maximum(scale, result["weak_error"].sel(of="predicted"))
        allowed = 3 * error + rounding + prediction.attrs["finite_size"] * scale
        assert (abs(simulated - predicted) <= allowed).all(), (variable, predicted, simulated, error)
    assert (result[first].sel(of="standard_error") < 0.2 * abs(result[first].sel(of="predicted"))).all()
    report = analysis.theory_report(result)
    assert prediction.attrs["finite_size"] or max(report["largest_distance_in_standard_errors"].values()) < 3
    assert report["largest_distance_in_standard_errors"][first] > 0
    figure = theory_beside_simulation(result, "title")
    assert len([panel for panel in figure.axes if panel.get_visible()]) == len(result)
    panel = figure.axes[0]
    x = max(case.axes, key=lambda axis: len(case.axes[axis]))
    assert panel.get_xlabel().partition("  [")[0] == x and first in panel.get_ylabel()
    np.testing.assert_array_equal(panel.lines[0].get_xdata(), case.axes[x])


def test_lines_may_be_finer_than_the_simulation() -> None:
    protocol = w2s.Protocol(n_strong=50, n_eval=50, tasks=2, label_noise=0.5)
    dataset = w2s.sweep(LINEAR, protocol, pairs=2, axes={"n_weak": [20, 80]})
    fine = theory.LEAST_SQUARES.predict(LINEAR, protocol, {"n_weak": [20, 40, 80]})
    result = analysis.beside_theory(dataset, fine)
    assert result["n_weak"].values.tolist() == [20, 40, 80]
    assert result["gain"].sel(of="predicted").notnull().all()
    assert result["gain"].sel(of="simulated").isnull().values.tolist() == [False, True, False]
    assert len(theory_beside_simulation(result).axes[0].lines[0].get_xdata()) == 3


def test_without_axes_there_is_one_cell() -> None:
    prediction = theory.LEAST_SQUARES.predict(LINEAR, w2s.Protocol(n_weak=100, label_noise=2.0))
    assert not prediction.dims
    alone = prediction.expand_dims(of=["predicted"])
    with pytest.raises(w2s.W2SError, match="no axis to draw along"):
        theory_beside_simulation(alone)
    assert prediction["weak_error"] == pytest.approx(4 * (1 / 100 + 8 / 90 * 1.01))
    assert prediction["weak_error"].attrs["units"] == "squared label unit"


@pytest.mark.parametrize(
    ("world", "protocol", "axes", "message"),
    [
        ({}, {}, {"n_weak": [100, 10]}, "n_weak=10 with 8 features violates .* + 2.*: set n_weak to 11 or more"),
        ({}, {"n_strong": 4}, {}, "n_strong=4 with 8 features"),
        ({"activation": "relu"}, {}, {}, "activation='relu' violates the assumption of features that are linear"),
        ({"inputs": "uniform"}, {}, {}, "inputs='uniform' violates the assumption of Gaussian inputs: set inputs="),
        ({"width": 4}, {}, {}, "weak_noise=0.05 with width=4 < input_dim=8 violates"),
        ({}, {"head": Ridge(0.1), "weak_head": Ridge()}, {}, "ridge=0.1 violates the assumption of least squares"),
        ({}, {}, {"ridge": [0.0, 0.5]}, "ridge=0.5 violates the assumption of least squares: set ridge=0"),
        ({}, {"head": Ball()}, {}, r"head=Ball\(.*\) violates the assumption of least squares: set head=Ridge"),
        ({}, {}, {"n_wek": [100]}, "axes has no field 'n_wek' to vary: did you mean 'n_weak'"),
    ],
)  # fmt: skip
def test_violated_assumptions_are_refused_by_name(
    world: dict[str, Any], protocol: dict[str, Any], axes: dict[str, Any], message: str
) -> None:
    fields = {"activation": "identity"} | world
    with pytest.raises(w2s.W2SError, match=message.replace("+", r"\+")):
        theory.LEAST_SQUARES.predict(w2s.worlds.PerturbedMLP(**fields), w2s.Protocol(**protocol), axes)


def test_what_no_sweep_takes_is_refused() -> None:
    with pytest.raises(w2s.W2SError, match=r"axes\['n_weak'\]=20 is not a list"):
        theory.LEAST_SQUARES.predict(LINEAR, w2s.Protocol(), {"n_weak": 20})  # type: ignore[dict-item]
    with pytest.raises(w2s.W2SError, match="is not a Protocol"):
        theory.LEAST_SQUARES.predict(w2s.Protocol(), LINEAR)


def test_other_worlds_are_refused() -> None:
    with pytest.raises(w2s.W2SError, match=r"world=PretrainedMLP\(...\) violates the assumption of Gaussian"):
        theory.LEAST_SQUARES.predict(w2s.worlds.PretrainedMLP(), w2s.Protocol())
