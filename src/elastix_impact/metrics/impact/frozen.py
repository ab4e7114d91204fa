"""Pretrained networks inside a loss: frozen copies that see every image as the metric would show it to them."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final

import torch
from torch import Tensor, nn

from elastix_impact.errors import DeviceError, ImageError, ModelError
from elastix_impact.zoo.failures import essence, is_memory_short
from elastix_impact.zoo.load import MAXIMUM_INPUTS, FeatureModel, load_model

ModelSource = str | Path | FeatureModel | nn.Module
"""A TorchScript file, a loaded model, or a module whose `forward` takes images and returns a list of feature maps."""

IMAGE_AND_LAYERS = 2
"""Inputs of a model that is not told the image's statistics."""

UNKNOWN = torch.tensor([])
"""Statistics for a model that does not take any."""

LOUD = 1000.0
"""How much stronger than the picture its neighbour is when a model is asked whether it looks at its batch."""

QUIETEST = -4
"""The picture's contrast grows from this power of ten to 1, so that limits relative to the batch are reached."""


@final
class FrozenNetwork:
    """A frozen copy of a feature model; its features are differentiable by the images.

    It is no `nn.Module`, so that a loss that holds it does not own its weights: they are in no `state_dict`, no
    optimiser sees them, and `train()` leaves the copy in evaluation mode.

    Parameters
    ----------
    source
        The model. A TorchScript model may take one to four tensors (see `FeatureModel`), another module the images.
    layers_mask
        A 0 or 1 for each layer that the model returns, at least one 1.
    dimension
        Of the model's input, 2 or 3; None = the images'.
    channels
        Of the model's input.

    Raises
    ------
    ModelError
        If the model can't be read or takes other inputs.
    """

    def __init__(self, source: ModelSource, layers_mask: str, dimension: int | None, channels: int) -> None:
        self.name, module, self._number_of_inputs = _opened(source)
        with torch.no_grad():  # else the copy of a TorchScript module hangs on the original's weights
            self.module = copy.deepcopy(module).eval()
        for parameter in self.module.parameters():
            parameter.requires_grad_(False)
        self.layers_mask, self.dimension, self.channels = layers_mask, dimension, channels
        self._ignores_its_batch: bool | None = None

    def features(self, images: Tensor) -> list[Tensor]:
        """The selected layers of every image.

        An image's features do not depend on the other images, as in a registration: a model that takes statistics
        gets those of each image by itself, and one that looks at its whole batch sees one picture at a time.

        Parameters
        ----------
        images
            (N, C, *spatial), C = 1 or the channels of the model; raw intensities.

        Returns
        -------
        list of Tensor
            Per layer (N, channels, *spatial of the layer), of at least single precision. A 2-D model sees a 3-D
            image slice by slice; its slices keep their place.

        Raises
        ------
        ModelError
            If the model fails or returns something else than the mask says.
        ImageError
            If the images have other channels or fewer dimensions than the model.
        DeviceError
            If they lie on another device.
        """
        x = self._input(images)
        in_slices = self.dimension is not None and self.dimension < x.dim() - 2
        pictures = x.movedim(2, 1) if in_slices else x.unsqueeze(1)
        direction = torch.eye(x.dim() - 2, dtype=torch.int64)
        if self._number_of_inputs > IMAGE_AND_LAYERS:
            of_images = [self._of_pictures(p, statistics(image), direction) for p, image in zip(pictures, images)]
            layers = [torch.stack(parts) for parts in zip(*of_images)]
        else:
            together = self._of_pictures(pictures.flatten(0, 1), UNKNOWN, direction)
            layers = [layer.unflatten(0, pictures.shape[:2]) for layer in together]
        return [layer.movedim(1, 2) if in_slices else layer.squeeze(1) for layer in layers]

    def _input(self, images: Tensor) -> Tensor:
        """The images in the precision and with the channels of the model."""
        dimension = images.dim() - 2
        if self.dimension is not None and self.dimension > dimension:
            raise ImageError(
                f"a {self.dimension}-D model can't see images of shape {tuple(images.shape)}",
                where=self.name,
                expected=f"a `dimension` of at most {dimension}",
            )
        if images.shape[1] not in (1, self.channels):
            raise ImageError(
                f"the images have {images.shape[1]} channels and the model takes {self.channels}",
                where=self.name,
                expected="images of one channel, which is repeated, or as many as the model takes",
                remedy="Set `channels` to the model's, or give each channel to the loss by itself",
            )
        weight = next((p for p in self.module.parameters() if p.is_floating_point()), None)
        if weight is not None and weight.device != images.device:
            raise DeviceError(
                f"the images are on {images.device} and the model on {weight.device}",
                where=self.name,
                remedy=f'Move the loss with loss.to("{images.device}")',
            )
        dtype = torch.promote_types(images.dtype, torch.float32) if weight is None else weight.dtype
        return images.to(dtype).expand(-1, self.channels, *(-1,) * dimension)

    def _of_pictures(self, pictures: Tensor, stats: Tensor, direction: Tensor) -> list[Tensor]:
        """Selected layers of pictures (P, C, *spatial of the model) that share their statistics."""
        if len(pictures) == 1 or self._sees_each_alone(pictures, stats, direction):
            return self._call(pictures, stats, direction)
        alone = [self._call(picture, stats, direction) for picture in pictures.split(1)]
        return [torch.cat(parts) for parts in zip(*alone)]

    def _sees_each_alone(self, pictures: Tensor, stats: Tensor, direction: Tensor) -> bool:
        """Whether a picture's features stay the same whatever else is in its batch; measured once.

        MIND's do not: its smallest variance is relative to the mean variance of the batch.
        """
        if self._ignores_its_batch is None:
            noise = torch.randn(pictures.shape[1:], generator=torch.Generator().manual_seed(0)).to(pictures)
            contrast = torch.logspace(QUIETEST, 0, pictures.shape[-1]).to(pictures)
            with torch.no_grad():
                scale, middle = pictures.std().clamp_min(1.0), pictures.mean()
                picture = middle + scale * contrast * noise
                neighbours = middle.expand_as(picture), middle + LOUD * scale * noise
                beside_flat, beside_loud = (
                    self._call(torch.stack([picture, neighbour]), stats, direction) for neighbour in neighbours
                )
            pairs = [(a[0], b[0]) for a, b in zip(beside_flat, beside_loud)]
            self._ignores_its_batch = all(bool((a - b).abs().max() <= 1e-4 * a.abs().max()) for a, b in pairs)
        return self._ignores_its_batch

    def _call(self, x: Tensor, stats: Tensor, direction: Tensor) -> list[Tensor]:
        """The selected layers of one batch, checked."""
        wanted = self.layers_mask.rindex("1") + 1
        inputs = (x, torch.tensor(wanted), stats, direction)
        # Without the JIT's optimisation nothing is compiled late, and gradients take half the time.
        with _failures(self.name, x), torch.jit.optimized_execution(False):  # pyright: ignore[reportPrivateImportUsage]
            layers = self.module(*inputs[: self._number_of_inputs])
        if not isinstance(layers, list | tuple) or not all(isinstance(layer, Tensor) for layer in layers):
            raise ModelError(
                f"the model returns {type(layers).__name__}",
                where=self.name,
                expected="a list of tensors, one per layer",
            )
        if len(layers) not in (wanted, len(self.layers_mask)):
            raise ModelError(
                f"the model returns {len(layers)} layers, the mask {self.layers_mask!r} is for {len(self.layers_mask)}",
                where=self.name,
                remedy=f"Give `layers` {len(layers)} characters, one per layer",
            )
        selected = [layer for layer, flag in zip(layers, self.layers_mask) if flag == "1"]
        for layer in selected:
            if layer.dim() != x.dim() or len(layer) != len(x):
                raise ModelError(
                    f"a layer has shape {tuple(layer.shape)} for an input of shape {tuple(x.shape)}",
                    where=self.name,
                    expected=f"({len(x)}, channels, {x.dim() - 2} spatial axes)",
                    remedy="Take it out of `layers`, or check `dimension`",
                )
        return [layer.to(torch.promote_types(layer.dtype, torch.float32)) for layer in selected]


def statistics(image: Tensor) -> Tensor:
    """Minimum, maximum, mean and (population) standard deviation of one image, constants on the CPU, float32 (4,)."""
    values = image.detach()
    values = values.to(torch.promote_types(values.dtype, torch.float32))
    return torch.stack([values.min(), values.max(), values.mean(), values.std(correction=0)]).float().cpu()


def _opened(source: ModelSource) -> tuple[str, nn.Module, int]:
    """Name, module and number of inputs of a model."""
    if isinstance(source, str | Path):
        source = load_model(Path(source))
    if isinstance(source, FeatureModel):
        return str(source.path), source.module, source.number_of_inputs
    name = type(source).__name__
    if not isinstance(source, torch.jit.ScriptModule):
        return name, source, 1
    number_of_inputs = len(source.forward.schema.arguments) - 1
    if not 1 <= number_of_inputs <= MAXIMUM_INPUTS:
        raise ModelError(
            f"the model's forward takes {number_of_inputs} inputs",
            where=name,
            expected="one to four tensors: x, nb_layers, stats, direction",
        )
    return name, source, number_of_inputs


@contextmanager
def _failures(name: str, x: Tensor) -> Iterator[None]:
    """Turn what fails inside a model into a ModelError; memory that runs out stays what training loops look for."""
    try:
        yield
    except (RuntimeError, IndexError, AssertionError, TypeError, ValueError, torch.jit.Error) as error:
        if is_memory_short(error):
            raise
        raise ModelError(
            f"the model fails on an input of {tuple(x.shape)}: {essence(error)}",
            where=name,
            remedy="Check `dimension`, `channels`, and that the model can take images of this size",
        ) from error
