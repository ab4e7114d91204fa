"""A guard under which nothing may make a GPU wait for the host, checked on the CPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, final

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

WAITING_OPERATIONS = {"aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal"}
"""What `.item()`, `bool(tensor)`, `tensor[mask]` and `torch.equal` come down to."""

WAITING_METHODS = ("cpu", "tolist", "numpy", "item", "nonzero")


class HostSynchronisationError(AssertionError):
    """Something waits for the device."""


@final
class _Guard(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        name = func._schema.name
        boolean_index = name in ("aten::index", "aten::index_put_", "aten::index_put") and any(
            isinstance(leaf, torch.Tensor) and leaf.dtype == torch.bool for leaf in tree_leaves(args[1])
        )
        if name in WAITING_OPERATIONS or boolean_index:
            raise HostSynchronisationError(f"{name} makes a GPU wait for the host")
        return func(*args, **(kwargs or {}))


@contextmanager
def no_host_synchronisation() -> Iterator[None]:
    """Raise HostSynchronisationError where the block would make a GPU wait."""
    kept = {name: getattr(torch.Tensor, name) for name in WAITING_METHODS}

    def refuse(name: str) -> Any:
        def method(*_: Any, **__: Any) -> None:
            raise HostSynchronisationError(f"Tensor.{name} makes a GPU wait for the host")

        return method

    try:
        for name in WAITING_METHODS:
            setattr(torch.Tensor, name, refuse(name))
        with _Guard():
            yield
    finally:
        for name, method in kept.items():
            setattr(torch.Tensor, name, method)
