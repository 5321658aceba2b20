"""Any published encoder that the library transformers reads: RoBERTa, DistilBERT, GPT, T5 and others, by PyTorch."""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from w2sjax.encoders.features import LENGTHS
from w2sjax.errors import W2SError
from w2sjax.paths import user_path


class Published(NamedTuple):
    """A model of the library transformers, its tokenizer of the library tokenizers, and a hash of its weights."""

    model: Any
    tokenizer: Any
    digest: str

    def means(self, tokens: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Return means over the tokens inside, `[layer + 1, batch, width]`, of tokens int32 `[batch, length]`."""
        import torch

        mask = torch.from_numpy(inside)
        with torch.no_grad():
            found = self.model(
                input_ids=torch.from_numpy(tokens).long(),
                attention_mask=mask.long(),
                output_hidden_states=True,
            )
            share = mask.float() / mask.sum(1, keepdim=True)
            means = [torch.einsum("bt,btw->bw", share, states.float()) for states in found.hidden_states]
        return np.asarray(torch.stack(means).numpy())


def load_published(folder: str | Path) -> Published:
    """Read an encoder from a folder as transformers writes it: config.json, .safetensors files and tokenizer.json.

    Nothing is fetched, and no code in the folder is run. Of a model with a decoder the encoder alone is taken. It
    computes on the CPU by PyTorch, in float32; `load_bert` reads the BERT architecture without either library.

    Raises:
        W2SError: where the libraries are missing, and for a folder that holds no such encoder.
    """
    try:
        import torch
        from transformers import AutoModel, AutoTokenizer
    except ImportError as error:
        raise W2SError(f"this needs a library ({error}): pip install 'w2sjax[transformers]'.") from error
    path = user_path("folder", folder)
    weights = sorted(path.glob("*.safetensors"))
    if not weights:
        raise W2SError(f"{path} holds no .safetensors file: save the model there by save_pretrained.")
    settings: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        model = AutoModel.from_pretrained(path, use_safetensors=True, dtype=torch.float32, **settings)
        tokenizer = AutoTokenizer.from_pretrained(path, use_fast=True, **settings).backend_tokenizer
    except Exception as error:  # of whatever kind a library raises for damaged content
        text = " ".join(str(error).split())[:160]
        raise W2SError(f"{path} holds no encoder ({text}): save model and tokenizer there.") from error
    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    tokenizer.no_padding()
    longest = getattr(model.config, "max_position_embeddings", None) or LENGTHS[-1]
    tokenizer.enable_truncation(min(int(longest), LENGTHS[-1]))
    digest = hashlib.sha256()
    for file in weights:
        digest.update(file.read_bytes())
    return Published(model.eval(), tokenizer, digest.hexdigest())
