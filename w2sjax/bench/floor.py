"""The floor: the parts of a pair that no implementation of the same mathematics avoids, each timed alone.

Every part is one program over groups of pairs on every local device, as a sweep runs, and returns one number per
device so that nothing is optimized away and nothing is copied. Times are divided by the number of pairs.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from w2sjax.cores import compiler_options
from w2sjax.engine.by_labels import has_few_tasks
from w2sjax.engine.protocol import Protocol
from w2sjax.linalg import product
from w2sjax.random.draws import default_dtype, fold_in, normal
from w2sjax.random.keys import BLOCK
from w2sjax.random.threefry import seed_key
from w2sjax.sweeps.batch import local_mesh
from w2sjax.sweeps.batch_size import choose_batch
from w2sjax.sweeps.grid import make_grid
from w2sjax.worlds.mlp import PerturbedMLP

MATMUL = {"cpu": 1024}
"""Side of the square matrices whose product stands for the machine's matmul rate, by kind of device."""


@dataclasses.dataclass(frozen=True)
class Part:
    """One part of the floor.

    Attributes:
        run: runs the compiled program once and waits for it.
        pairs: how many pairs have the work of one call.
        description: what is timed, in words.
    """

    run: Callable[[], Any]
    pairs: float
    description: str


def floor_parts(world: PerturbedMLP, protocol: Protocol) -> dict[str, Part]:
    """Return the parts of the floor of one call of a sweep, by name.

    Args:
        world, protocol: the workload; all three heads are linear, splits are fresh, and labels have no noise.
    """
    mesh = local_mesh()
    devices = mesh.devices.size
    cell = make_grid(world, protocol, {}).cell({})
    batch = choose_batch(cell, pairs=2**31)
    group = batch.group
    rows = (protocol.n_weak, protocol.n_strong, protocol.n_eval)
    widths = (2 * world.width, 3 * world.width, 3 * world.width)  # the weak split needs no strong features
    normals = sum(rows) * world.input_dim
    layers = world.input_dim * world.width + (world.depth - 1) * world.width**2
    networks = sum(n * width // world.width for n, width in zip(rows, widths, strict=True))
    side = MATMUL.get(jax.default_backend(), 8192)
    dtype = default_dtype()

    def everywhere(program: Callable[[jax.Array], jax.Array], groups: int = batch.places) -> Any:
        """Compile a program of a seed, and run it for so many groups on all devices at once."""
        sharded = PartitionSpec("pair")

        def local(seeds: jax.Array) -> jax.Array:
            return jnp.sum(jax.lax.map(program, seeds))[None]

        mapped = jax.shard_map(local, mesh=mesh, in_specs=sharded, out_specs=sharded, check_vma=False)
        run = jax.jit(mapped, compiler_options=compiler_options())
        seeds = jnp.arange(devices * groups, dtype=jnp.uint32)
        return lambda: jax.block_until_ready(run(seeds))

    def random(seed: jax.Array) -> jax.Array:
        keys = fold_in(seed_key(seed), np.arange(group, dtype=np.uint32))
        numbers = jax.vmap(lambda key: normal(key, (normals,)))(keys)
        # Within the loop of a sum the generator would not fill vectors.
        return jnp.sum(jax.lax.optimization_barrier(numbers))

    def matmul(seed: jax.Array) -> jax.Array:
        matrix = jnp.full((side, side), seed.astype(dtype) / side)
        return jnp.sum(product(matrix, matrix))

    widths_by_name = dict.fromkeys(("weak", "target", "strong"), world.width)
    by_labels = has_few_tasks(cell.design, widths_by_name)
    # Rows and columns of the products over a split of n rows: what is fitted, and that with labels or with the features
    # that labels are made of.
    labels = [count * (protocol.tasks if by_labels else world.width) for count in (1, 2)]
    over_rows = [(n, world.width, world.width + count) for n, count in zip(rows[:2], labels, strict=True)]
    if not by_labels:
        over_rows.append((rows[2], widths[2], widths[2]))

    def over_blocks(
        n: int, multiply: Callable[..., jax.Array], shapes: tuple[tuple[int, int], ...], seed: jax.Array
    ) -> jax.Array:
        """Multiply two matrices once per block of n rows: they stay in the cache, as in a sweep."""
        left, right = (jnp.full((group, *shape), seed.astype(dtype)) for shape in shapes)

        def add(carry: Any, _: None) -> tuple[Any, None]:
            (left, right), total = carry
            # A changed element keeps the product in the loop.
            pair = jax.lax.optimization_barrier((left.at[:, 0, 0].add(1), right.at[:, 0, 0].add(1)))
            return (pair, total + jnp.sum(jax.vmap(multiply)(*pair))), None

        (_, total), _ = jax.lax.scan(add, ((left, right), jnp.zeros((), dtype)), length=n // BLOCK)
        return total

    def gram(seed: jax.Array) -> jax.Array:
        total = jnp.zeros((), dtype)
        for n, left, right in over_rows:
            total += over_blocks(n, lambda a, b: product(a, b.T), ((left, BLOCK), (right, BLOCK)), seed)
        if by_labels:
            shapes = ((4 * protocol.tasks, world.width), (world.width, BLOCK))
            total += over_blocks(rows[2], product, shapes, seed)
        return total

    def solve(seed: jax.Array) -> jax.Array:
        identity = jnp.eye(world.width + 1, dtype=dtype) + seed.astype(dtype)
        total = jnp.zeros((), dtype)
        for targets in (protocol.tasks, 2 * protocol.tasks):
            matrices, right = jax.lax.optimization_barrier(
                (
                    jnp.broadcast_to(identity, (group, *identity.shape)),
                    jnp.ones((group, world.width + 1, targets), dtype),
                )
            )
            factors = jnp.linalg.cholesky(matrices)
            halfway = jax.lax.linalg.triangular_solve(factors, right, left_side=True, lower=True)
            solved = jax.lax.linalg.triangular_solve(
                factors, halfway, left_side=True, lower=True, transpose_a=True
            )
            total += jnp.sum(solved)
        return total

    flops = 2 * networks * layers
    return {
        "random_numbers": Part(everywhere(random), batch.step, f"{normals} normals"),
        "features": Part(
            everywhere(matmul, groups=1),
            devices * 2 * side**3 / flops,
            f"{flops / 1e6:.0f} MFLOP at the rate of one product of {side} x {side} matrices per device",
        ),
        "moments": Part(
            everywhere(gram),
            batch.step,
            f"products of {', '.join(f'{left} and {right}' for _, left, right in over_rows)} rows"
            + (f", predictions of {4 * protocol.tasks} heads" if by_labels else ""),
        ),
        "solves": Part(
            everywhere(solve),
            batch.step,
            f"two Cholesky factorizations of side {world.width + 1}, {3 * protocol.tasks} solutions",
        ),
    }
