"""Every theory against simulation, in the names of the sweep; what violates an assumption is refused by its name."""

from typing import Any, NamedTuple

import numpy as np
import pytest
import xarray as xr

import w2sjax as w2s
from tests import test_random_feature_theories
from w2sjax import analysis, theory
from w2sjax.figures import theory_beside_simulation
from w2sjax.heads import Ball, Ridge

LINEAR = w2s.worlds.PerturbedMLP(depth=1, activation="identity", input_scale=1.0, width=8)
NARROW = w2s.worlds.PerturbedMLP(depth=2, activation="identity", width=5, weak_noise=0.0, strong_noise=0.0)


class Case(NamedTuple):
    """A sweep that a theory predicts; axes have three or more cells."""

    theory: theory.Theory
    world: Any
    protocol: w2s.Protocol
    axes: dict[str, list[Any]]
    pairs: int
    metrics: tuple[w2s.Metric, ...] = ()
    finite_size: float = 0.0
    """Relative error that is stated for the theory's limit."""


CASES = {
    "least squares, sample sizes": Case(
        theory.LEAST_SQUARES,
        LINEAR,
        w2s.Protocol(n_eval=1000, tasks=10, label_noise=0.5),
        {"n_weak": [14, 40, 300], "n_strong": [20, 200]},
        400,
    ),
    "least squares, label noise": Case(
        theory.LEAST_SQUARES,
        NARROW,
        w2s.Protocol(n_weak=30, n_strong=25, n_eval=500, tasks=5),
        {"label_noise": [0.1, 1.0, 20.0]},
        300,
    ),
    "least squares, deep and perturbed": Case(
        theory.LEAST_SQUARES,
        w2s.worlds.PerturbedMLP(input_dim=4, width=6, depth=3, activation="identity", input_scale=2.0),
        w2s.Protocol(n_weak=60, n_strong=50, n_eval=500, tasks=5, label_noise=1.0),
        {"weak_noise": [0.0, 0.05, 0.2]},
        300,
    ),
    "subspaces": Case(
        theory.SUBSPACES,
        w2s.worlds.OverlappingSubspaces(weak_dim=20, strong_dim=12, ambient_dim=240.0),
        w2s.Protocol(n_eval=500, tasks=2, label_noise=0.3, baseline=True),
        {"n_weak": [60, 200], "n_strong": [40, 200], "overlap": [0, 4, 12]},
        100,
    ),
    "principal representations": Case(
        theory.PRINCIPAL,
        w2s.worlds.RotatedSpectra(dim=10),
        w2s.Protocol(
            n_weak=150,
            n_strong=300,
            n_eval=500,
            tasks=4,
            label_noise=0.2,
            head=Ridge(1e-3),
            weak_head=Ridge(1e-2),
        ),
        {"weak_head.ridge": [1e-2, 0.1, 1.0]},
        40,
        (theory.PREDICTION_GAP,),
        finite_size=10 / 150,  # features per sample: the prediction is of the training inputs
    ),
    "two-stage ridge": Case(
        theory.TWO_STAGE,
        w2s.worlds.PowerLaw(dim=60, signal=1 / 60),
        w2s.Protocol(
            n_weak=120,
            n_strong=90,
            n_eval=1000,
            tasks=1,
            label_noise=1.0,
            head=Ridge(0.3),
            weak_head=Ridge(0.1),
        ),
        {"weak_head.ridge": [0.01, 0.3, 3.0], "n_weak": [40, 120]},
        150,
        finite_size=1 / 40,  # of order 1/n
    ),
    "two-stage ridge, weighted": Case(
        theory.TWO_STAGE,
        w2s.worlds.PowerLaw(dim=60, signal=0.1, spectrum_power=0.5, signal_power=1.0),
        w2s.Protocol(
            n_weak=40,
            n_strong=300,
            n_eval=1000,
            tasks=1,
            label_noise=0.5,
            head=Ridge(0.1),
            weak_head=Ridge(0.1),
        ),
        {"weight_power": [0.0, 1.0, 2.0]},
        150,
        finite_size=1 / 40,
    ),
    "law of the deviation": Case(
        theory.DEVIATION_LAW,
        w2s.worlds.PerturbedMLP(
            input_dim=4,
            width=4,
            depth=2,
            activation="tanh",
            input_scale=1.0,
            weak_noise=0.2,
            strong_noise=0.1,
        ),
        w2s.Protocol(n_weak=200, n_eval=2000, tasks=3),
        {"n_strong": [100, 400, 2000]},
        100,
    ),
}


def test_every_theory_has_a_case() -> None:
    cases = [*CASES.values(), *test_random_feature_theories.CASES.values()]
    assert {case.theory.name for case in cases} == {one.name for one in theory.THEORIES}


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
        assert (
            abs(simulated - predicted) <= 3 * error + rounding + case.finite_size * abs(predicted)
        ).all(), (
            variable,
            simulated,
            predicted,
            error,
        )
    assert (result[first].sel(of="standard_error") < 0.2 * abs(result[first].sel(of="predicted"))).all()
    report = analysis.theory_report(result)
    assert case.finite_size or max(report["largest_distance_in_standard_errors"].values()) < 3
    assert report["largest_distance_in_standard_errors"][first] > 0
    figure = theory_beside_simulation(result, "title")
    assert len([panel for panel in figure.axes if panel.get_visible()]) == len(result)
    panel = figure.axes[0]
    x = max(case.axes, key=lambda axis: len(case.axes[axis]))
    assert panel.get_xlabel() == x and first in panel.get_ylabel()
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


def test_other_worlds_are_refused() -> None:
    with pytest.raises(w2s.W2SError, match=r"world=PretrainedMLP\(...\) violates the assumption of Gaussian"):
        theory.LEAST_SQUARES.predict(w2s.worlds.PretrainedMLP(), w2s.Protocol())
