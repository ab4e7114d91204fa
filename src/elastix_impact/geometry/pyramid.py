"""Smoothing and shrinking of an image for one level of a multi-resolution pyramid, as ITK's filters do it.

Every filter here is linear and separable: along an axis it is a banded matrix, given as taps, so that
output i is the sum over k of `weights[i, k] * input[indices[i, k]]`. Beyond the image the edge values hold.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from elastix_impact.errors import ImageError
from elastix_impact.typing import Indices, Volume

from .grid import Grid, Row
from .image import Image

PyramidKind = Literal["Generic", "Smoothing", "Recursive", "Shrinking"]
AxisWeights = Float[Tensor, "N K"]
Kernel = Float[Tensor, "taps"]
HalfKernel = Float[Tensor, "half"]
Resampled = Float[Tensor, "*resampled"]

_BLOCK = 64
"""Outputs per dense block of a banded matrix: wide enough for a fast product, narrow against the image."""

_DISCRETE_MAXIMUM_ERROR = 0.1
"""What ITK's pyramids allow their discrete Gaussian to lose of its area."""


def pyramid_level(
    image: Image,
    kind: PyramidKind,
    shrink_factor: Row,
    smoothing_sigma: Row,
    finer_factors: Sequence[Row] = (),
) -> Image:
    """One level of an image pyramid.

    Parameters
    ----------
    image
        The image at full resolution.
    kind
        ``"Generic"``: Gaussian, then linear resampling onto the shrunk grid. ``"Smoothing"``: Gaussian only.
        ``"Shrinking"``: every f-th voxel only. ``"Recursive"``: discrete Gaussian and every r-th voxel, again
        and again from the finest level to this one, with r the ratio of successive factors.
    shrink_factor
        Voxels of the image per voxel of the level, x y(, z), >= 1; whole numbers but for ``"Generic"``.
        ``"Smoothing"`` does not shrink and does not read it.
    smoothing_sigma
        Standard deviation in voxels of the image, x y(, z); 0 = none. Read by ``"Generic"`` and
        ``"Smoothing"``; a recursive step smooths by half its ratio.
    finer_factors
        ``"Recursive"`` only: shrink factors of the next finer level, the one after it, and so on.

    Returns
    -------
    Image
        float32, on a grid of spacing `shrink_factor * spacing` (``"Smoothing"``: on the image's own grid).

    Raises
    ------
    ImageError
        If a factor or sigma is out of range.
    """
    _check(image, kind, shrink_factor, smoothing_sigma)
    data = image.data.float()
    match kind:
        case "Smoothing":
            return Image(smooth(data, smoothing_sigma), image.grid, image.name, image.pixel_type)
        case "Generic":
            grid = resampled_grid(image.grid, shrink_factor)
            data = _smooth_and_resample(data, grid.size, shrink_factor, smoothing_sigma)
            return Image(data, grid, image.name, image.pixel_type)
        case "Shrinking":
            return shrink(image, tuple(int(factor) for factor in shrink_factor))
        case "Recursive":
            return _recursive(image, _ratios(shrink_factor, finer_factors))


def smooth(data: Volume, sigma_voxels: Row) -> Volume:
    """`data` ((z, )y, x) smoothed by ITK's recursive Gaussian of `sigma_voxels` per axis x, y(, z), 0 = none.

    Within float32 rounding what `itk.SmoothingRecursiveGaussianImageFilter` gives, boundaries included, for
    sigma in voxels. Axes of one voxel stay as they are.
    """
    for axis, sigma in enumerate(sigma_voxels):
        if sigma > 0 and data.shape[-1 - axis] > 1:
            positions = torch.arange(data.shape[-1 - axis])
            indices, weights = _clamped_taps(positions, recursive_gaussian_kernel(sigma), data.shape[-1 - axis])
            data = _apply_taps(data, data.ndim - 1 - axis, indices, weights)
    return data


def recursive_gaussian_kernel(sigma: float) -> Kernel:
    """The kernel (2R + 1,), float64, sum one, of the fourth-order recursive Gaussian of `sigma` > 0 voxels.

    A sum of two damped oscillations per side, within 0.3 % of a Gaussian; R is where they have died out.
    Farneback and Westin, "Improving Deriche-style recursive Gaussian filters", JMIV 2006.
    """
    radius = math.ceil(12 * sigma) + 1
    scaled = torch.arange(radius + 1, dtype=torch.float64) / sigma
    side = (1.3530 * torch.cos(0.6681 * scaled) + 1.8151 * torch.sin(0.6681 * scaled)) * torch.exp(-1.3932 * scaled)
    side -= (0.3531 * torch.cos(2.0787 * scaled) - 0.0902 * torch.sin(2.0787 * scaled)) * torch.exp(-1.3732 * scaled)
    return _symmetric(side)


def discrete_gaussian_kernel(variance: float, maximum_error: float = _DISCRETE_MAXIMUM_ERROR) -> Kernel:
    """Lindeberg's discrete Gaussian (2R + 1,), float64, sum one, cut where at most `maximum_error` is lost.

    exp(-t) I_n(t) with t = `variance` in voxels squared and I_n the modified Bessel functions, which are the
    Fourier coefficients of exp(t cos(theta)). Lindeberg, "Scale-space for discrete signals", PAMI 1990.
    """
    angles = torch.arange(256, dtype=torch.float64) * (2 * math.pi / 256)
    bessel = torch.fft.fft(torch.exp(variance * (angles.cos() - 1))).real / 256
    area = bessel[0] + 2 * torch.cat([torch.zeros(1, dtype=torch.float64), bessel[1:128].cumsum(0)])
    radius = int((area < 1 - maximum_error).sum())
    return _symmetric(bessel[: radius + 1])


def shrink(image: Image, factor: tuple[int, ...]) -> Image:
    """Every `factor`-th voxel of the image, nothing smoothed; the middle of the image keeps its place.

    As in ITK the grid is centred even where that puts it half a voxel beside the voxels that it takes.
    """
    source = image.grid
    size = tuple(max(n // f, 1) for n, f in zip(source.size, factor))
    offset = tuple(((n - 1) - (m - 1) * f) / 2 for n, m, f in zip(source.size, size, factor))
    grid = _subgrid(source, size, tuple(float(f) for f in factor), offset)
    data = image.data.float()
    for axis, (count, step, begin) in enumerate(zip(size, factor, offset)):
        first = math.floor(begin + 0.5)
        data = data.narrow(data.ndim - 1 - axis, first, (count - 1) * step + 1)
        data = data[(..., slice(None, None, step), *[slice(None)] * axis)]
    return Image(data.contiguous(), grid, image.name, image.pixel_type)


def resampled_grid(grid: Grid, factor: Row) -> Grid:
    """The grid with `factor` times the spacing whose first voxel begins where that of `grid` begins."""
    size = tuple(max(math.floor(n / f), 1) for n, f in zip(grid.size, factor))
    return _subgrid(grid, size, factor, tuple((f - 1) / 2 for f in factor))


def _subgrid(grid: Grid, size: tuple[int, ...], factor: Row, offset: Row) -> Grid:
    """The grid of `size` voxels, `factor` voxels of `grid` apart, the first at continuous index `offset`."""
    origin = grid.to_world(torch.tensor([offset], dtype=torch.float64))[0].tolist()
    spacing = tuple(s * f for s, f in zip(grid.spacing, factor))
    return Grid(size, spacing, tuple(origin), grid.direction)


def _smooth_and_resample(data: Volume, size: tuple[int, ...], factor: Row, sigma_voxels: Row) -> Resampled:
    """Smoothed as by `smooth`, linearly interpolated at indices (f - 1) / 2 + i f; one product per axis."""
    for axis, (count, step, sigma) in enumerate(zip(size, factor, sigma_voxels)):
        length = data.shape[-1 - axis]
        kernel = recursive_gaussian_kernel(sigma) if sigma > 0 and length > 1 else torch.ones(1, dtype=torch.float64)
        if kernel.numel() == 1 and step == 1:
            continue
        positions = (step - 1) / 2 + step * torch.arange(count, dtype=torch.float64)
        floor = positions.floor()
        fraction = (positions - floor).unsqueeze(1)
        left, weights = _clamped_taps(floor.long(), kernel, length)
        right, _ = _clamped_taps(floor.long() + 1, kernel, length)
        both = torch.cat([weights * (1 - fraction), weights * fraction], dim=1)
        data = _apply_taps(data, data.ndim - 1 - axis, torch.cat([left, right], dim=1), both)
    return data


def _recursive(image: Image, ratios: list[tuple[int, ...]]) -> Image:
    """The image through discrete Gaussians and shrinks by successive `ratios`, finest first."""
    for ratio in ratios:
        data = image.data.float()
        for axis, step in enumerate(ratio):
            if step > 1:
                length = data.shape[-1 - axis]
                kernel = discrete_gaussian_kernel((0.5 * step) ** 2)
                indices, weights = _clamped_taps(torch.arange(length), kernel, length)
                data = _apply_taps(data, data.ndim - 1 - axis, indices, weights)
        image = shrink(Image(data, image.grid, image.name, image.pixel_type), ratio)
    return image


def _ratios(factor: Row, finer_factors: Sequence[Row]) -> list[tuple[int, ...]]:
    """Ratios of successive factors, finest first; one jump to `factor` if they do not divide each other."""
    chain = [tuple(int(f) for f in level) for level in (factor, *finer_factors)]
    pairs = list(pairwise(chain))
    if any(coarse % fine for level, below in pairs for coarse, fine in zip(level, below)):
        return [chain[0]]
    steps = [tuple(coarse // fine for coarse, fine in zip(level, below)) for level, below in pairs]
    return [step for step in (chain[-1], *reversed(steps)) if max(step) > 1]


def _symmetric(side: HalfKernel) -> Kernel:
    """The kernel (2R + 1,) of sum one whose middle and right half are proportional to `side` (R + 1,)."""
    kernel = torch.cat([side[1:].flip(0), side])
    return kernel / kernel.sum()


def _clamped_taps(positions: Tensor, kernel: Kernel, length: int) -> tuple[Indices, AxisWeights]:
    """Taps (N, K) of `kernel` (K,) centred on integer `positions` (N,) of an axis with held edge values."""
    radius = kernel.numel() // 2
    indices = (positions.unsqueeze(1) + torch.arange(-radius, radius + 1)).clamp(0, length - 1)
    return indices, kernel.expand(indices.shape)


def _apply_taps(data: Volume, dim: int, indices: Indices, weights: AxisWeights) -> Resampled:
    """Weighted sums along `dim`, which gets N entries; block after block of a banded matrix."""
    length = data.shape[dim]
    lines = data.reshape(math.prod(data.shape[:dim]), length, -1)
    result = data.new_empty(lines.shape[0], indices.shape[0], lines.shape[2])
    for start in range(0, indices.shape[0], _BLOCK):
        stop = min(start + _BLOCK, indices.shape[0])
        rows, first = indices[start:stop], int(indices[start:stop].min())
        width = int(rows.max()) - first + 1
        matrix = torch.zeros(stop - start, width, dtype=torch.float64)
        matrix = matrix.scatter_add_(1, rows - first, weights[start:stop].contiguous()).to(data.dtype).to(data.device)
        source = lines[:, first : first + width]
        if lines.shape[2] == 1:
            result[:, start:stop, 0] = source[:, :, 0] @ matrix.T
        else:
            torch.matmul(matrix, source, out=result[:, start:stop])
    return result.reshape(*data.shape[:dim], indices.shape[0], *data.shape[dim + 1 :])


def _check(image: Image, kind: PyramidKind, shrink_factor: Row, smoothing_sigma: Row) -> None:
    dimension = image.grid.dimension
    if len(shrink_factor) != dimension or len(smoothing_sigma) != dimension:
        raise ImageError(
            f"the pyramid has {len(shrink_factor)} shrink factors and {len(smoothing_sigma)} sigmas",
            where=image.name,
            expected=f"{dimension} of each, one per axis of the image",
        )
    whole = kind in ("Generic", "Smoothing") or all(float(f).is_integer() for f in shrink_factor)
    if min(shrink_factor) < 1 or not whole:
        raise ImageError(
            f"a {kind} pyramid can't shrink by {shrink_factor}",
            where=image.name,
            expected="factors of at least 1" + ("" if kind == "Generic" else ", whole numbers"),
            remedy="Correct ImagePyramidSchedule in the parameter map",
        )
    if min(smoothing_sigma) < 0:
        raise ImageError(
            f"smoothing by {smoothing_sigma} voxels is impossible",
            where=image.name,
            expected="sigmas of at least 0",
            remedy="Correct ImagePyramidSmoothingSchedule in the parameter map",
        )
