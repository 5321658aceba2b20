"""Two groups of inputs, whose spurious features have other means; their shares differ by split."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.errors import W2SError
from w2sjax.pytrees import pytree
from w2sjax.random.draws import default_dtype, fold_in, normal, uniform
from w2sjax.random.keys import Purpose
from w2sjax.validation import Checked, real, share, whole


@pytree("shift", "shares")
@dataclasses.dataclass(frozen=True)
class GroupPair:
    """The pair, in which nothing is random: shares of the minority by split, and the windows of the representations."""

    shift: jax.Array
    shares: dict[str, jax.Array]
    dim: int
    windows: tuple[tuple[str, int, int], ...]
    spurious: int

    def inputs(self, key: jax.Array, n: int, split: str) -> jax.Array:
        """Draw core and spurious features `[n, dim + spurious]` of a split; further splits are those of "strong"."""
        drawn = normal(key, (n, self.dim + self.spurious))
        own = fold_in(key, np.array([Purpose.NOISE], np.uint32))[0]
        share = self.shares["eval" if split == "misfit" else split.partition("_")[0]]
        minority = (uniform(own, (n,), 1.0) < 2 * share - 1).astype(drawn.dtype)
        return drawn.at[:, self.dim :].add(self.shift * minority[:, None])

    def represent(self, name: str, inputs: jax.Array) -> jax.Array:
        """Return core features `[n, dim]`, or their products with 1 and each spurious feature that is seen."""
        core = inputs[:, : self.dim]
        if name == "target":
            return core
        known = {own: window for own, *window in self.windows}
        if name not in known:
            raise W2SError(f"a stage is on {name!r}: this world has target, weak and strong.")
        first, count = known[name]
        seen = inputs[:, self.dim + first : self.dim + first + count]
        products = core[:, None, :] * seen[:, :, None]
        return jnp.concatenate([core, products.reshape(-1, count * self.dim)], axis=1)

    def heads(self, key: jax.Array, tasks: int) -> tuple[jax.Array, jax.Array]:
        """Draw targets with E|b|^2 = 1, `[task, dim]`."""
        return normal(key, (tasks, self.dim)) * self.dim**-0.5, jnp.zeros(tasks, default_dtype())


@pytree("shift", "minority_weak", "minority_strong", "minority_eval")
@dataclasses.dataclass(frozen=True, kw_only=True)
class SpuriousGroups(Checked):
    """A target on core features z ~ N(0, I), and spurious features xi ~ N(g shift, I) with a group g of 0 or 1.

    A representation is z and its products with the spurious features that it sees: all of them times [1, xi]. The
    minority, g = 1, has a share of its own in the weak-training, the strong-training and the evaluation sample. Errors
    in one group are those with `minority_eval` 0 or 1, and linear in between.

    Args:
        dim: core features, d_z, >= 1.
        weak_spurious, strong_spurious: spurious features that each sees, >= 0; p_T - 1 and p_S - 1 of the paper.
        shared: how many of them both see, from 0 to the lesser.
        shift: of the minority's mean in every spurious feature, in their standard deviations, >= 0.
        minority_weak, minority_strong, minority_eval: shares, from 0 to 1; eta_l, eta_u and eta_t.

    Reference: Liu, Dong et al. 2026 (OpenReview 5hfa2itwGz), as a third party's note has the model; not verified. There
    the representations are general subspaces of the spurious features, here they see coordinates.
    """

    dim: int = whole(40, least=1)
    weak_spurious: int = whole(1, least=0)
    strong_spurious: int = whole(1, least=0)
    shared: int = whole(0, least=0)
    shift: float | jax.Array = real(3.0, least=0)
    minority_weak: float | jax.Array = share(0.1)
    minority_strong: float | jax.Array = share(0.1)
    minority_eval: float | jax.Array = share(0.5)

    def __post_init__(self) -> None:
        super().__post_init__()
        least = min(self.weak_spurious, self.strong_spurious)
        if self.shared > least:
            raise W2SError(
                f"shared={self.shared} is too large: pass at most {least}, what each of them sees."
            )

    def windows(self) -> tuple[tuple[str, int, int], ...]:
        """Return name, first and number of the spurious features that each representation sees."""
        return (
            ("weak", 0, self.weak_spurious),
            ("strong", self.weak_spurious - self.shared, self.strong_spurious),
        )

    def draw(self, key: jax.Array) -> GroupPair:
        """Return the pair: nothing in it is random."""
        dtype = default_dtype()
        shares = {name: getattr(self, f"minority_{name}") for name in ("weak", "strong", "eval")}
        shares |= {"pilot": self.minority_strong}
        return GroupPair(
            jnp.asarray(self.shift, dtype),
            {name: jnp.asarray(share, dtype) for name, share in shares.items()},
            self.dim,
            self.windows(),
            self.weak_spurious + self.strong_spurious - self.shared,
        )
