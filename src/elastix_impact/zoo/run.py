"""Feature maps of a whole image: in one pass, in tiles, or slice by slice.

The image's tensor is ordered (z, )y, x; sizes that come from a parameter map are ordered x, y(, z).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from elastix_impact.errors import ModelError

from .load import FeatureModel, model_failures


@final
@dataclass(frozen=True, eq=False)
class _Call:
    """What stays the same from tile to tile."""

    model: FeatureModel
    channels: int
    layers_mask: tuple[bool, ...]
    stats: Tensor
    direction: Tensor

    def selected_layers(self, tile: Tensor) -> list[Tensor]:
        """The selected layers (C, *spatial) of one tile of the image, checked for number and shape."""
        x = tile.repeat(1, self.channels, *(1,) * tile.dim())
        layers = self.model(x, len(self.layers_mask), self.stats, self.direction)
        if len(layers) != len(self.layers_mask):
            raise ModelError(
                f"the model returned {len(layers)} layers, the layers mask has {len(self.layers_mask)} characters",
                where=str(self.model.path),
                remedy=f"Write an ImpactLayersMask of {len(layers)} characters, one per layer",
            )
        selected = [layer for layer, wanted in zip(layers, self.layers_mask) if wanted]
        for layer in selected:
            if layer.dim() != x.dim() or layer.shape[0] != 1:
                raise ModelError(
                    f"a layer has shape {tuple(layer.shape)} for an input of shape {tuple(x.shape)}",
                    where=str(self.model.path),
                    expected=f"(1, channels, {tile.dim()} spatial axes)",
                    remedy="Check ImpactDimension, or take the layer out of ImpactLayersMask",
                )
        return [layer[0] for layer in selected]


@torch.no_grad()
def extract_features(
    model: FeatureModel,
    volume: Tensor,
    *,
    model_dimension: int,
    channels: int,
    patch_size: tuple[int, ...],
    layers_mask: tuple[bool, ...],
    stats: Tensor,
    direction: Tensor,
) -> list[Tensor]:
    """The selected layers of `model` for an image that already has the model's voxel size.

    Parameters
    ----------
    volume
        Raw intensities (z, )y, x, float32.
    model_dimension
        2 or 3. A 2-D model sees every slice of a 3-D image along z by itself, because a model may look at
        its whole batch (MIND's typical variance does).
    channels
        Channels the model wants; the image is repeated.
    patch_size
        Tile size in voxels, x, y(, z); 0 = the whole axis. Tiles don't overlap; the last one is filled up with
        zeros at its far side, and the joined map is cut back to the image.
    layers_mask
        One flag per layer that the model returns.
    stats, direction
        See `FeatureModel.__call__`; the same for every tile and slice.

    Returns
    -------
    list of Tensor
        Per selected layer (channels, (z, )y, x) of that layer's resolution, float32, on the model's device.

    Raises
    ------
    ModelError
        If the model can't take the image, returns another number of layers than the mask has, or features
        that are not finite, if a tile is no multiple of a layer's stride, or if memory runs out.
    """
    if not 2 <= model_dimension <= volume.dim():
        raise ModelError(
            f"a {model_dimension}-D model can't see a {volume.dim()}-D image",
            where=str(model.path),
            expected=f"ImpactDimension of at most {volume.dim()}",
        )
    tile = _tile_shape(volume.shape[-model_dimension:], patch_size)
    call = _Call(model, channels, tuple(layers_mask), stats.cpu(), direction.cpu())
    with model_failures(model, volume):
        volume = volume.to(model.device)
        if model_dimension == volume.dim():
            layers = _in_tiles(call, volume, tile)
        else:
            layers = _slice_by_slice(call, volume, tile)
    _check_finite(layers, model)
    return layers


def _tile_shape(shape: torch.Size, patch_size: tuple[int, ...]) -> tuple[int, ...]:
    """The tile's shape (z, )y, x from a patch size x, y(, z) in which 0 means the whole axis."""
    wanted = tuple(patch_size[: len(shape)])[::-1]
    return tuple(size if size > 0 else whole for size, whole in zip(wanted, shape))


def _slice_by_slice(call: _Call, volume: Tensor, tile: tuple[int, ...]) -> list[Tensor]:
    stacks: list[Tensor] = []
    for position, image in enumerate(volume):
        layers = _in_tiles(call, image, tile)
        if position == 0:
            stacks = [layer.new_empty(layer.shape[0], volume.shape[0], *layer.shape[1:]) for layer in layers]
        for stack, layer in zip(stacks, layers):
            stack[:, position] = layer
    return stacks


def _in_tiles(call: _Call, image: Tensor, tile: tuple[int, ...]) -> list[Tensor]:
    if tile == tuple(image.shape):
        return call.selected_layers(image)
    joined: list[Tensor] = []
    counts = tuple(math.ceil(n / t) for n, t in zip(image.shape, tile))
    for position, part in _tiles(image, tile, counts):
        layers = call.selected_layers(part)
        if not joined:
            joined = [_canvas(layer, tile, counts, call.model) for layer in layers]
        for canvas, layer in zip(joined, layers):
            window = [slice(p * n, (p + 1) * n) for p, n in zip(position, layer.shape[1:])]
            canvas[(slice(None), *window)] = layer
    return [_cut_back(canvas, image, tile, counts) for canvas in joined]


def _tiles(image: Tensor, tile: tuple[int, ...], counts: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Tensor]]:
    """Every tile with its position on the lattice of tiles; zeros beyond the far side of the image."""
    for position in product(*map(range, counts)):
        part = image[tuple(slice(p * t, (p + 1) * t) for p, t in zip(position, tile))]
        missing = [t - n for t, n in zip(tile, part.shape)]
        yield position, F.pad(part, [side for m in reversed(missing) for side in (0, m)])


def _canvas(layer: Tensor, tile: tuple[int, ...], counts: tuple[int, ...], model: FeatureModel) -> Tensor:
    sizes = tuple(layer.shape[1:])
    for size, length, count in zip(sizes, tile, counts):
        if count > 1 and length % size != 0 and size % length != 0:
            raise ModelError(
                f"a layer has {sizes[::-1]} voxels for a tile of {tile[::-1]}: joined tiles would be distorted",
                where=str(model.path),
                expected="an ImpactPatchSize that is a multiple of the stride of every selected layer",
                remedy="Change ImpactPatchSize, or set it to 0 for the whole image in one pass",
            )
    return layer.new_empty(layer.shape[0], *(n * count for n, count in zip(sizes, counts)))


def _cut_back(canvas: Tensor, image: Tensor, tile: tuple[int, ...], counts: tuple[int, ...]) -> Tensor:
    """The voxels of a joined map that lie on the image: ceil(size / stride) per axis."""
    kept = [
        slice(0, math.ceil(size * (joined // count) / length))
        for size, joined, count, length in zip(image.shape, canvas.shape[1:], counts, tile)
    ]
    return canvas[(slice(None), *kept)].contiguous()


def _check_finite(layers: list[Tensor], model: FeatureModel) -> None:
    for number, layer in enumerate(layers):
        if not bool(torch.isfinite(layer.sum())):
            raise ModelError(
                f"selected layer {number} has features that are not finite",
                where=str(model.path),
                remedy="Check the image for NaN and for a constant intensity, and set ImpactUseMixedPrecision to false",
            )
