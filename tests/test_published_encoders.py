"""Encoders by the library transformers, on tiny checkpoints of random weights. Nothing is fetched."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import w2sjax as w2s
from tests.real import word_tokenizer
from w2sjax.encoders import layer_features, load_bert, load_published

TEXTS = ["a good day", "bad", "a very very bad day", "day " * 30]
WIDTH, WORDS = 16, ("[PAD]", "[UNK]", "a", "good", "day", "bad", "very")
SMALL = {"vocab_size": len(WORDS), "hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2}
KINDS: dict[str, dict[str, Any]] = {
    "Bert": SMALL | {"intermediate_size": 24, "max_position_embeddings": 40},
    "Roberta": SMALL | {"intermediate_size": 24, "max_position_embeddings": 40, "pad_token_id": 0},
    "DistilBert": {"vocab_size": len(WORDS), "dim": WIDTH, "n_layers": 2, "n_heads": 2, "hidden_dim": 24},
    "GPT2": {"vocab_size": len(WORDS), "n_embd": WIDTH, "n_layer": 2, "n_head": 2, "n_positions": 40},
    "T5": {
        "vocab_size": len(WORDS),
        "d_model": WIDTH,
        "d_kv": 8,
        "d_ff": 24,
        "num_layers": 2,
        "num_heads": 2,
    },
}


def saved(kind: str, folder: Path) -> Any:
    """Write a model of random weights and a tokenizer of whole words, and return the model."""
    reason = "torch and transformers are not installed"
    torch = pytest.importorskip("torch", reason=reason)
    transformers = pytest.importorskip("transformers", reason=reason)
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**KINDS[kind])
    model = getattr(transformers, f"{kind}Model")(config).eval()
    model.save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=word_tokenizer(WORDS), pad_token="[PAD]", unk_token="[UNK]"
    ).save_pretrained(folder)
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_features_are_those_of_one_sentence_at_a_time(kind: str, tmp_path: Path) -> None:
    model = saved(kind, tmp_path)
    import torch

    encoder = load_published(tmp_path)
    found = layer_features(encoder, TEXTS, length=20, batch=3, store=tmp_path / "kept")
    assert found.shape == (3, len(TEXTS), WIDTH) and found.dtype == np.float32
    alone = model.get_encoder() if kind == "T5" else model
    for row, text in enumerate(TEXTS):
        tokens = torch.tensor([[WORDS.index(word) for word in text.split()[:20]]])
        with torch.no_grad():
            states = alone(input_ids=tokens, output_hidden_states=True).hidden_states
        means = np.stack([layer[0].mean(0).numpy() for layer in states])
        np.testing.assert_allclose(found[:, row], means, rtol=1e-4, atol=1e-5)
    if kind == "Bert":
        np.testing.assert_allclose(
            layer_features(load_bert(tmp_path), TEXTS, length=20), found, rtol=1e-4, atol=1e-5
        )


def test_no_code_of_a_checkpoint_is_run(tmp_path: Path) -> None:
    saved("Bert", tmp_path)
    ran = tmp_path / "ran"
    (tmp_path / "own.py").write_text(f"open({str(ran)!r}, 'w')\nclass Model: ...\nclass Config: ...\n")
    config = json.loads((tmp_path / "config.json").read_text())
    own = {"model_type": "own", "auto_map": {"AutoModel": "own.Model", "AutoConfig": "own.Config"}}
    (tmp_path / "config.json").write_text(json.dumps(config | own))
    with pytest.raises(w2s.W2SError, match="holds no encoder"):
        load_published(tmp_path)
    assert not ran.exists()


def test_what_is_no_checkpoint(tmp_path: Path) -> None:
    saved("Bert", tmp_path / "whole")
    with pytest.raises(w2s.W2SError, match="holds no .safetensors file"):
        load_published(tmp_path)
    for damaged in ("model.safetensors", "config.json"):
        content = (tmp_path / "whole" / damaged).read_bytes()
        (tmp_path / "whole" / damaged).write_bytes(content[: len(content) // 2])
        with pytest.raises(w2s.W2SError, match="holds no encoder"):
            load_published(tmp_path / "whole")
        (tmp_path / "whole" / damaged).write_bytes(content)


def test_missing_libraries_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(w2s.W2SError, match=r"pip install 'w2sjax\[transformers\]'"):
        load_published(tmp_path)
