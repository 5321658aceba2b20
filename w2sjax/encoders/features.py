"""Features of sentences by every layer of an encoder: in batches of like length, kept and taken up again."""

import hashlib
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from w2sjax.files import write_atomically
from w2sjax.paths import user_path
from w2sjax.sets.rows import check_sentences
from w2sjax.validation import check_integer

LENGTHS = (16, 32, 64, 128, 256, 512)
"""Tokens that a batch is padded to: a program is compiled for each that occurs."""

CHUNK = 256
"""Sentences whose features are kept as one file of a store."""


class Encoder(Protocol):
    """What turns tokens into states of layers."""

    @property
    def tokenizer(self) -> Any:
        """The library tokenizers' `Tokenizer`, without padding."""

    @property
    def digest(self) -> str:
        """Hash of the weights."""

    def means(self, tokens: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Return means over the tokens inside, `[layer + 1, batch, width]`, of tokens int32 `[batch, length]`."""


def layer_features(
    encoder: Encoder,
    sentences: Sequence[str],
    *,
    length: int = 128,
    batch: int = 32,
    store: str | Path | None = None,
    progress: bool = False,
) -> np.ndarray:
    """Return the means over tokens of the hidden states of every layer, float32 `[layer + 1, sentence, width]`.

    Layer 0 are the embeddings. The mean is over all tokens that are there, the special ones included, as
    sentence-transformers takes it, without its normalization.

    Args:
        encoder: of `load_bert` or `load_published`.
        sentences: text.
        length: tokens, special ones included, that longer sentences are cut to.
        batch: sentences that go together.
        store: a folder that keeps what is done, so that a stopped run goes on and a finished one is read.
        progress: report on stderr.

    Raises:
        W2SError: for what is no text, with its row, or no sentences.

    Cost: about 24 layers width^2 multiplications per token; memory for the features and a batch.
    """
    check_integer("length", length, least=3, most=LENGTHS[-1])
    check_integer("batch", batch, least=1)
    check_sentences(sentences)
    tokens = [
        np.array(e.ids)[:length]
        for e in encoder.tokenizer.encode_batch([s[: 20 * length] for s in sentences])
    ]
    # Batches of like length are padded little.
    order = np.argsort([len(ids) for ids in tokens], kind="stable")
    folder = None if store is None else user_path("store", store)
    parts = []
    for start in range(0, len(order), CHUNK):
        chosen = [tokens[i] for i in order[start : start + CHUNK]]
        file = None if folder is None else folder / f"{_name(encoder, chosen)}.npy"
        if file is not None and file.exists():
            parts.append(np.load(file, allow_pickle=False))
        else:
            found = [_of_batch(encoder, chosen[i : i + batch], batch) for i in range(0, len(chosen), batch)]
            parts.append(np.concatenate(found, axis=1))
            if file is not None:
                _keep(file, parts[-1])
        if progress:
            done = min(start + CHUNK, len(order))
            print(f"{done} of {len(order)} sentences", file=sys.stderr, flush=True)
    result = np.empty_like(parts[0], shape=(len(parts[0]), len(order), parts[0].shape[2]))
    result[:, order] = np.concatenate(parts, axis=1)
    return result


def _name(encoder: Encoder, tokens: list[np.ndarray]) -> str:
    """Return what the features of sentences by an encoder are called: a hash of both."""
    text = json.dumps([encoder.digest, [ids.tolist() for ids in tokens]])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _keep(file: Path, values: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    np.save(stream, values)
    write_atomically(file, stream.getvalue())


def _of_batch(encoder: Encoder, tokens: list[np.ndarray], batch: int) -> np.ndarray:
    longest = max(map(len, tokens))
    padded = np.zeros((batch, next(n for n in LENGTHS if n >= longest)), np.int32)
    inside = np.zeros(padded.shape, bool)
    inside[:, 0] = True  # so that rows that fill the batch have a mean
    for row, ids in enumerate(tokens):
        padded[row, : len(ids)], inside[row, : len(ids)] = ids, True
    return encoder.means(padded, inside)[:, : len(tokens)]
