"""A TorchScript file as a feature model that can be called safely.

A model's `forward` takes one to four tensors besides self: the image, the number of layers, the image's
statistics, its direction. It returns one tensor per layer.
"""

import io
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import final

import torch
from torch import Tensor

from elastix_impact.errors import ModelError

from .failures import essence, model_failures
from .model_file import FETCH_AGAIN, ModelFile, OpenedFile, opened, read_archive

MAXIMUM_INPUTS = 4


@final
class LayerError(ModelError):
    """A model gives layers of a form that no image of any size would change."""


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
    file
        What is known of the bytes that were loaded.
    stored_dtype
        The type of the weights as stored, e.g. ``"float32"``; several are joined by commas, "" if there are none.
    """

    path: Path
    module: torch.jit.ScriptModule
    device: torch.device
    mixed_precision: torch.dtype | None
    number_of_inputs: int
    file: ModelFile
    stored_dtype: str

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
            If the model fails, gives no real tensors with channels on its device, or memory runs out.
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
        return [_real(layer, number, self.device, self.path) for number, layer in enumerate(layers)]

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
        return self.select(self(x, last_selected(layers_mask), stats, direction), layers_mask)

    def select(self, layers: list[Tensor], layers_mask: tuple[bool, ...]) -> list[Tensor]:
        """Those of the model's leading layers whose flag is set.

        Raises
        ------
        ModelError
            If the model has another number of layers than the mask.
        """
        wanted = last_selected(layers_mask)
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


def _real(layer: Tensor, number: int, device: torch.device, path: Path) -> Tensor:
    """The layer in float32; refused by what is known of it without looking at its values, which may still be computed.

    Raises
    ------
    ModelError
        If it holds no values, complex ones, none that can be indexed, or no channel, or lies on another device.
    """
    fault = (
        "has no values (it is on PyTorch's meta device)" if layer.is_meta
        else "is complex" if layer.is_complex()
        else f"is stored as {layer.layout}" if layer.layout != torch.strided
        else "is quantised" if layer.is_quantized
        else "has no channels" if layer.dim() > 1 and layer.shape[1] == 0
        else f"is empty, of shape {tuple(layer.shape)}" if layer.numel() == 0
        else f"lies on the device {layer.device.type}, the model on {device.type}" if layer.device.type != device.type
        else ""
    )  # fmt: skip
    if fault:
        raise LayerError(
            f"layer {number} of the model {fault}",
            where=str(path),
            expected="real features (N, channels, spatial)",
            remedy="Export it again with layers of that form",
        )
    return layer.float()


def load_model(path: Path, device: torch.device | str = "cpu", *, mixed_precision: bool = False) -> FeatureModel:
    """The feature model in a TorchScript file; the same file is read once per process, device and precision.

    Every model comes in through here. What is judged (see `trust`), checked and loaded are the bytes of one open file.

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
        If the file is missing, not trusted, damaged, not TorchScript, or its `forward` takes something else than
        one to four tensors.
    """
    device = torch.device(device)
    dtype = sixteen_bits(device) if mixed_precision else None
    with opened(path) as file:
        return _load(file, device, dtype)


def sixteen_bits(device: torch.device) -> torch.dtype:
    """The 16-bit type for mixed precision: bfloat16, whose gradients don't vanish, where the device has it."""
    if device.type == "mps" or (device.type == "cuda" and not torch.cuda.is_bf16_supported()):
        return torch.float16
    return torch.bfloat16


@lru_cache(maxsize=16)
def _load(file: OpenedFile, device: torch.device, dtype: torch.dtype | None) -> FeatureModel:
    path = file.path
    content, facts = read_archive(file)
    try:
        with _ended_by_signals():
            module = torch.jit.load(io.BytesIO(content), map_location=device)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise ModelError(
            f"no memory left on {device} to load the model", where=str(path), remedy="Use --device cpu"
        ) from error
    except (RuntimeError, ValueError, EOFError, LookupError, TypeError, AttributeError) as error:
        raise ModelError(f"the model can't be read: {essence(error)}", where=str(path), remedy=FETCH_AGAIN) from error
    number_of_inputs = _count_inputs(module, path)
    stored = ", ".join(sorted({str(tensor.dtype).removeprefix("torch.") for tensor in module.parameters()}))
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return FeatureModel(path, module.eval().float(), device, dtype, number_of_inputs, facts, stored)


_SIGNALS = ("SIGINT", "SIGTERM", "SIGALRM", "SIGUSR1")


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let signals end the process at once: a file's code may loop for ever while PyTorch holds Python still."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    known = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    handled = [number for number in known if callable(signal.getsignal(number))]
    previous = {number: signal.signal(number, signal.SIG_DFL) for number in handled}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


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
