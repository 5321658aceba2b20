"""Static embeddings of tokens: a sentence is the mean of its tokens' vectors, whatever stands beside them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from w2sjax.errors import W2SError
from w2sjax.paths import user_path
from w2sjax.sets.rows import check_sentences

WORDLLAMA = ("weights/l2_supercat_256.safetensors", "tokenizers/l2_supercat_tokenizer_config.json")
"""Weights and tokenizer in the folder of the package wordllama (MIT)."""


class Static(NamedTuple):
    """Vectors float32 `[token, width]`, and a tokenizer of the library `tokenizers`."""

    vectors: np.ndarray
    tokenizer: Any

    def features(self, sentences: Sequence[str]) -> np.ndarray:
        """Return the mean over a sentence's tokens, none of them special, float32 `[sentence, width]`.

        A sentence without a token that is known is 0.

        Raises:
            W2SError: for what is no text, with its row, or no sentences.
        """
        check_sentences(sentences)
        found = np.zeros((len(sentences), self.vectors.shape[1]), np.float32)
        for row, own in enumerate(self.tokenizer.encode_batch(list(sentences), add_special_tokens=False)):
            known = [i for i in own.ids if i < len(self.vectors)]
            if known:
                found[row] = self.vectors[known].mean(axis=0)
        return found


def load_static(weights: str | Path, tokenizer: str | Path) -> Static:
    """Read static embeddings as data: a safetensors file with one matrix, and a tokenizer as JSON. No code is run.

    `WORDLLAMA` names those of the package wordllama.

    Raises:
        W2SError: for a file that is missing or damaged, or holds anything but one matrix.
    """
    try:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer
    except ImportError as error:
        raise W2SError(f"encoders need a library ({error}): pip install 'w2sjax[sentences]'.") from error
    files = user_path("weights", weights), user_path("tokenizer", tokenizer)
    try:
        stored = load_file(files[0])
        words = Tokenizer.from_file(str(files[1]))
    except Exception as error:  # of whatever kind a library raises for damaged content
        text = " ".join(str(error).split())[:160]
        raise W2SError(
            f"{files[0]} and {files[1]} hold no embeddings ({text}): pass .safetensors and .json."
        ) from error
    if len(stored) != 1 or (vectors := next(iter(stored.values()))).ndim != 2:
        shapes = {name: values.shape for name, values in stored.items()}
        raise W2SError(f"{files[0]} holds {shapes}: pass one with a single matrix [token, width].")
    words.no_padding()
    words.no_truncation()
    return Static(vectors.astype(np.float32), words)
