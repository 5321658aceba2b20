"""Compile the canonical workload for an H200, with or without one, and count what the programs would do there.

Usage: python benchmarks/gpu_program.py [--fast] [--out FILE.json]

Needs the CUDA plugin of JAX (`pip install "jax[cuda13]"`); without it there is nothing to count. Nothing is run and
nothing is timed: counted are the kernels and library calls of a group of pairs, the bytes that they read and write
where nothing stays in a cache, the working memory, and the types that tensor cores multiply (none but float64: TF32
would lose digits).
"""

import collections
import functools
import math
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

DUMP = tempfile.TemporaryDirectory()
os.environ["JAX_SKIP_CUDA_CONSTRAINTS_CHECK"] = "1"  # there may be no driver
FLAGS = os.environ.get("XLA_FLAGS", "")
os.environ["XLA_FLAGS"] = " ".join([FLAGS, f"--xla_dump_to={DUMP.name}", "--xla_dump_emitter_re=ptx"])

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import recording  # noqa: E402
from jax.experimental import topologies  # noqa: E402
from jax.sharding import (  # noqa: E402
    AbstractDevice,
    AbstractMesh,
    Mesh,
    NamedSharding,
    PartitionSpec,
    use_abstract_mesh,
)

import w2sjax as w2s  # noqa: E402
from w2sjax.random.threefry import seed_key  # noqa: E402
from w2sjax.sweeps.batch import run_groups  # noqa: E402
from w2sjax.sweeps.batch_size import ACCELERATOR_GROUP  # noqa: E402
from w2sjax.sweeps.grid import make_grid  # noqa: E402

H200 = """
gpu_device_info {
  threads_per_block_limit: 1024
  threads_per_warp: 32
  shared_memory_per_block: 49152
  shared_memory_per_block_optin: 232448
  shared_memory_per_core: 233472
  threads_per_core_limit: 2048
  core_count: 132
  fpus_per_core: 128
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  memory_bandwidth: 4800000000000
  l2_cache_size: 52428800
  clock_rate_ghz: 1.98
  device_memory_size: 150000000000
  cuda_compute_capability { major: 9 }
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 10 }
runtime_version { major: 12 minor: 9 }
device_description_str: "NVIDIA H200"
"""

PROGRAMS = {
    "float32": (False, w2s.Numerics()),
    "float32 features, float64 moments": (True, w2s.Numerics(feature_precision="float32")),
    "float64": (True, w2s.Numerics()),
}

ITEM_BYTES = {"f64": 8, "s64": 8, "u64": 8, "f32": 4, "s32": 4, "u32": 4, "pred": 1, "s8": 1, "u8": 1}
"""Size of the types that occur, by their names in a compiled program."""

NO_KERNEL = {
    *("parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "partition-id"),
    *("optimization-barrier",),
}
"""Operations of a compiled program that cost nothing."""


class Operation(NamedTuple):
    """One operation of a compiled program: the library that it calls, how often it runs, the bytes that it moves."""

    target: str
    runs: int
    bytes_moved: int


def operations(text: str) -> Iterator[Operation]:
    """Yield the operations that the text of a compiled program starts on the device, loops counted as often as run."""
    computations: dict[str, list[str]] = collections.defaultdict(list)
    name = entry = ""
    for line in text.splitlines():
        if heading := re.match(r"(ENTRY )?%([\w.\-]+) \(.*\{$", line):
            name = heading[2]
            entry = name if heading[1] else entry
        elif line.startswith("  "):
            computations[name].append(line)

    def walk(name: str, runs: int) -> Iterator[Operation]:
        found = [
            re.match(r"\s+(?:ROOT )?%([\w.\-]+) = (.*?) ([a-z\-]+)\((.*)", line)
            for line in computations[name]
        ]
        lines = [each.groups() for each in found if each is not None]
        shapes = {result: shape for result, shape, _, _ in lines}
        for _, shape, code, rest in lines:
            if code == "while":
                (body,) = re.findall(r"body=%([\w.\-]+)", rest)
                known = re.search(r'known_trip_count":\{"n":"(\d+)"', rest)
                # The loop over groups has as many rounds as a call asks for: one is counted.
                yield from walk(body, runs * int(known[1]) if known else runs)
            elif code in ("call", "conditional"):
                for called in re.findall(r"(?:to_apply|calls|computation)=%([\w.\-]+)", rest):
                    yield from walk(called, runs)
            elif code not in NO_KERNEL:
                read = re.findall(r"%([\w.\-]+)", rest.split("), ")[0])
                moved = sum(size(shapes.get(each, "")) for each in read) + size(shape)
                target = re.search(r'custom_call_target="([^"]*)"', rest)
                yield Operation(target[1] if target else "", runs, moved)

    yield from walk(entry, 1)


def size(shape: str) -> int:
    """Return the bytes of a shape, or of all in a tuple of them, as a compiled program writes it."""
    arrays = re.findall(r"\b([a-z]+\d*)\[([\d,]*)\]", shape)
    return sum(ITEM_BYTES[kind] * math.prod(int(n) for n in sizes.split(",") if n) for kind, sizes in arrays)


def compile_program(numerics: w2s.Numerics, pairs: int, device: Any) -> Any:
    """Compile a sweep's program for a group of so many pairs."""
    protocol = w2s.Protocol(tasks=100, head=w2s.heads.Ridge(1e-8), numerics=numerics)
    cell = make_grid(w2s.worlds.PerturbedMLP(), protocol, {}).cell({})
    mesh = Mesh(np.array([device]), ("pair",))

    def placed(a: Any) -> jax.ShapeDtypeStruct:
        a = jnp.asarray(a)
        return jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=NamedSharding(mesh, PartitionSpec()))

    shared = jax.tree.map(placed, (cell.world, cell.numbers, seed_key(0)))
    along = NamedSharding(mesh, PartitionSpec("pair"))
    count = jax.ShapeDtypeStruct((), jnp.int32, sharding=NamedSharding(mesh, PartitionSpec()))
    indices = jax.ShapeDtypeStruct((1, pairs), jnp.uint32, sharding=along)
    program = jax.jit(functools.partial(run_groups, design=cell.design, mesh=mesh))
    kind = AbstractDevice(device_kind="NVIDIA H200", num_cores=None, platform="gpu")
    with (
        use_abstract_mesh(AbstractMesh((), (), abstract_device=kind)),
        mock.patch.object(jax, "default_backend", lambda: "gpu"),
    ):
        return program.trace(*shared, count, indices).lower(lowering_platforms=("cuda",)).compile()


def tensor_core_types() -> list[str]:
    """Return the types that tensor cores multiply in the kernels compiled since the last call."""
    types: set[str] = set()
    for path in sorted(Path(DUMP.name).glob("*.ptx")):
        text = path.read_text()
        types |= {match[1] for match in re.finditer(r"mma\.\S*\.row\.col\.\w+\.(\w+)\.", text)}
        types |= {"wgmma" for _ in re.finditer(r"wgmma\.mma_async", text)}
        path.unlink()
    return sorted(types)


def measure(double: bool, numerics: w2s.Numerics, pairs: int, device: Any) -> dict[str, Any]:
    """Return the counts of one program."""
    with jax.enable_x64(double):
        started = time.perf_counter()
        compiled = compile_program(numerics, pairs, device)
        seconds = time.perf_counter() - started
    types = tensor_core_types()
    found = list(operations(compiled.as_text()))
    calls: collections.Counter[str] = collections.Counter()
    for each in found:
        if each.target:
            calls[each.target] += each.runs
    return {
        "kernels": sum(each.runs for each in found),
        "library_calls": dict(sorted(calls.items())),
        "bytes_per_pair": round(sum(each.runs * each.bytes_moved for each in found) / pairs),
        "working_memory_mib": round(compiled.memory_analysis().temp_size_in_bytes / 2**20),
        "compile_seconds": round(seconds, 1),
        "tensor_core_types": types,
    }


def plugin() -> str:
    """Return the name of the package that compiles for CUDA here."""
    installed = {each.name for each in metadata.distributions()}
    return next(name for name in ("jax-cuda13-plugin", "jax-cuda12-plugin") if name in installed)


def main() -> None:
    """Write one record per program, or say why there is none."""
    options = recording.options(__doc__)
    try:
        topology = topologies.get_topology_desc(platform="cuda", target_config=H200, topology="1x1x1")
    except NotImplementedError:
        print('There is no CUDA plugin to compile with: pip install "jax[cuda13]".', file=sys.stderr)
        return
    pairs = 64 if options.fast else ACCELERATOR_GROUP
    programs = {"float32": PROGRAMS["float32"]} if options.fast else PROGRAMS
    report = {
        "benchmark": "gpu_program",
        **recording.surroundings(plugin()),
        "xla_flags": FLAGS,
        "device": "compiled for one NVIDIA H200, not run",
        "tasks": 100,
        "n": 2000,
        "pairs_per_group": pairs,
        "programs": [
            {"program": name, **measure(double, numerics, pairs, topology.devices[0])}
            for name, (double, numerics) in programs.items()
        ],
    }
    recording.write(report, options.out)


if __name__ == "__main__":
    main()
