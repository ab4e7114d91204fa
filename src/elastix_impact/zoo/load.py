"""A TorchScript file as a feature model that can be called safely.

A model's `forward` takes one to four tensors besides self: the image, the number of layers, the image's
statistics, its direction. It returns one tensor per layer.
"""

import zipfile
import zlib
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import final

import torch
from torch import Tensor

from elastix_impact.errors import ModelError

from .failures import essence, model_failures

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
    mixed_precision
        The 16-bit type that its convolutions and products compute in (autocast), None = all in float32. Features
        are float32 all the same.
    number_of_inputs
        How many of (x, nb_layers, stats, direction) its `forward` takes, 1 to 4.
    """

    path: Path
    module: torch.jit.ScriptModule
    device: torch.device
    mixed_precision: torch.dtype | None
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
            `direction` on the CPU, since a model may read it as Python numbers.
        direction
            Rounded direction cosines, integer (D, D).

        Returns
        -------
        list of Tensor
            Per layer (N, channels, *spatial of that layer), float32, on the model's device.

        Raises
        ------
        ModelError
            If the model fails, returns something else than tensors of real numbers on its device, or memory runs out.
        """
        inputs = (x.to(self.device), torch.tensor(nb_layers), stats, direction)
        precision = (
            nullcontext() if self.mixed_precision is None else torch.autocast(self.device.type, self.mixed_precision)
        )
        # Without the JIT's optimisation nothing is compiled late, and gradients take half the time.
        with model_failures(self.path, x), precision, torch.jit.optimized_execution(False):  # pyright: ignore[reportPrivateImportUsage]
            layers = self.module(*inputs[: self.number_of_inputs])
        if not isinstance(layers, (list, tuple)) or not all(isinstance(layer, Tensor) for layer in layers):
            raise ModelError(
                f"the model's forward returns {type(layers).__name__}",
                where=str(self.path),
                expected="a list of tensors, one per layer",
                remedy="Export it again with `return [features]` at the end of forward",
            )
        for number, layer in enumerate(layers):
            self._check_layer(number, layer)
        return [layer.float() for layer in layers]

    def _check_layer(self, number: int, layer: Tensor) -> None:
        """Refuse a layer that is no field of real numbers on the model's device; raises ModelError."""
        fault = None
        if layer.device.type != self.device.type:
            fault = f"lies on the device {layer.device.type}, the model on {self.device.type}"
        elif layer.is_complex() or layer.is_quantized or layer.layout is not torch.strided:
            fault = f"has the type {layer.dtype}, {layer.layout}"
        elif layer.numel() == 0:
            fault = f"has shape {tuple(layer.shape)}: it is empty"
        if fault is not None:
            raise ModelError(
                f"layer {number} {fault}",
                where=str(self.path),
                expected="layers of real numbers (N, channels, *spatial)",
                remedy="Export the model again, or take the layer out of ImpactLayersMask",
            )

    def selected_layers(
        self, x: Tensor, layers_mask: tuple[bool, ...], stats: Tensor, direction: Tensor
    ) -> list[Tensor]:
        """The layers whose flag is set; the model is told that it may stop behind the last of them.

        Parameters
        ----------
        layers_mask
            One flag per layer that the model has.
        x, stats, direction
            See `__call__`.

        Raises
        ------
        ModelError
            As `__call__`, and if the model has another number of layers than the mask.
        """
        wanted = last_selected(layers_mask)
        layers = self(x, wanted, stats, direction)
        if len(layers) not in (wanted, len(layers_mask)):
            raise ModelError(
                f"the model returned {len(layers)} layers, the layers mask has {len(layers_mask)} characters",
                where=str(self.path),
                remedy=f"Write an ImpactLayersMask of {len(layers)} characters, one per layer",
            )
        return [layer for layer, flag in zip(layers, layers_mask) if flag]


def last_selected(layers_mask: tuple[bool, ...]) -> int:
    """How many leading layers a model must compute for a mask."""
    return max(place for place, flag in enumerate(layers_mask) if flag) + 1


def load_model(path: Path, device: torch.device | str = "cpu", *, mixed_precision: bool = False) -> FeatureModel:
    """The feature model in a TorchScript file; the same file is read once per process, device and precision.

    Parameters
    ----------
    path
        The file.
    device
        Where it shall compute.
    mixed_precision
        Whether convolutions and products are computed in 16 bits, see `sixteen_bits`.

    Raises
    ------
    ModelError
        If the file is missing, damaged, not TorchScript, or its `forward` takes something else than
        one to four tensors.
    """
    device = torch.device(device)
    if not path.is_file():
        what = "is a folder, not a model file" if path.is_dir() else "no such model file"
        raise ModelError(what, where=str(path), expected="a TorchScript file (.pt)")
    state = path.stat()
    dtype = sixteen_bits(device) if mixed_precision else None
    return _load(path.resolve(), state.st_mtime_ns, state.st_size, device, dtype)


def sixteen_bits(device: torch.device) -> torch.dtype:
    """The 16-bit type for mixed precision: bfloat16, whose gradients don't vanish, where the device has it."""
    if device.type == "mps" or (device.type == "cuda" and not torch.cuda.is_bf16_supported()):
        return torch.float16
    return torch.bfloat16


@lru_cache(maxsize=16)
def _load(path: Path, _changed: int, _size: int, device: torch.device, dtype: torch.dtype | None) -> FeatureModel:
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
    return FeatureModel(path, module.eval().float(), device, dtype, number_of_inputs)


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
