"""The weights in an nnU-Net checkpoint, read without running anything that the file holds."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

from torch import Tensor

from elastix_impact.errors import ModelError

from .weights import read_pickle

UNREAD = (
    "_codecs.encode",
    "numpy.dtype",
    "numpy.ndarray",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
)
"""What nnU-Net's training log is made of beside tensors; it becomes empty objects, nothing of it is run."""

WRAPPERS = ("module.", "_orig_mod.")
"""What DistributedDataParallel and torch.compile put before the names of weights."""


@final
@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a checkpoint says: `weights` by the network's names, and the `configuration` and `trainer` it is of.

    `configuration` and `trainer` are "" where it doesn't tell.
    """

    weights: dict[str, Tensor]
    configuration: str
    trainer: str


def read_checkpoint(path: Path) -> Checkpoint:
    """The weights of a checkpoint on the CPU, by names without `WRAPPERS`.

    Raises
    ------
    ModelError
        If it can't be read, holds other objects than tensors, numbers and `UNREAD`, or is no nnU-Net v2 checkpoint.
    """
    content = read_pickle(path, STAND_INS)
    weights = content.get("network_weights") if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise ModelError(
            "is not a checkpoint of nnU-Net v2",
            where=str(path),
            expected="a file written by nnU-Net's training, with the key network_weights",
        )
    arguments = content.get("init_args")
    configuration = arguments.get("configuration") if isinstance(arguments, dict) else None
    named = {_bare(name): weight for name, weight in weights.items()}
    return Checkpoint(named, str(configuration or ""), str(content.get("trainer_name") or ""))


def _bare(name: str) -> str:
    while name.startswith(WRAPPERS):
        name = name.split(".", 1)[1]
    return name


class _Unread:
    """Takes the place of an object that is not needed, whatever it is made from."""

    def __init__(self, *parts: object) -> None:
        del parts

    def __setstate__(self, state: object) -> None:
        del state


def _stand_in(name: str) -> type[_Unread]:
    module, _, qualified_name = name.rpartition(".")
    return type(qualified_name, (_Unread,), {"__module__": module})


STAND_INS = [_stand_in(name) for name in UNREAD]
