"""Assumptions that several theories share: the kind of world, and the usual chain with heads of one class."""

from typing import Any

from w2sjax.engine.protocol import Protocol
from w2sjax.methods.base import Naive
from w2sjax.theory.base import require


def require_world(world: Any, kinds: Any, assumption: str) -> None:
    """Refuse a world of another kind than the given class, or tuple of classes."""
    several = kinds if isinstance(kinds, tuple) else (kinds,)
    names = " or ".join(f"{kind.__name__}(...)" for kind in several)
    require(isinstance(world, several), assumption, f"world={type(world).__name__}(...)", f"pass {names}")


def require_chain(protocol: Protocol, head: type, assumption: str) -> None:
    """Refuse anything but weak, w2s and ceiling with heads of a class, fitted to their labels on fresh inputs."""
    names = [stage.name for stage in protocol.chain()]
    usual = ["weak", "w2s", "ceiling"]
    require(names[:3] == usual, "the usual chain", f"stages={names}", f"begin with {usual}")
    for stage in protocol.chain()[:3]:
        plain = isinstance(stage.head, head) and isinstance(stage.method, Naive)
        require(plain, assumption, f"head={stage.head!r}", f"set head={head.__name__}(...)")
    require(not protocol.reuse_inputs, "fresh inputs", "reuse_inputs=True", "set it to False")
