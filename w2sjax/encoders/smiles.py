"""Small transformers for SMILES, pretrained here to fill in masked tokens (Devlin et al. 2019, arXiv 1810.04805)."""

import contextlib
import dataclasses
import functools
import hashlib
import io
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from w2sjax.errors import W2SError
from w2sjax.files import write_atomically
from w2sjax.paths import user_path
from w2sjax.random.draws import fold_in
from w2sjax.validation import check_integer, check_number, shown

_TOKEN = re.compile(r"\[[^\]]*\]|Br|Cl|%\d\d|.")
PAD, MASK, OTHER = 0, 1, 2
FIRST = 3
"""The number of the first token that is one of a molecule."""

CHUNK = 100
"""Steps between checkpoints and reports."""


@contextlib.contextmanager
def _single() -> Iterator[None]:
    """A context in which everything is float32, and the libraries of networks may promote as they are used to."""
    with (
        jax.enable_x64(False),
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
    ):
        yield


class _Transformer(nn.Module):
    """Layers of attention and perceptrons, each normalized before (Xiong et al. 2020), in float32."""

    tokens: int
    width: int
    depth: int
    heads: int
    length: int

    @nn.compact
    def __call__(self, tokens: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return the states after every layer, `[batch, length, (depth + 1) width]`, and scores of tokens."""
        inside = tokens != PAD
        embed = nn.Embed(self.tokens, self.width, param_dtype=jnp.float32)
        places = self.param("places", nn.initializers.normal(0.1), (self.length, self.width), jnp.float32)
        x = embed(tokens) + places[None, : tokens.shape[1]]
        mask = inside[:, None, None, :]
        options: dict[str, Any] = {"param_dtype": jnp.float32, "dtype": jnp.float32}
        states = [x]
        for _ in range(self.depth):
            y = nn.LayerNorm(**options)(x)
            x = x + nn.MultiHeadDotProductAttention(self.heads, **options)(y, y, mask=mask)
            y = nn.Dense(4 * self.width, **options)(nn.LayerNorm(**options)(x))
            x = x + nn.Dense(self.width, **options)(nn.gelu(y))
            states.append(x)
        return jnp.concatenate(states, axis=-1), embed.attend(nn.LayerNorm(**options)(x))


@dataclasses.dataclass(frozen=True, eq=False)
class SmilesEncoders:
    """Pretrained transformers of one size, from several seeds.

    Attributes:
        vocabulary: tokens, the first of which has the number 3.
        sizes: tokens, width, depth, heads and length of `_Transformer`.
        parameters: flax parameters, stacked along a leading axis of seeds.
        accuracy: float `[seed]`, share of masked tokens of held-out molecules that are filled in right.
        commonest: the share that the commonest token would be right of.
    """

    vocabulary: tuple[str, ...]
    sizes: tuple[int, int, int, int, int]
    parameters: Any
    accuracy: np.ndarray
    commonest: float

    @_single()
    def features(self, smiles: Sequence[str], seed: int = 0, batch: int = 256) -> np.ndarray:
        """Return sums over tokens of the states of every layer, float64 `[molecule, (depth + 1) width]`.

        Layer 0 are the embeddings, whose sums count tokens.

        Args:
            smiles: molecules.
            seed: position of the encoder.
            batch: molecules that go together.
        """
        tokens = tokens_of(smiles, self.vocabulary, self.sizes[-1])
        parameters = jax.tree.map(lambda a: a[seed], self.parameters)
        padded = np.concatenate([tokens, np.full((-len(tokens) % batch, tokens.shape[1]), MASK, np.int32)])
        parts = [
            _sums(parameters, padded[i : i + batch], sizes=self.sizes) for i in range(0, len(padded), batch)
        ]
        return np.concatenate(parts)[: len(tokens)].astype(np.float64)


@functools.partial(jax.jit, static_argnames=("sizes",))
def _sums(parameters: Any, tokens: jax.Array, *, sizes: tuple[int, ...]) -> jax.Array:
    found: Any = _Transformer(*sizes).apply(parameters, tokens)
    states = found[0]
    return jnp.sum(states * (tokens != PAD).astype(jnp.float32)[..., None], axis=1)


def split_smiles(smiles: str) -> list[str]:
    """Return the tokens of a SMILES: bracket atoms, two-letter atoms, two-digit rings, single characters."""
    return _TOKEN.findall(smiles)


def tokens_of(smiles: Sequence[str], vocabulary: Sequence[str], length: int) -> np.ndarray:
    """Return numbers of tokens, int32 `[molecule, length]`, 0 where there is none; longer SMILES are cut.

    Raises:
        W2SError: for what is no SMILES, with its row.
    """
    number = {token: i for i, token in enumerate(vocabulary, start=FIRST)}
    found = np.full((len(smiles), length), PAD, np.int32)
    for row, own in enumerate(smiles):
        if not isinstance(own, str) or not own.strip():
            raise W2SError(f"smiles has {shown(own)} at row {row}: pass text, or leave that row out.")
        tokens = [number.get(token, OTHER) for token in split_smiles(own.strip())[:length]]
        found[row, : len(tokens)] = tokens
    return found


@_single()
def pretrain(
    smiles: Sequence[str],
    *,
    width: int = 16,
    depth: int = 2,
    heads: int = 2,
    length: int = 80,
    steps: int = 2000,
    batch: int = 64,
    learning_rate: float = 3e-3,
    masked: float = 0.15,
    seeds: Sequence[int] = (0,),
    store: str | Path | None = None,
    progress: bool = False,
) -> SmilesEncoders:
    """Pretrain transformers to fill in masked tokens, all seeds at once.

    A tenth of the molecules is held out for `accuracy`. A chosen token is masked; the loss is cross-entropy over the
    masked ones; AdamW with a cosine schedule.

    Args:
        smiles: molecules, no targets.
        width, depth, heads, length: of the transformer; width is a multiple of heads.
        steps, batch, learning_rate: of training.
        masked: probability that a token is masked.
        seeds: of initial parameters, batches and masks, each of a network of its own.
        store: a folder for a checkpoint after every 100 steps, from which the same call goes on.
        progress: report the loss on stderr.

    Raises:
        W2SError: for an argument out of range.
    """
    for name, value in (
        ("width", width),
        ("depth", depth),
        ("heads", heads),
        ("steps", steps),
        ("batch", batch),
    ):
        check_integer(name, value, least=1)
    check_integer("length", length, least=2)
    check_number("masked", masked, above=0)
    if width % heads:
        raise W2SError(f"width={width} is no multiple of heads={heads}: change one.")
    if len(smiles) < 10:
        raise W2SError(f"smiles are {len(smiles)}: pass at least 10, a tenth of which is held out.")
    vocabulary = tuple(sorted({token for own in smiles for token in split_smiles(own)}))
    tokens = tokens_of(smiles, vocabulary, length)
    order = np.random.default_rng(0).permutation(len(tokens))
    held, train = tokens[order[: len(tokens) // 10]], tokens[order[len(tokens) // 10 :]]
    sizes = (FIRST + len(vocabulary), width, depth, heads, length)
    optimizer = optax.adamw(optax.cosine_decay_schedule(learning_rate, steps))
    keys = jax.vmap(jax.random.key)(np.asarray(seeds, np.uint32))
    state = _begin(keys, sizes=sizes, optimizer=optimizer)
    settings = repr(
        (sizes, steps, batch, learning_rate, masked, tuple(seeds), hashlib.sha256(train).hexdigest())
    )
    file = None
    if store is not None:
        file = user_path("store", store) / f"{hashlib.sha256(settings.encode()).hexdigest()[:32]}.npz"
    done, state = _read(file, state)
    while done < steps:
        count = min(CHUNK, steps - done)
        options = {"sizes": sizes, "optimizer": optimizer, "batch": batch, "masked": masked}
        places = np.arange(done, done + count, dtype=np.uint32)
        state, losses = _train(state, keys, train, places, **options)
        done += count
        if file is not None:
            _write(file, done, state)
        if progress:
            print(f"{done} of {steps} steps, loss {float(losses.mean()):.3f}", file=sys.stderr, flush=True)
    known = held[held >= FIRST]
    commonest = float((known == np.bincount(train[train >= FIRST]).argmax()).mean())
    accuracy = np.asarray(_accuracy(state[0], held, sizes=sizes, masked=masked), np.float64)
    return SmilesEncoders(vocabulary, sizes, jax.device_get(state[0]), accuracy, commonest)


@functools.partial(jax.jit, static_argnames=("sizes", "optimizer"))
def _begin(keys: jax.Array, *, sizes: tuple[int, ...], optimizer: Any) -> Any:
    def one(key: jax.Array) -> Any:
        parameters = _Transformer(*sizes).init(key, jnp.ones((1, sizes[-1]), jnp.int32))
        return parameters, optimizer.init(parameters)

    return jax.vmap(one)(keys)


def _loss(
    parameters: Any, tokens: jax.Array, key: jax.Array, sizes: tuple[int, ...], masked: float
) -> tuple[jax.Array, jax.Array]:
    """Return the cross-entropy of the masked tokens, and the share of them that is filled in right."""
    chosen = (jax.random.uniform(key, tokens.shape, jnp.float32) < masked) & (tokens >= FIRST)
    found: Any = _Transformer(*sizes).apply(parameters, jnp.where(chosen, MASK, tokens))
    scores = found[1]
    weight = chosen.astype(jnp.float32)
    count = jnp.maximum(jnp.sum(weight), 1)
    each = optax.softmax_cross_entropy_with_integer_labels(scores, tokens)
    right = (jnp.argmax(scores, axis=-1).astype(tokens.dtype) == tokens).astype(jnp.float32)
    return jnp.sum(each * weight) / count, jnp.sum(right * weight) / count


@functools.partial(jax.jit, static_argnames=("sizes", "optimizer", "batch", "masked"))
def _train(
    state: Any,
    keys: jax.Array,
    tokens: jax.Array,
    steps: jax.Array,
    *,
    sizes: tuple[int, ...],
    optimizer: Any,
    batch: int,
    masked: float,
) -> tuple[Any, jax.Array]:
    """Train for the given steps, each of which draws from its own key: losses `[seed, step]`."""

    def one(state: Any, key: jax.Array) -> Any:
        def step(state: Any, number: jax.Array) -> tuple[Any, jax.Array]:
            parameters, moments = state
            own = fold_in(fold_in(key, number[None])[0], np.arange(2, dtype=np.uint32))
            rows = jax.random.randint(own[0], (batch,), 0, len(tokens), jnp.int32)
            grade = jax.value_and_grad(_loss, has_aux=True)
            (loss, _), gradient = grade(parameters, tokens[rows], own[1], sizes, masked)
            change, moments = optimizer.update(gradient, moments, parameters)
            return (optax.apply_updates(parameters, change), moments), loss

        return jax.lax.scan(step, state, steps)

    found: tuple[Any, jax.Array] = jax.vmap(one)(state, keys)
    return found


@functools.partial(jax.jit, static_argnames=("sizes", "masked"))
def _accuracy(parameters: Any, tokens: jax.Array, *, sizes: tuple[int, ...], masked: float) -> jax.Array:
    key = jax.random.key(0)
    return jax.vmap(lambda own: _loss(own, tokens, key, sizes, masked)[1])(parameters)


def _write(file: Path, done: int, state: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    leaves: dict[str, Any] = {f"leaf_{i}": np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(state))}
    np.savez(stream, done=done, **leaves)
    write_atomically(file, stream.getvalue())


def _read(file: Path | None, state: Any) -> tuple[int, Any]:
    """Return how many steps are done, and the state after them."""
    if file is None or not file.exists():
        return 0, state
    leaves, structure = jax.tree.flatten(state)
    with np.load(file, allow_pickle=False) as stored:
        kept = [stored[f"leaf_{i}"] for i in range(len(leaves))]
        return int(stored["done"]), jax.tree.unflatten(structure, kept)
