"""Studies of real data: what people, layers, descriptors and transformers teach, on stand-ins and on the sets."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

import w2sjax as w2s
from tests.real import DATA
from w2sjax.random.keys import Role, pair_key, role_key
from w2sjax.random.threefry import seed_key
from w2sjax.sets import rows, sentences
from w2sjax.studies import real_data
from w2sjax.studies.index import record

ROWS = {"tweets": 160, "movies": 400, "amazon": 200, "news": 200}


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stand-ins for what encoders make of sentences: later layers know more of the rating."""

    def of(domain: str) -> Any:
        rng = np.random.default_rng(ROWS[domain])
        n = ROWS[domain]
        mean = rng.normal(size=n)
        ratings = list(mean[:, None] + rng.normal(size=(n, 15)))
        layers = [rng.normal(size=(n, 6)) + 0.3 * (i + 1) * mean[:, None] for i in range(7)]
        source = np.array([str(i) for i in range(n)])
        found = sentences.Sentences(["x"] * n, mean, ratings, source, {})
        return real_data._Encoded(found, np.array(layers), rng.normal(size=(n, 4)))

    monkeypatch.setattr(real_data, "_encoded", of)
    return of


def test_weak_models_of_another_domain_equal_scikit_learn(encoded: Any) -> None:
    study = real_data.build("sentences-domains-news")
    assert isinstance(study, w2s.studies.Study)
    world = study.world
    dataset = w2s.sweep(world, study.protocol, pairs=1)
    pools = world.draw(role_key(pair_key(seed_key(0), 0), Role.PAIR)).pools
    weak, test = (np.asarray(pools[split]) for split in ("weak", "eval"))
    assert len(weak) == int(0.35 * ROWS["tweets"]) and weak.min() >= ROWS["tweets"] > test.max()
    x, y = world.features["weak_4"], world.targets[:, 0]  # layer 6
    predicted = Ridge(alpha=len(weak)).fit(x[weak], y[weak]).predict(x[test])
    np.testing.assert_allclose(dataset.w4_error.item(), ((predicted - y[test]) ** 2).mean(), rtol=1e-8)


def test_the_study_of_methods_goes_up_the_layers(encoded: Any, tmp_path: Path) -> None:
    study = real_data.build("sentences-methods")
    assert isinstance(study, w2s.studies.Study)
    chain = {stage.name: (stage.features, stage.labels, stage.split) for stage in study.protocol.stages}
    assert chain["bootstrapped"] == ("layer_6", "second", "strong_3") and chain["first"][1] == "weak"
    few = [stage for stage in study.protocol.stages if stage.name in ("weak", "w2s", "confidence", "ceiling")]
    dataset = w2s.sweep(study.world, dataclasses.replace(study.protocol, stages=tuple(few)), pairs=2)
    result = study.analysis(dataset)
    right = dataset["w2s_accuracy"].values.mean(axis=-1)
    found = result["accuracy"].sel(student="w2s", of="median")
    assert float(found) == pytest.approx(np.median(right))
    pools = study.world.draw(role_key(pair_key(seed_key(0), 1), Role.PAIR)).pools
    train, test = (np.asarray(pools[split]) for split in ("weak", "eval"))
    x, positive = study.world.features["layer_0"], study.world.targets[:, 0] > 0
    weak = LogisticRegression(C=1 / (2 * 80 * 0.01), tol=1e-9).fit(x[train], positive[train])
    assert dataset["weak_accuracy"].isel(pair=1).item() == weak.score(x[test], positive[test])
    assert set(study.report(result)["pgr"]) == {"w2s", "confidence"}
    study.figure(result, "t").savefig(tmp_path / "x.png")


def test_people_and_static_embeddings_supervise(encoded: Any) -> None:
    study = real_data.build("sentences-amazon-sign")
    assert isinstance(study, w2s.studies.Study)
    dataset, study = small(study)
    cell = study.analysis(dataset).isel(n_weak=-1, n_strong=-1, strong=0).sel(of="median")
    assert cell["weak"].values.tolist()[3:6] == ["10 raters", "static", "layer 0"]
    assert float(cell.weak_error.sel(weak="10 raters")) < 0.3 < float(cell.weak_error.sel(weak="static"))


class Grown:
    """A stand-in for pretrained transformers: lengths of the SMILES, with noise that falls with size and seed."""

    commonest = 0.3
    accuracy = np.array([0.4, 0.5])

    def __init__(self, noise: float) -> None:
        self.noise = noise

    def features(self, smiles: list[str], seed: int) -> np.ndarray:
        noise = self.noise / (seed + 1) * np.random.default_rng(0).normal(size=(len(smiles), 2))
        return np.array([[len(own), own.count("O")] for own in smiles]) + noise


@DATA
def test_transformers_of_several_sizes_supervise(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rdkit", reason="molecules need rdkit")
    grid = {f"width {w}, depth {d}": Grown(8 / w / d) for d in (1, 2) for w in (8, 32)}
    monkeypatch.setattr(real_data, "_transformers", lambda: grid)
    study = real_data.build("molecules-transformers-freesolv")
    assert isinstance(study, w2s.studies.Study)
    result = study.analysis(w2s.sweep(study.world, study.protocol, pairs=3))
    report = study.report(result)
    names = [f"{size}, seed {seed}" for size in grid for seed in (0, 1)]
    assert [row["weak"] for row in report["selection"]] == ["characters", *names]
    assert report["accuracy"]["width 8, depth 2"] == [0.4, 0.5]
    errors = w2s.analysis.at_largest(result)["weak_error"].sel(of="median")
    noisy, other = (float(errors.sel(weak=f"width 8, depth 2, seed {seed}")) for seed in (0, 1))
    assert other < noisy
    expected = [(noisy + other) / 2, other, noisy]
    np.testing.assert_allclose(report["sizes"]["width 8, depth 2"]["weak_error"], expected, rtol=1e-12)
    assert report["sizes"]["characters"]["gain"][1:] == [report["selection"][0]["gain"][0]] * 2
    figure = study.figure(result, "t")
    (lines,) = (axes for axes in figure.axes if axes.get_xlabel() == "width")
    drawn = [line.get_ydata() for line in lines.get_lines() if len(line.get_xdata()) == 2]
    means = [report["sizes"][f"width {w}, depth 1"]["weak_error"][0] for w in (8, 32)]
    assert any(np.array_equal(y, means) for y in drawn)


@DATA
@pytest.mark.parametrize("kind", ["scaffold", "clusters"])
def test_no_group_is_in_two_splits(kind: str) -> None:
    pytest.importorskip("rdkit", reason="molecules need rdkit")
    from w2sjax.sets.molecules import molecule_set

    study = w2s.studies.get(f"molecules-{kind}-freesolv")
    groups = real_data._GROUPS[kind](molecule_set("FreeSolv")[0].smiles)
    pools = study.world.draw(role_key(pair_key(seed_key(0), 3), Role.PAIR)).pools
    of_split = [set(groups[np.asarray(rows)]) for rows in pools.values()]
    assert len(set.union(*of_split)) == sum(map(len, of_split))


def small(study: Any) -> Any:
    on_record = record()[study.name]
    cells = np.prod([len(values) for values in study.axes.values()])
    assert (on_record["pairs"], on_record["cells"]) == (study.pairs, cells), "run docs/gallery.py"
    sizes = {name: values[-2:] for name, values in study.axes.items()}
    return w2s.sweep(study.world, study.protocol, axes=sizes, pairs=3), dataclasses.replace(study, axes=sizes)


@DATA
def test_the_study_of_molecules(tmp_path: Path) -> None:
    pytest.importorskip("rdkit", reason="molecules need rdkit")
    dataset, study = small(w2s.studies.get("molecules-freesolv"))
    result = study.analysis(dataset)
    report = study.report(result)
    cell = result.sel(of="median").isel(n_weak=-1, n_strong=-1, label_noise=0).sel(strong=report["student"])
    row = dict(zip([r["weak"] for r in report["selection"]], report["selection"], strict=True))["maccs"]
    assert row["gain"][0] == float(cell.gain.sel(weak="maccs"))
    number_of_student = result["strong"].values.tolist().index(report["student"])
    values = dataset[f"s4_{number_of_student}_gain"].isel(n_weak=-1, n_strong=-1, label_noise=0, task=0)
    assert row["gain"][0] == pytest.approx(float(values.median()), rel=1e-12)
    assert sum(r["chosen"] for r in report["selection"]) == pytest.approx(1)
    assert float(result["label_free"].min()) >= 0 and float(result["label_free"].max()) <= 1 + 1e-9
    study.figure(result, "t").savefig(tmp_path / "x.png")
    w2s.figures.help_panels([result, result], ["a", "b"], "t").savefig(tmp_path / "y.png")


@DATA
def test_students_of_people_measure_the_noise_of_raters() -> None:
    """misfit = noise / k + the student's own error against what all raters would say, for independent raters.

    On characters of the sentences as features, with everything else as in the study.
    """
    found = sentences.read_sentences(rows.data_file("sentiment", "amazon.csv"))
    people = sentences.raters(found.ratings)
    counts = np.array([[own.count(c) for c in "abcdefghijklmnopqrstuvwxyz!? "] for own in found.texts], float)
    table = w2s.analysis.compare_representations(
        {str(k): labels[:, None] for k, labels in people.labels.items()},
        {"characters": w2s.data.standardized("characters", counts)},
        people.truth,
        resamples=20,
        weak_head=w2s.heads.AsIs(),
        head=w2s.heads.Ridge(0.1),
    )
    for k in people.labels:
        own = table.sel(weak=str(k)).isel(strong=0)
        student = own.w2s_error - people.truth_noise
        difference = (own.misfit - student - people.noise / k).values
        assert abs(difference.mean()) < 0.06 * float(own.misfit.mean())
        np.testing.assert_allclose(own.weak_error.mean(), people.noise / k + people.truth_noise, rtol=0.15)
