"""Encoders of the BERT family (Devlin et al. 2019, arXiv 1810.04805): weights from safetensors, features by layer."""

import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.encoders.features import LENGTHS
from w2sjax.errors import W2SError
from w2sjax.paths import user_path
from w2sjax.validation import shown

_PARTS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attended": "attention.output.dense",
    "norm_1": "attention.output.LayerNorm",
    "wide": "intermediate.dense",
    "narrow": "output.dense",
    "norm_2": "output.LayerNorm",
}
"""Names of a layer's parts in a checkpoint."""


class Bert(NamedTuple):
    """An encoder.

    Attributes:
        parameters: arrays by name, those of the layers stacked: "<part>.weight" `[layer, out, in]`.
        heads: of every attention.
        epsilon: of the layer norms.
        tokenizer: of the library `tokenizers`.
        digest: of the weights.
    """

    parameters: Mapping[str, jax.Array]
    heads: int
    epsilon: float
    tokenizer: Any
    digest: str

    @property
    def layers(self) -> int:
        """Number of layers."""
        return int(self.parameters["query.weight"].shape[0])

    def means(self, tokens: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Return means over the tokens inside, `[layer + 1, batch, width]`, of tokens int32 `[batch, length]`."""
        found = _layer_means(self.parameters, tokens, inside, heads=self.heads, epsilon=self.epsilon)
        return np.asarray(found)


def load_bert(folder: str | Path) -> Bert:
    """Read an encoder from a folder with config.json, model.safetensors and tokenizer.json. No code in it is run.

    Raises:
        W2SError: for a file that is missing or damaged, another architecture, or weights that are not there.
    """
    try:
        from safetensors.numpy import load
        from tokenizers import Tokenizer
    except ImportError as error:
        raise W2SError(f"encoders need a library ({error}): pip install 'w2sjax[sentences]'.") from error
    path = user_path("folder", folder)
    try:
        config = json.loads((path / "config.json").read_text())
        content = (path / "model.safetensors").read_bytes()
        stored = load(content)
        tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
    except Exception as error:  # of whatever kind a library raises for damaged content
        text = " ".join(str(error).split())[:160]
        raise W2SError(
            f"{path} holds no encoder ({text}): pass a folder with config.json, model.safetensors and tokenizer.json."
        ) from error
    for name, wanted in (("model_type", "bert"), ("hidden_act", "gelu")):
        if config.get(name) != wanted:
            raise W2SError(
                f"{path / 'config.json'} has {name}={shown(config.get(name))}: pass one with {wanted!r}."
            )
    stored = {name.removeprefix("bert."): values for name, values in stored.items()}
    try:
        parameters = _parameters(stored, int(config["num_hidden_layers"]))
        heads, epsilon = int(config["num_attention_heads"]), float(config["layer_norm_eps"])
    except KeyError as error:
        raise W2SError(f"{path} has no {error}: pass a whole checkpoint.") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(min(int(config["max_position_embeddings"]), LENGTHS[-1]))
    return Bert(parameters, heads, epsilon, tokenizer, hashlib.sha256(content).hexdigest())


def _parameters(stored: Mapping[str, np.ndarray], layers: int) -> dict[str, jax.Array]:
    found = {
        "words": stored["embeddings.word_embeddings.weight"],
        "positions": stored["embeddings.position_embeddings.weight"],
        "type": stored["embeddings.token_type_embeddings.weight"][0],
        "norm_0.weight": stored["embeddings.LayerNorm.weight"],
        "norm_0.bias": stored["embeddings.LayerNorm.bias"],
    }
    for part, name in _PARTS.items():
        for kind in ("weight", "bias"):
            found[f"{part}.{kind}"] = np.stack(
                [stored[f"encoder.layer.{i}.{name}.{kind}"] for i in range(layers)]
            )
    return {name: jnp.asarray(values, jnp.float32) for name, values in found.items()}


@functools.partial(jax.jit, static_argnames=("heads", "epsilon"))
def _layer_means(
    parameters: Mapping[str, jax.Array], tokens: jax.Array, inside: jax.Array, *, heads: int, epsilon: float
) -> jax.Array:
    """Return means over the tokens inside, `[layer + 1, batch, width]`, of tokens `[batch, length]`."""
    shared = ("words", "positions", "type", "norm_0.weight", "norm_0.bias")
    layers = {name: values for name, values in parameters.items() if name not in shared}
    weights = inside.astype(jnp.float32)
    share = weights / jnp.sum(weights, axis=1, keepdims=True)

    def mean(states: jax.Array) -> jax.Array:
        return jnp.einsum("bt,btw->bw", share, states)

    def layer(states: jax.Array, own: Mapping[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
        after = _layer(states, own, inside, heads, epsilon)
        return after, mean(after)

    states = parameters["words"][tokens] + parameters["positions"][None, : tokens.shape[1]]
    states = states + parameters["type"][None, None]
    states = _norm(states, parameters["norm_0.weight"], parameters["norm_0.bias"], epsilon)
    _, means = jax.lax.scan(layer, states, layers)
    return jnp.concatenate([mean(states)[None], means])


def _layer(
    states: jax.Array, own: Mapping[str, jax.Array], inside: jax.Array, heads: int, epsilon: float
) -> jax.Array:
    """Return the states after one layer: attention and a perceptron, each added and normalized."""

    def affine(part: str, x: jax.Array) -> jax.Array:
        return x @ own[f"{part}.weight"].T + own[f"{part}.bias"][None, None]

    def by_head(x: jax.Array) -> jax.Array:
        return x.reshape(*x.shape[:2], heads, -1)

    query, key, value = (by_head(affine(part, states)) for part in ("query", "key", "value"))
    scores = jnp.einsum("bqhw,bkhw->bhqk", query, key) / jnp.sqrt(jnp.float32(query.shape[-1]))
    shares = jax.nn.softmax(jnp.where(inside[:, None, None], scores, -jnp.inf), axis=-1)
    attended = jnp.einsum("bhqk,bkhw->bqhw", shares, value).reshape(states.shape)
    states = _norm(states + affine("attended", attended), own["norm_1.weight"], own["norm_1.bias"], epsilon)
    hidden = jax.nn.gelu(affine("wide", states), approximate=False)
    return _norm(states + affine("narrow", hidden), own["norm_2.weight"], own["norm_2.bias"], epsilon)


def _norm(x: jax.Array, weight: jax.Array, bias: jax.Array, epsilon: float) -> jax.Array:
    centred = x - jnp.mean(x, axis=-1, keepdims=True)
    variance = jnp.mean(centred * centred, axis=-1, keepdims=True)
    return centred / jnp.sqrt(variance + epsilon) * weight[None, None] + bias[None, None]
