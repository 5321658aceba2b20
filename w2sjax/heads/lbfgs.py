"""Fits of wide problems by the L-BFGS of optax."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from w2sjax.heads.newton import Found, Round
from w2sjax.linalg import product

STEPS = 1000
"""Most steps."""


def lbfgs(
    value: Callable[[Any], jax.Array], start: Any, tolerance: float, steps: int = STEPS
) -> tuple[Any, jax.Array]:
    """Minimize a function of a pytree from a start; return the minimizer and whether its gradient is small.

    Args:
        value: to be minimized, differentiable.
        start: where to begin.
        tolerance: on the norm of the gradient.
        steps: most steps.

    May be batched by `jax.vmap`.
    """
    import optax  # takes long to import, and few fits need it

    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        solver = optax.lbfgs()
        evaluate = optax.value_and_grad_from_state(value)

        def small(state: Any) -> jax.Array:
            gradient = optax.tree.get(state, "grad")
            return optax.tree.norm(gradient) <= tolerance

        def step(carry: tuple[Any, Any, jax.Array]) -> tuple[Any, Any, jax.Array]:
            found, state, number = carry
            loss, gradient = evaluate(found, state=state)
            change, state = solver.update(gradient, state, found, value=loss, grad=gradient, value_fn=value)
            return optax.apply_updates(found, change), state, number + 1

        def more(carry: tuple[Any, Any, jax.Array]) -> jax.Array:
            _, state, number = carry
            return (number < steps) & ((number == 0) | ~small(state))

        found, state, _ = jax.lax.while_loop(
            more, step, (start, solver.init(start), jnp.zeros((), jnp.int32))
        )
        return found, small(state)


def minimize_by_lbfgs(problem: Round, labels: jax.Array, family: Any) -> Found:
    """Minimize (1/n) sum loss(logits, labels) + penalty for every task; see `minimize_by_newton`.

    Cost: per step O(n k logit task), some tens of steps.
    """
    n, logits, _ = labels.shape
    size = problem.rows.shape[1]
    tolerance = float(jnp.finfo(labels.dtype).eps) ** 0.6

    def one(own: jax.Array) -> tuple[jax.Array, jax.Array]:
        def value(coordinates: jax.Array) -> jax.Array:
            losses = family.losses(product(problem.rows, coordinates)[..., None], own[..., None])
            return jnp.sum(losses) / n + jnp.sum(coordinates * product(problem.penalty, coordinates)) / 2

        return lbfgs(value, jnp.zeros((size, logits), labels.dtype), tolerance)

    found, converged = jax.vmap(one, in_axes=2, out_axes=(2, 0))(labels)
    return Found(found, converged, jnp.ones(labels.shape[2], labels.dtype))
