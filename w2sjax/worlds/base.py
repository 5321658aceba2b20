"""What a world is: anything that draws pairs, and pairs that draw features."""

from typing import Protocol, runtime_checkable

import jax

from w2sjax.random.draws import uniform


@runtime_checkable
class Pair(Protocol):
    """One draw of (h*, h_w, h_s), and of as many more representations as a chain of stages names.

    A pair draws features in one of three ways:

    - `features(key, n)`, which draws n inputs and returns their features: (target, weak, strong), or a mapping from
      names, "target" among them, to features, each `[n, width]` of its own width;
    - `inputs(key, n, split)` and `represent(name, inputs) -> [n, width]`, inputs and representations apart: `split` is
      "weak", "strong", "eval", "misfit", "pilot" or a further split of a chain, for worlds in which splits differ;
      and, where inputs are a function of uniform numbers, `input_dim` and `inputs_of_bits(bits)`, of random bits uint32
      `[input_dim, n]`, by which `evaluation_points="sobol"` goes;
    - `rows(split, n) -> int32 [n]` and `take(name, rows) -> [n, width]`, rows of a table in place of inputs.

    It may also have attributes that the engine uses when they are there:

    - `heads(key, tasks) -> (weights [task, width], bias [task])`, its prior over target heads; without one, heads are
      drawn like `torch.nn.Linear` layers (see `default_heads`);
    - `trained`, not a method: training runs by name ("weak", "strong"), each with `curve`, `diverged` and `dead`, which
      go into the outcome;
    - `columns(names, inputs) -> [sum of widths, n]`, what `represent` returns for several names, transposed and joined.
    """


@runtime_checkable
class World(Protocol):
    """A frozen object that draws pairs.

    A world whose pairs need heavy work, such as training, may have `preparations() -> {name: function of a key}`, each
    a frozen dataclass and a pytree, and take their results as `draw(key, prepared)`. A sweep then runs them in
    batches, once for all grid cells that share them; without `prepared`, `draw` does the work. On a CPU a batch is one
    pair per core, or as many as a preparation says by an attribute `together`.
    """

    def draw(self, key: jax.Array) -> Pair:
        """Draw one pair."""
        ...


def default_heads(key: jax.Array, tasks: int, width: int) -> tuple[jax.Array, jax.Array]:
    """Draw linear heads with bias, every entry uniform on +-1/sqrt(width): the default of `torch.nn.Linear`.

    Returns:
        weights `[task, width]` and bias `[task]`. The first t tasks do not depend on how many are drawn.
    """
    draws = uniform(key, (tasks, width + 1), width**-0.5)
    return draws[:, :-1], draws[:, -1]
