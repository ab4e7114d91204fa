"""A short trial of a model on made-up images, so that what can never work is known before a registration begins."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from elastix_impact.errors import ModelError

from .load import FeatureModel, LayerError, last_selected, load_model
from .probe import noise

SIDES = (16, 32, 64)
"""Sides in voxels of the images that are tried, until the model takes one."""

CONTRAST, BRIGHTNESS = 300.0, 100.0
"""Of the second image, which is nowhere negative: about that of bright tissue in Hounsfield units."""


def try_model(
    path: Path, *, dimension: int, channels: int, layers_mask: tuple[bool, ...], patch_size: tuple[int, ...] | None
) -> None:
    """Run a model on the CPU, in float32, on two images of noise, and refuse it if its layers are of no use.

    Parameters
    ----------
    path
        The file.
    dimension, channels
        Of the images that it is to take.
    layers_mask
        One flag per layer.
    patch_size
        Voxels x, y(, z) of the images that it will see; None = whole images. Nothing is said of a model that takes
        none of the sizes tried then: the image itself may suit it.

    Raises
    ------
    ModelError
        If it can't be loaded, fails on its patches, has other layers than the mask, or a selected layer is the same
        for both images, or not finite for both.
    """
    model = load_model(path)
    shapes = [(side,) * dimension for side in SIDES] if patch_size is None else [patch_size[::-1]]
    wanted = last_selected(layers_mask)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        for shape in shapes:
            dark, bright = _images(shape, channels)
            try:
                layers = _run(model, dark, wanted)
            except LayerError:
                raise
            except ModelError:
                if patch_size is not None:
                    raise
                continue
            brighter = model.select(_run(model, bright, wanted), layers_mask)
            _check(model.select(layers, layers_mask), brighter, layers_mask, path)
            return


def _images(shape: Sequence[int], channels: int) -> tuple[Tensor, Tensor]:
    return noise(shape, channels, seed=0), BRIGHTNESS + CONTRAST * noise(shape, channels, seed=1).abs()


def _run(model: FeatureModel, image: Tensor, wanted: int) -> list[Tensor]:
    stats = torch.stack([image.min(), image.max(), image.mean(), image.std()])
    return model(image, wanted, stats, torch.eye(image.dim() - 2, dtype=torch.int64))


def _check(dark: list[Tensor], bright: list[Tensor], layers_mask: tuple[bool, ...], path: Path) -> None:
    numbers = [number for number, wanted in enumerate(layers_mask) if wanted]
    for number, one, other in zip(numbers, dark, bright):
        if not (bool(torch.isfinite(one).all()) or bool(torch.isfinite(other).all())):
            fault = "is not finite (NaN or infinite), whatever the image shows"
        elif torch.equal(one, other):
            fault = "is the same whatever the image shows: it can't guide a registration"
        else:
            continue
        raise ModelError(
            f"layer {number} of the model {fault}",
            where=str(path),
            remedy="Take it out of ImpactLayersMask, or export the model again (see `elastix-impact models verify`)",
        )
