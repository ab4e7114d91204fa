"""Whether a model would run on another device: found on the CPU, by following where its tensors would be.

A model's weights and its image go to the GPU; a tensor that its code makes without saying where stays on the
CPU, and the first operation that meets both fails there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from .probe import Probe, noise

INDEXING = ("aten.index", "aten._index", "aten.index_put", "aten._unsafe_index", "aten.copy_")
"""Operations that take indices, or values, from the CPU."""


def device_fault(probe: Probe) -> str:
    """Why the model would fail on another device than the CPU; "" if nothing speaks against it."""
    image = noise((probe.narrow,) * probe.dimension, probe.channels, seed=0)
    model = probe.model
    on_cpu = (torch.tensor(probe.n_layers), torch.tensor([-3.0, 3.0, 0.0, 1.0]), probe.direction)
    following = _WhereTensorsAre(on_cpu, _device_words(model.module))
    with torch.no_grad(), following as tensors:
        model.module(*(image, *on_cpu)[: model.number_of_inputs])
    return tensors.fault


@final
@dataclass(frozen=True)
class _DeviceWords:
    """How the code of a model speaks of devices.

    `names_one`: it holds a device as a constant, as every trace that makes tensors does. `numbers_without`: it turns
    numbers into a tensor (`torch.tensor`) without saying where.
    """

    names_one: bool
    numbers_without: bool


def _device_words(module: torch.jit.ScriptModule) -> _DeviceWords:
    graph = module.inlined_graph  # kept: its nodes die with it
    constants = graph.findAllNodes("prim::Constant", True)  # pyright: ignore[reportAttributeAccessIssue]
    made = [list(node.inputs())[-2] for node in graph.findAllNodes("aten::tensor", True)]  # pyright: ignore[reportAttributeAccessIssue]
    return _DeviceWords(
        names_one=any(str(node.output().type()) == "Device" for node in constants),
        numbers_without=any(str(device.type()) == "NoneType" for device in made),
    )


@final
class _WhereTensorsAre(TorchDispatchMode):
    """Keeps the tensors that would be on the CPU while the model runs elsewhere; all others are with the image."""

    def __init__(self, on_cpu: Sequence[Tensor], words: _DeviceWords) -> None:
        super().__init__()
        self._on_cpu = {id(tensor): tensor for tensor in on_cpu}  # kept, so that no later tensor gets its id
        self._words = words
        self.fault = ""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        inputs, results = (
            [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)] for tree in ((args, kwargs), out)
        )
        stays = [tensor for tensor in inputs if id(tensor) in self._on_cpu]
        self._note(func, stays, inputs)
        if self._stays_on_cpu(func, kwargs, all_stay=len(stays) == len(inputs)):
            self._on_cpu |= {id(tensor): tensor for tensor in results}
        return out

    def _stays_on_cpu(self, func: Any, kwargs: dict[str, Any], *, all_stay: bool) -> bool:
        """Whether the results of an operation would be on the CPU; `all_stay`: as are all its inputs, if any."""
        if self._words.numbers_without and func is torch.ops.aten.empty.memory_format:
            return True  # what `torch.tensor` begins with
        told_where = kwargs.get("device") is not None
        return self._words.names_one if told_where else all_stay

    def _note(self, func: Any, stays: list[Tensor], inputs: list[Tensor]) -> None:
        large = [tensor for tensor in stays if tensor.dim() > 0]
        if self.fault or not large or len(stays) == len(inputs) or str(func).startswith(INDEXING):
            return
        shape = tuple(large[0].shape)
        name = str(func).split(".")[1]
        self.fault = f"{name} meets a tensor of shape {shape} that the model's code makes on the CPU"
