"""How fast this machine runs the canonical workload, beside the least time that its unavoidable parts take."""

from w2sjax.bench.canonical import measure as measure
