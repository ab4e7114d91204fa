"""Feature maps of a whole image: in one pass, in tiles, or slice by slice.

The image's tensor is ordered (z, )y, x; sizes that come from a parameter map are ordered x, y(, z).
"""

import math
import warnings
from dataclasses import dataclass
from functools import partial
from typing import final

import torch
from torch import Tensor

from elastix_impact.errors import MemoryShortError, ModelError

from .failures import model_failures
from .inspect import LayerGeometry, layer_geometry
from .load import MAXIMUM_INPUTS, FeatureModel, last_selected
from .memory import bytes_per_voxel, free_memory
from .tiles import Overlap, Shape, filled_up, halved, overlapping, side_by_side


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
        """The selected layers (C, *spatial) of one tile of the image, checked for their shape."""
        x = tile.repeat(1, self.channels, *(1,) * tile.dim())
        selected = self.model.selected_layers(x, self.layers_mask, self.stats, self.direction)
        for layer in selected:
            if layer.dim() != x.dim() or layer.shape[0] != 1:
                raise ModelError(
                    f"a layer has shape {tuple(layer.shape)} for an input of shape {tuple(x.shape)}",
                    where=str(self.model.path),
                    expected=f"(1, channels, {tile.dim()} spatial axes)",
                    remedy="Check ImpactDimension, or take the layer out of ImpactLayersMask",
                )
        return [layer[0] for layer in selected]

    def geometry(self, dimension: int) -> tuple[LayerGeometry, ...]:
        """Where the voxels of all layers lie."""
        return layer_geometry(self.model, dimension, self.channels, len(self.layers_mask), self.direction)

    def overlap(self, dimension: int) -> Overlap | None:
        """How tiles of an image must overlap."""
        return Overlap.of([layer for layer, wanted in zip(self.geometry(dimension), self.layers_mask) if wanted])


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
        zeros at its far side, and the joined map is cut back to the image. If all are 0 and the image needs
        more memory than is free, it is taken in overlapping tiles, with a warning.
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
    with model_failures(model.path, volume):
        volume = volume.to(model.device)
        if model_dimension == volume.dim():
            layers = _of_image(call, volume, tile)
        else:
            layers = _slice_by_slice(call, volume, tile)
    _check_finite(layers, model)
    return layers


def _tile_shape(shape: torch.Size, patch_size: tuple[int, ...]) -> Shape:
    """The tile's shape (z, )y, x from a patch size x, y(, z) in which 0 means the whole axis."""
    wanted = tuple(patch_size[: len(shape)])[::-1]
    return tuple(size if size > 0 else whole for size, whole in zip(wanted, shape))


def _slice_by_slice(call: _Call, volume: Tensor, tile: Shape) -> list[Tensor]:
    stacks: list[Tensor] = []
    for position, image in enumerate(volume):
        layers = _of_image(call, image, tile)
        if position == 0:
            stacks = [layer.new_empty(layer.shape[0], volume.shape[0], *layer.shape[1:]) for layer in layers]
        for stack, layer in zip(stacks, layers):
            stack[:, position] = layer
    return stacks


def _of_image(call: _Call, image: Tensor, tile: Shape) -> list[Tensor]:
    if tile != tuple(image.shape):
        return side_by_side(call.selected_layers, image, tile, where=str(call.model.path))
    if call.model.number_of_inputs == MAXIMUM_INPUTS:
        run_through = call.geometry(image.dim())[: last_selected(call.layers_mask)]
        return filled_up(partial(_whole, call), image, [layer.stride[::-1] for layer in run_through])
    return _whole(call, image)


def _whole(call: _Call, image: Tensor) -> list[Tensor]:
    """In one pass if memory allows, else in overlapping tiles."""
    tile = tuple(image.shape)
    fitting = _fitting_tile(call, tile)
    if fitting == tile:
        try:
            return call.selected_layers(image)
        except MemoryShortError:
            fitting = halved(tile)
            if fitting is None:
                raise
    return _in_overlapping_tiles(call, image, fitting)


def _fitting_tile(call: _Call, tile: Shape) -> Shape:
    """The tile, halved until the model's memory for it is free; asked for large images, or where little is free."""
    free = free_memory(call.model.device)
    if free is None or (math.prod(tile) < LARGE_IMAGE_VOXELS and math.prod(tile) * MOST_BYTES <= free):
        return tile
    needed = bytes_per_voxel(call.model, len(tile), call.channels, len(call.layers_mask))
    while needed * math.prod(tile) > free and (smaller := halved(tile)) is not None:
        tile = smaller
    return tile


LARGE_IMAGE_VOXELS = 1 << 21
"""Below this an image is run at once, ..."""

MOST_BYTES = 1 << 12
"""... if so many bytes per voxel are free: no model that is known needs more."""


def _in_overlapping_tiles(call: _Call, image: Tensor, tile: Shape) -> list[Tensor]:
    """Overlapping tiles, made smaller until they fit."""
    overlap = call.overlap(image.dim())
    if overlap is None:
        raise MemoryShortError(
            f"memory on {call.model.device} is too short for the whole image, and the model can't be tiled exactly "
            "because its strides or receptive fields could not be measured",
            where=str(call.model.path),
            remedy="Set ImpactPatchSize to tiles such as 64 64 64, or make ImpactVoxelSize larger",
        )
    _warn_of_tiles(call, image, tile, overlap)
    while True:
        try:
            return overlapping(call.selected_layers, image, tile, overlap)
        except MemoryShortError:
            smaller = halved(tile)
            if smaller is None:
                raise
            tile = smaller


def _warn_of_tiles(call: _Call, image: Tensor, tile: Shape, overlap: Overlap) -> None:
    whole, size = ("x".join(map(str, reversed(shape))) for shape in (image.shape, tile))
    effect = (
        "the features are the same"
        if overlap.exact
        else "the model looks at the whole image (an instance norm, for example), so the features differ a little"
    )
    warnings.warn(
        f"{call.model.path.name}: memory on {call.model.device} is short for an image of {whole}: it is taken in "
        f"overlapping tiles of at most {size} voxels; {effect}",
        stacklevel=2,
    )


def _check_finite(layers: list[Tensor], model: FeatureModel) -> None:
    for number, layer in enumerate(layers):
        if not bool(torch.isfinite(layer.sum())):
            raise ModelError(
                f"selected layer {number} has features that are not finite",
                where=str(model.path),
                remedy="Check the image for NaN and for a constant intensity, and set ImpactUseMixedPrecision to false",
            )
