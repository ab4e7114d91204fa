"""One image through a model in pieces.

Tiles side by side are what a map's ImpactPatchSize asks for: they have seams, as in the reference. Overlapping
tiles are what a whole image falls back to when memory is short: for a convolutional model they agree with one
pass. All shapes here are ordered (z, )y, x.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import final

import torch.nn.functional as F
from torch import Tensor

from elastix_impact.errors import ModelError

from .inspect import LayerGeometry

Shape = tuple[int, ...]
Extract = Callable[[Tensor], list[Tensor]]
"""From a tile ((z, )y, x) to its layers (C, *spatial)."""

SMALLEST_TILE = 24
"""Voxels along an axis below which tiles are not cut further."""


def side_by_side(extract: Extract, image: Tensor, tile: Shape, *, where: str) -> list[Tensor]:
    """The layers of tiles that don't overlap, joined; the last ones are filled up with zeros at their far side.

    `where` names the model in the error.

    Raises
    ------
    ModelError
        If a tile is no multiple of a layer's stride.
    """
    joined: list[Tensor] = []
    counts = tuple(math.ceil(n / t) for n, t in zip(image.shape, tile))
    for position, part in _tiles(image, tile, counts):
        layers = extract(part)
        if not joined:
            joined = [_canvas(layer, tile, counts, where) for layer in layers]
        for canvas, layer in zip(joined, layers):
            window = [slice(p * n, (p + 1) * n) for p, n in zip(position, layer.shape[1:])]
            canvas[(slice(None), *window)] = layer
    return [_cut_back(canvas, image, tile, counts) for canvas in joined]


def _tiles(image: Tensor, tile: Shape, counts: Shape) -> Iterator[tuple[Shape, Tensor]]:
    """Every tile with its position on the lattice of tiles; zeros beyond the far side of the image."""
    for position in product(*map(range, counts)):
        part = image[tuple(slice(p * t, (p + 1) * t) for p, t in zip(position, tile))]
        missing = [t - n for t, n in zip(tile, part.shape)]
        yield position, F.pad(part, [side for m in reversed(missing) for side in (0, m)])


def _canvas(layer: Tensor, tile: Shape, counts: Shape, where: str) -> Tensor:
    sizes = tuple(layer.shape[1:])
    for size, length, count in zip(sizes, tile, counts):
        if count > 1 and length % size != 0 and size % length != 0:
            raise ModelError(
                f"a layer has {sizes[::-1]} voxels for a tile of {tile[::-1]}: joined tiles would be distorted",
                where=where,
                expected="an ImpactPatchSize that is a multiple of the stride of every selected layer",
                remedy="Change ImpactPatchSize, or set it to 0 for the whole image in one pass",
            )
    return layer.new_empty(layer.shape[0], *(n * count for n, count in zip(sizes, counts)))


def _cut_back(canvas: Tensor, image: Tensor, tile: Shape, counts: Shape) -> Tensor:
    """The voxels of a joined map that lie on the image: ceil(size / stride) per axis."""
    kept = [
        slice(0, math.ceil(size * (joined // count) / length))
        for size, joined, count, length in zip(image.shape, canvas.shape[1:], counts, tile)
    ]
    return canvas[(slice(None), *kept)].contiguous()


def filled_up(extract: Extract, image: Tensor, strides: Sequence[Sequence[float]]) -> list[Tensor]:
    """The layers of an image that is first filled up to whole strides at its far side, cut back to the image.

    A model that turns the image into an orientation of its own may start counting at the far side; only in whole
    strides does it then meet the same voxels as on the images on which its geometry was measured.

    Parameters
    ----------
    strides
        Of every layer, (z, )y, x.
    """
    steps = [math.lcm(*(max(1, int(stride)) for stride in axis)) for axis in zip(*strides)]
    missing = [-n % step for n, step in zip(image.shape, steps)]
    if not any(missing):
        return extract(image)
    fill = [side for m in reversed(missing) for side in (0, m)]
    filled = F.pad(image[None, None], fill, mode="replicate")[0, 0]
    return [_cut_back(layer, image, tuple(filled.shape), (1,) * image.dim()) for layer in extract(filled)]


@final
@dataclass(frozen=True)
class Overlap:
    """How tiles must overlap so that their inner parts are what one pass gives.

    Attributes
    ----------
    step
        Where tiles may begin: multiples of this many voxels, per axis.
    margin
        Voxels that a tile sees beyond its inner part, a multiple of `step`.
    exact
        False if far voxels matter too (an instance norm): tiles then differ from one pass.
    """

    step: Shape
    margin: Shape
    exact: bool

    @staticmethod
    def of(layers: Sequence[LayerGeometry]) -> "Overlap | None":
        """The overlap for these layers; None if their strides or receptive fields are not known well enough."""
        dimension = len(layers[0].stride)
        known = all(layer.measured and layer.fixed_size is None and 0 not in layer.receptive_field for layer in layers)
        if not known or any(s < 1 or s != int(s) for layer in layers for s in layer.stride):
            return None
        axes = range(dimension - 1, -1, -1)
        step = tuple(math.lcm(*(int(layer.stride[k]) for layer in layers)) for k in axes)
        reach = [
            max(layer.receptive_field[k] // 2 + abs(layer.offset[k]) + layer.stride[k] for layer in layers)
            for k in axes
        ]
        margin = tuple(math.ceil(r / s) * s for r, s in zip(reach, step))
        return Overlap(step, margin, not any(layer.global_context for layer in layers))


def overlapping(extract: Extract, image: Tensor, tile: Shape, overlap: Overlap) -> list[Tensor]:
    """The layers of an image from tiles with inner parts of about `tile` voxels."""
    inner = tuple(max(s, t // s * s) for t, s in zip(tile, overlap.step))
    counts = [math.ceil(n / t) for n, t in zip(image.shape, inner)]
    joined: list[Tensor] = []
    for position in reversed(list(product(*map(range, counts)))):
        starts = [p * t for p, t in zip(position, inner)]
        firsts = [max(0, a - m) for a, m in zip(starts, overlap.margin)]
        ends = [min(n, a + t + m) for n, a, t, m in zip(image.shape, starts, inner, overlap.margin)]
        layers = extract(image[tuple(slice(a, b) for a, b in zip(firsts, ends))].contiguous())
        # The last tile, which comes first, ends where the image ends: it tells the size of the whole.
        joined = joined or [_whole(layer, firsts, ends) for layer in layers]
        for canvas, layer in zip(joined, layers):
            _insert(canvas, layer, starts, firsts, ends, inner)
    return joined


def _whole(layer: Tensor, firsts: list[int], ends: list[int]) -> Tensor:
    sizes = [n + a // _stride(n, b - a) for n, a, b in zip(layer.shape[1:], firsts, ends)]
    return layer.new_empty(layer.shape[0], *sizes)


def _stride(size: int, length: int) -> int:
    """Input voxels per voxel of a layer that has `size` of them for `length`."""
    return max(1, round(length / size))


def _insert(canvas: Tensor, layer: Tensor, starts: list[int], firsts: list[int], ends: list[int], inner: Shape) -> None:
    """Copy the inner part of a tile's layer to its place."""
    source: list[slice] = [slice(None)]
    target: list[slice] = [slice(None)]
    for size, whole, start, first, end, length in zip(
        layer.shape[1:], canvas.shape[1:], starts, firsts, ends, inner, strict=True
    ):
        stride = _stride(size, end - first)
        low, high = start // stride, min(whole, (start + length) // stride)
        shift = first // stride
        target.append(slice(low, high))
        source.append(slice(low - shift, high - shift))
    canvas[tuple(target)] = layer[tuple(source)]


def halved(tile: Shape) -> Shape | None:
    """The tile with its longest axis halved; None if it is as small as tiles get."""
    longest = max(range(len(tile)), key=lambda axis: tile[axis])
    if tile[longest] < 2 * SMALLEST_TILE:
        return None
    return tuple(math.ceil(n / 2) if axis == longest else n for axis, n in enumerate(tile))
