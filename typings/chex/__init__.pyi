# chex ships no types. This much of it lets mypy check the fields of our containers.
from collections.abc import Callable
from typing import Any, dataclass_transform

@dataclass_transform(kw_only_default=True, frozen_default=True)
def dataclass[T](*, frozen: bool = ..., **kwargs: Any) -> Callable[[type[T]], type[T]]: ...
def __getattr__(name: str) -> Any: ...
