"""A TorchScript file as a feature model that can be called safely.

A model's `forward` takes one to four tensors besides self: the image, the number of layers, the image's
statistics, its direction. It returns one tensor per layer.
"""

import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import final

import torch
from torch import Tensor

from elastix_impact.errors import ModelError

MAXIMUM_INPUTS = 4


@final
@dataclass(frozen=True, eq=False)
class FeatureModel:
    """A feature model on its device, in evaluation mode, its weights frozen. Made by `load_model`.

    Attributes
    ----------
    path
        The file it came from.
    module
        The TorchScript module.
    device
        Where it computes.
    dtype
        What it computes in; results are float32 all the same.
    number_of_inputs
        How many of (x, nb_layers, stats, direction) its `forward` takes, 1 to 4.
    """

    path: Path
    module: torch.jit.ScriptModule
    device: torch.device
    dtype: torch.dtype
    number_of_inputs: int

    def __call__(self, x: Tensor, nb_layers: int, stats: Tensor, direction: Tensor) -> list[Tensor]:
        """The layers of a batch of images; differentiable where the model is.

        Parameters
        ----------
        x
            Raw intensities (N, C, *spatial), C = the channels the model wants.
        nb_layers
            How many leading layers are wanted; a model may stop there.
        stats
            Minimum, maximum, mean and standard deviation of the whole image, float32 (4,). Like
            `direction`, best on the CPU: the model gets it there, since it may read it as Python numbers.
        direction
            Rounded direction cosines, integer (D, D).

        Returns
        -------
        list of Tensor
            Per layer (N, channels, *spatial of that layer), float32, on the model's device.

        Raises
        ------
        ModelError
            If the model fails, returns something else than tensors, or memory runs out.
        """
        inputs = (x.to(self.device, self.dtype), torch.tensor(nb_layers), stats.cpu(), direction.cpu())
        # Without the JIT's optimisation nothing is compiled late, and gradients take half the time.
        with model_failures(self, x), torch.jit.optimized_execution(False):  # pyright: ignore[reportPrivateImportUsage]
            layers = self.module(*inputs[: self.number_of_inputs])
        if not isinstance(layers, (list, tuple)) or not all(isinstance(layer, Tensor) for layer in layers):
            raise ModelError(
                f"the model's forward returns {type(layers).__name__}",
                where=str(self.path),
                expected="a list of tensors, one per layer",
                remedy="Export it again with `return [features]` at the end of forward",
            )
        return [layer.float() for layer in layers]


def load_model(
    path: Path, device: torch.device | str = "cpu", mixed_precision: torch.dtype | None = None
) -> FeatureModel:
    """The feature model in a TorchScript file; the same file is read once per process, device and dtype.

    Parameters
    ----------
    path
        The file.
    device
        Where it shall compute.
    mixed_precision
        torch.float16 or torch.bfloat16 to compute in that; None = float32. Ignored on a CPU, with a warning.

    Raises
    ------
    ModelError
        If the file is missing, damaged, not TorchScript, or its `forward` takes something else than
        one to four tensors.
    """
    device = torch.device(device)
    if mixed_precision is not None and device.type == "cpu":
        warnings.warn("mixed precision is ignored on the CPU: the model computes in float32", stacklevel=2)
        mixed_precision = None
    if not path.is_file():
        what = "is a folder, not a model file" if path.is_dir() else "no such model file"
        raise ModelError(what, where=str(path), expected="a TorchScript file (.pt)")
    state = path.stat()
    return _load(path.resolve(), state.st_mtime_ns, state.st_size, device, mixed_precision or torch.float32)


@lru_cache(maxsize=16)
def _load(path: Path, _changed: int, _size: int, device: torch.device, dtype: torch.dtype) -> FeatureModel:
    _check_archive(path)
    try:
        module = torch.jit.load(str(path), map_location=device)
    except torch.OutOfMemoryError as error:
        raise ModelError(
            f"no memory left on {device} to load the model", where=str(path), remedy="Use --device cpu"
        ) from error
    except (RuntimeError, ValueError, EOFError, KeyError) as error:
        raise ModelError(f"the model can't be read: {essence(error)}", where=str(path), remedy=_FETCH_AGAIN) from error
    number_of_inputs = _count_inputs(module, path)
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return FeatureModel(path, module.eval().to(dtype), device, dtype, number_of_inputs)


_FETCH_AGAIN = "Fetch or export the file again; it may be damaged or made by a newer PyTorch"


def _check_archive(path: Path) -> None:
    """Refuse what is no TorchScript archive, or one whose checksums fail: PyTorch would load wrong weights."""
    if path.stat().st_size == 0:
        raise ModelError("the model file is empty", where=str(path), remedy=_FETCH_AGAIN)
    if not zipfile.is_zipfile(path):
        raise ModelError(_what_it_is(path), where=str(path), expected="a TorchScript file", remedy=_FETCH_AGAIN)
    try:
        with zipfile.ZipFile(path) as archive:
            names, damaged = archive.namelist(), archive.testzip()
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
        names, damaged = [], essence(error)
    if damaged is not None:
        raise ModelError(f"the model file is damaged: {damaged}", where=str(path), remedy=_FETCH_AGAIN)
    if not any("/code/" in name for name in names) or not any(name.endswith("constants.pkl") for name in names):
        raise ModelError(
            "holds weights or a pickled object, but no TorchScript code",
            where=str(path),
            expected="a model written by torch.jit.script(model).save(...) or torch.jit.trace",
            remedy="Build the network in Python, load these weights into it and export it as TorchScript",
        )


def _what_it_is(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith(b"PK"):
        return "the model file is truncated"
    if start.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the model itself"
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "is a web page, not a model: the download went wrong"
    return "is not a TorchScript file"


def _count_inputs(module: torch.jit.ScriptModule, path: Path) -> int:
    try:
        arguments = module.forward.schema.arguments[1:]
    except (AttributeError, RuntimeError) as error:
        raise ModelError("the model has no forward method", where=str(path)) from error
    types = [str(argument.type) for argument in arguments]
    if not 1 <= len(types) <= MAXIMUM_INPUTS or any(kind != "Tensor" for kind in types):
        raise ModelError(
            f"the model's forward takes ({', '.join(types)})",
            where=str(path),
            expected="one to four tensors: x, nb_layers, stats, direction",
            remedy="Export it again with that signature",
        )
    return len(types)


@contextmanager
def model_failures(model: FeatureModel, x: Tensor) -> Iterator[None]:
    """Turn what fails inside while `model` works on `x` into a ModelError with a remedy."""
    try:
        yield
    except (RuntimeError, IndexError, AssertionError, MemoryError, torch.jit.Error) as error:
        raise _explained(error, model, x) from error


def _explained(error: BaseException, model: FeatureModel, x: Tensor) -> ModelError:
    text, size = essence(error), "x".join(map(str, x.shape))
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or any(sign in str(error) for sign in _MEMORY_SIGNS):
        return ModelError(
            f"memory ran out on {model.device} with an input of {size}",
            where=str(model.path),
            remedy="Set ImpactPatchSize to tiles such as 64 64 64, or make ImpactVoxelSize larger",
        )
    hint = "Check ImpactDimension, ImpactNumberOfChannels and ImpactPatchSize"
    if "channel" in text:
        hint = f"Set ImpactNumberOfChannels to what the model wants (it got {x.shape[1]})"
    elif any(sign in text for sign in ("batched", "spatial", "padding", "kernel size", "too small")):
        hint = "Set ImpactDimension to the model's, and ImpactPatchSize to a size it can take"
    return ModelError(
        f"the model fails on an input of {size} (batch x channels x spatial): {text}",
        where=str(model.path),
        remedy=hint,
    )


_MEMORY_SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED")


def essence(error: BaseException) -> str:
    """The last line of an error, without TorchScript's stack: what actually went wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if "Error: " in line]
    last = (said or lines or [type(error).__name__])[-1]
    return last.split("Error: ")[-1].rstrip(".")
