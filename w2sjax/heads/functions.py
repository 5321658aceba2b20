"""Functions of trained heads: linear, with a hidden layer, and convex combinations of several."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.linalg import product
from w2sjax.random.draws import default_dtype, uniform
from w2sjax.worlds.layers import ACTIVATIONS


@dataclasses.dataclass(frozen=True)
class HeadFunctions:
    """Functions of features z `[features]`, one per task, with the parameters of every task in one column.

        width = 0:   f(z) = w'z + c
        width > 0:   f(z) = v' activation(W z + b) + c,  W `[width, features]`
        copies > 1:  f(z) = sum_k softmax(a)_k f_k(z),   with parameters a and f_1 ... f_copies

    Linear heads are a convex class, and so are combinations of them; with a hidden layer the class is not convex, and
    combinations of `copies` of its members come closer to its convex hull the more there are (Charikar et al. 2024,
    section 5.3 and Appendix D, consider heads with a hidden layer; their widths are not verified).

    Attributes:
        features: number of features, >= 1.
        width: hidden units, >= 0.
        activation: a key of `w2sjax.worlds.layers.ACTIVATIONS`.
        copies: heads that are combined, >= 1.
    """

    features: int
    width: int
    activation: str
    copies: int

    @property
    def single(self) -> int:
        """Parameters of one head before combination."""
        return self.features + 1 if self.width == 0 else self.width * (self.features + 2) + 1

    @property
    def size(self) -> int:
        """Parameters per task."""
        return self.copies * self.single + (self.copies if self.copies > 1 else 0)

    def draw(self, key: jax.Array, tasks: int) -> jax.Array:
        """Draw initial parameters `[size, task]`: layers like `torch.nn.Linear`, equal weights in combinations.

        Every entry of a layer, its bias included, is uniform on +-1/sqrt(inputs of the layer). The first t tasks do not
        depend on how many are drawn.
        """
        bound = np.full(self.single, self.features**-0.5)
        if self.width:
            bound[self.width * (self.features + 1) :] = self.width**-0.5
        draws = uniform(key, (tasks, self.copies, self.single), 1.0)
        heads = (draws * jnp.asarray(bound, default_dtype())[None, None, :]).T.reshape(-1, tasks)
        return jnp.pad(heads, ((0, self.size - heads.shape[0]), (0, 0)))

    def __call__(self, parameters: jax.Array, rows: jax.Array) -> jax.Array:
        """Return predictions `[n, task]` of parameters `[size, task]` on features `[n, features]`.

        All tasks go through one matrix product, whose columns are hidden units of copies of tasks.
        """
        tasks = parameters.shape[1]
        heads = parameters[: self.copies * self.single].reshape(self.single, self.copies * tasks)
        if self.width == 0:
            outputs = product(rows, heads[:-1]) + heads[-1][None, :]
        else:
            inner, last = self.width * self.features, self.width * (self.features + 1)
            hidden = product(rows, heads[:inner].reshape(self.features, -1)) + heads[inner:last].reshape(
                1, -1
            )
            active = ACTIVATIONS[self.activation](hidden).reshape(rows.shape[0], self.width, -1)
            outputs = jnp.sum(active * heads[last:-1][None], axis=1) + heads[-1][None, :]
        if self.copies == 1:
            return outputs
        shares = jax.nn.softmax(parameters[self.copies * self.single :], axis=0)
        return jnp.sum(outputs.reshape(-1, self.copies, tasks) * shares[None], axis=1)
