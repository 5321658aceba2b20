"""Where the rows of an experiment come from: drawn from a pair, or taken from a table, in blocks by representation."""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.engine.chain import TARGET, Group
from w2sjax.engine.design import Design, design_keys, sizes_of, stream_sizes, streams_of
from w2sjax.errors import W2SError
from w2sjax.heads.linear import Linear
from w2sjax.random.draws import default_dtype
from w2sjax.random.keys import BLOCK, Role, Stream, block_keys
from w2sjax.random.sobol import sobol_bits
from w2sjax.random.threefry import seed_key
from w2sjax.worlds.base import default_heads
from w2sjax.worlds.static import as_pytree

Entry = Any
"""What a block is drawn from: a key, a key and the number of its first point, or rows of a table."""

_WAYS = ("features", "represent", "take")


def draw_pair(world: Any, key: jax.Array, prepared: Any) -> Any:
    """Draw a pair, checked, from what was prepared for it where the world has preparations."""
    pair = world.draw(key) if prepared is None else world.draw(key, prepared)
    if not any(callable(getattr(pair, way, None)) for way in _WAYS):
        raise W2SError(
            f"draw returned {type(pair).__name__}: return a pair, an object with features(key, n)."
        )
    return pair


def target_heads(pair: Any, key: jax.Array, tasks: int, width: int) -> Linear:
    """Draw the target heads of a pair, by its own `heads` where it has them, checked: weights `[width, task]`."""
    draw: Callable[..., Any] = getattr(pair, "heads", None) or functools.partial(default_heads, width=width)
    weights, bias = draw(key, tasks)
    if weights.shape != (tasks, width) or bias.shape != (tasks,):
        raise W2SError(
            f"heads returned shapes {weights.shape} and {bias.shape}: return weights of shape "
            f"({tasks}, {width}) and a bias of shape ({tasks},)."
        )
    dtype = default_dtype()
    return Linear(weights.T.astype(dtype), bias.astype(dtype))


class Source(NamedTuple):
    """The rows of every split of one pair.

    Attributes:
        pair, design: what is drawn, and for what.
        widths: of the features, by the name of the representation.
        keys: of all blocks, by stream.
    """

    pair: Any
    design: Design
    widths: dict[str, int]
    keys: dict[Stream, jax.Array]

    def entries(self, stream: Stream) -> Entry:
        """Return what the blocks of a stream are drawn from, stacked."""
        keys = self.keys[stream]
        if hasattr(self.pair, "take"):
            rows = self.pair.rows(split_of(stream), stream_sizes(self.design)[stream])
            return jnp.resize(rows, (len(keys), BLOCK))  # those that fill the last block are not used
        if self.design.evaluation_points == "sobol" and stream[0] in (Role.EVAL, Role.MISFIT):
            first = BLOCK * jnp.arange(len(keys), dtype=jnp.uint32)
            return jnp.broadcast_to(keys[0], keys.shape), first
        return keys

    def draw(self, entry: Entry, names: tuple[str, ...], split: str, rows: int = BLOCK) -> jax.Array:
        """Draw joint features of a block, one representation after another: `[sum of widths, rows]`."""
        return draw_columns(self.pair, entry, rows, names, split, single=self.design.single_features)

    def rows(self, entries: Entry, names: tuple[str, ...], split: str) -> dict[str, jax.Array]:
        """Draw all blocks of a stream and join their rows: features `[n, width]` by name."""
        joint = stack_blocks(lambda entry: self.draw(entry, names, split).T, entries)
        return self.by_name(joint, names, axis=1)

    def target_heads(self, tasks: int) -> Linear:
        """Draw so many target heads of the pair; see the function of this name."""
        return target_heads(self.pair, self.keys[Role.TASKS, 0][0], tasks, self.widths[TARGET])

    def pilot(self, names: tuple[str, ...], rows: int) -> jax.Array:
        """Draw a small sample that is no part of the experiment, `[sum of widths, rows]`."""
        entry = self.keys[Role.PILOT, 0][0]
        if hasattr(self.pair, "take"):
            entry = self.pair.rows("pilot", rows)
        return self.draw(entry, names, "pilot", rows)

    def by_name(self, joint: jax.Array, names: tuple[str, ...], axis: int = 0) -> dict[str, jax.Array]:
        """Split joint features along an axis by representation."""
        stops = list(itertools.accumulate(self.widths[name] for name in names))
        return dict(zip(names, jnp.split(joint, stops[:-1], axis=axis), strict=True))

    def training(self, group: Group) -> tuple[Entry, ...]:
        """Return what the blocks of a group's sample are drawn from: inputs, and label noise where there is any."""
        inputs, noise = streams_of(self.design, group)
        count = -(-max(sizes_of(self.design, group)) // BLOCK)
        entries = (self.entries(inputs), self.keys[noise]) if self.design.noisy else (self.entries(inputs),)
        found: tuple[Entry, ...] = jax.tree.map(lambda a: a[:count], entries)
        return found


def source_of(
    world: Any,
    key: jax.Array,
    design: Design,
    prepared: Any = None,
    *,
    names: Sequence[str] | None = None,
    more: dict[Stream, int] | None = None,
) -> Source:
    """Draw a pair and say what its rows are drawn from.

    Args:
        world, key, design: the world, the typed key of the pair, and what is drawn for.
        prepared: what the world's preparations returned for this pair, if it has any and they were run before.
        names: of the representations; those of the design unless given.
        more: blocks by stream, beside those of the design.
    """
    keys = design_keys(key, design) | block_keys(key, more or {})
    pair = draw_pair(world, keys[Role.PAIR, 0][0], prepared)
    return Source(pair, design, feature_widths(pair, design.order if names is None else names), keys)


def split_of(stream: Stream) -> str:
    """Return the name of the split whose inputs a stream is."""
    role, number = stream
    name = {Role.WEAK: "weak", Role.STRONG: "strong", Role.EVAL: "eval", Role.MISFIT: "misfit"}[role]
    return f"{name}_{number}" if number else name


def draw_columns(
    pair: Any, entry: Entry, n: int, names: tuple[str, ...], split: str, *, single: bool = False
) -> jax.Array:
    """Return the named features of n fresh inputs, one after another: `[sum of widths, n]`, checked.

    With `single`, they are computed and returned in float32 whatever the precision of everything else.
    """
    if single and jax.config.jax_enable_x64:
        narrow = lambda a: a.astype(jnp.float32) if getattr(a, "dtype", None) == jnp.float64 else a  # noqa: E731
        pair = jax.tree.map(narrow, pair)
        with jax.enable_x64(False):
            return draw_columns(pair, entry, n, names, split)
    if hasattr(pair, "columns"):
        columns: jax.Array = pair.columns(names, _inputs(pair, entry, n, split))
        shape = getattr(columns, "shape", None)
        if shape is None or len(shape) != 2 or shape[1] != n or shape[0] < len(names):
            raise W2SError(f"columns returned shape {shape}: return [sum of widths, n] with n={n}.")
        if columns.dtype != default_dtype():
            raise W2SError(f"columns returned dtype {columns.dtype}: return {jnp.dtype(default_dtype())}.")
        return columns
    named = draw_features(pair, entry, n, names, split)
    return jnp.concatenate([named[name].T.astype(default_dtype()) for name in names])


def draw_features(pair: Any, entry: Entry, n: int, names: Sequence[str], split: str) -> dict[str, jax.Array]:
    """Return the named features of n rows, each `[n, width]`, checked."""
    if hasattr(pair, "features"):
        if isinstance(entry, tuple):
            raise _no_points()
        found = _by_name(pair.features(entry, n))
    elif hasattr(pair, "take"):
        found = {name: _asked(pair.take, name, entry) for name in names}
    else:
        inputs = _inputs(pair, entry, n, split)
        found = {name: _asked(pair.represent, name, inputs) for name in names}
    for name in names:
        if name not in found:
            raise W2SError(
                f"a stage is on {name!r}, but features returned {', '.join(found)}: return that as well."
            )
        _check_features(name, found[name], n)
    return found


def _asked(represent: Any, name: str, inputs: Any) -> Any:
    """Return the features of a name, or refuse one beside the usual three that a pair fails to represent."""
    try:
        return represent(name, inputs)
    except (LookupError, ValueError, AttributeError, StopIteration) as error:
        if isinstance(error, W2SError) or name in (TARGET, "weak", "strong"):
            raise
        raise W2SError(
            f"a stage or metric is on {name!r}, which this world does not have ({type(error).__name__}): name a "
            "representation of it, such as 'weak' or 'strong'."
        ) from error


def _by_name(drawn: Any) -> dict[str, jax.Array]:
    if isinstance(drawn, Mapping):
        return dict(drawn)
    if not isinstance(drawn, tuple) or len(drawn) != 3:
        raise W2SError(
            f"features returned {type(drawn).__name__}: return (target, weak, strong), or a mapping by name."
        )
    return dict(zip((TARGET, "weak", "strong"), drawn, strict=True))


def _check_features(name: str, value: Any, n: int) -> None:
    shape = getattr(value, "shape", None)
    if shape is None or len(shape) != 2 or shape[0] != n or shape[1] < 1:
        raise W2SError(f"features returned {name} of shape {shape}: return [n, width] with n={n}.")
    if not jnp.issubdtype(value.dtype, jnp.floating):
        raise W2SError(f"features returned {name} of dtype {value.dtype}: return floating numbers.")


def _inputs(pair: Any, entry: Entry, n: int, split: str) -> Any:
    """Draw inputs from a key, or map Sobol points to them."""
    if not isinstance(entry, tuple):
        return pair.inputs(entry, n, split)
    if not hasattr(pair, "inputs_of_bits"):
        raise _no_points()
    key, first = entry
    return pair.inputs_of_bits(sobol_bits(key, first, pair.input_dim, n))


def _no_points() -> W2SError:
    return W2SError(
        "evaluation_points='sobol' needs a world whose pairs have input_dim and inputs_of_bits(bits): leave it at "
        "'random'."
    )


def feature_widths(pair: Any, names: Sequence[str]) -> dict[str, int]:
    """Return the widths of the named features, without drawing any."""

    def drawn(key: jax.Array) -> dict[str, jax.Array]:
        entry = jnp.zeros(1, jnp.int32) if hasattr(pair, "take") else key
        return draw_features(pair, entry, 1, names, "pilot")

    shapes = jax.eval_shape(drawn, seed_key(0))
    return {name: shapes[name].shape[1] for name in names}


@functools.lru_cache(maxsize=64)
def _traced_widths(structure: Any, leaves: tuple[Any, ...], names: tuple[str, ...]) -> dict[str, int]:
    found: dict[str, int] = {}

    def trace(values: Any, key: jax.Array) -> jax.Array:
        pair = draw_pair(jax.tree.unflatten(structure, values), key, None)
        found.update(feature_widths(pair, names))
        return key

    shapes = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in leaves]
    jax.eval_shape(trace, shapes, seed_key(0))
    return found


def widths_of(world: Any, names: tuple[str, ...]) -> dict[str, int]:
    """Return the widths of the named features of a world, whose pairs are drawn abstractly, once for all of a shape."""
    values, structure = jax.tree.flatten(as_pytree(world))
    leaves = tuple((np.shape(value), jnp.asarray(value).dtype) for value in values)
    return _traced_widths(structure, leaves, names)


def stack_blocks(draw_block: Callable[[Entry], Any], entries: Entry) -> Any:
    """Draw all blocks of a stream and join their rows, the first axis of what `draw_block` returns."""
    # Without the barrier a loop of few blocks is unrolled, and they are drawn anew wherever they are read.
    drawn = jax.lax.optimization_barrier(jax.lax.map(draw_block, entries))
    return jax.tree.map(lambda a: a.reshape(a.shape[0] * a.shape[1], *a.shape[2:]), drawn)


def first_rows(tree: Any, n: int) -> Any:
    """Return the first n rows of arrays."""
    return jax.tree.map(lambda a: a[:n], tree)
