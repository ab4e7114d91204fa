"""Local normalised correlation: for images of one modality whose brightness drifts, and for fine deformations."""

from dataclasses import replace
from typing import Any, NamedTuple, final

import torch
from jaxtyping import Float
from torch import Tensor

from elastix_impact.geometry.box_sum import box_spread, box_sum
from elastix_impact.geometry.domain import Domain
from elastix_impact.geometry.image import Image
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.typing import Points

from .base import AbstractMetric, MetricValue
from .image_pair import check_orders, image_field
from .lattice_samples import LatticeSamples

TINY = torch.finfo(torch.float32).tiny
NOISE = 0.01
"""Share of an image's variance that a window must have, about, to count: noise on a constant ground has less, the
cortex of a brain that floats in its box more."""


@final
class LocalNormalizedCorrelation(AbstractMetric):
    """Minus the mean, over windows on a lattice, of the squared correlation of f(x) and m(T(x)) in the window.

    Windows in which the fixed image is constant do not count.

    Avants, Epstein, Grossman and Gee, "Symmetric diffeomorphic image registration with cross-correlation", Medical
    Image Analysis 12(1), 2008. In [-1, 0]. It reads both images on a whole lattice of its own at every iteration, and
    so takes no samples; where the transform is a B-spline after a linear one, its lattice is parallel to the control
    points, and the spline is evaluated axis by axis.

    Parameters
    ----------
    fixed, moving
        The level's images, in the loop's frame and on its device.
    moving_mask
        Where the moving image counts, or None.
    sampling_mask
        Which voxels of the fixed image count, bool on its grid, or None.
    start
        The transform at the level's start: it says how the lattice lies.
    voxel_size
        Distance of the lattice's points in mm, at least; no axis is finer than the fixed image.
    radius
        Windows have ``2 * radius + 1`` points per axis.
    stride
        They lie around every stride-th point per axis. Windows overlap so much that with 2 of radius 2 little is lost,
        and their sums cost a quarter.
    moving_order
        Interpolation order of the moving image, 1 to 3; the fixed one is read linearly, once.

    Raises
    ------
    ImageError
        If nothing of the fixed image counts.
    InputError
        If an order does not exist.
    """

    def __init__(
        self,
        fixed: Image,
        moving: Image,
        moving_mask: Image | None,
        *,
        sampling_mask: Tensor | None,
        start: AbstractTransform,
        voxel_size: float,
        radius: int,
        stride: int = 1,
        moving_order: int = 1,
    ) -> None:
        check_orders(1, moving_order)
        standardised = _standardised(fixed)
        self._samples = LatticeSamples.of(
            fixed, _shown(standardised.data), sampling_mask, start, voxel_size, margin=radius
        )
        self._windows = Windows(radius, stride)
        self._domain = Domain.of(moving.grid, moving_mask, fixed.data.device)
        self._total = self._samples.weights.sum().clamp_min(1.0)
        shape = self._samples.lattice.grid.shape
        self._fixed = image_field(standardised, 1).values(self._samples.places)[:, 0].view(shape)
        self._moving = image_field(_standardised(moving), moving_order)

    @property
    def number_of_points(self) -> int:
        """Points of the lattice."""
        return len(self._samples.places)

    def evaluate(self, transform: AbstractTransform, world_points: Points) -> MetricValue:
        """Minus the mean squared local correlation of all windows of the lattice; `world_points` are not used."""
        del world_points
        moving_points = self._samples.mapped(transform)
        weights = self._samples.weights * self._domain.weights(moving_points)
        moving = self._moving.values(moving_points)[:, 0].view_as(self._fixed)
        value = _LocalCorrelation.apply(moving, self._fixed, weights.view_as(self._fixed), self._windows)
        return MetricValue(value, weights.sum() / self._total, {})


def _standardised(image: Image) -> Image:
    """The image with mean 0 and variance 1, or all 0."""
    centred = image.data - image.data.mean()
    spread = centred.square().mean().sqrt()
    return replace(image, data=torch.where(spread > 0, centred / spread.clamp_min(TINY), 0.0))


def _shown(values: Tensor) -> Tensor:
    """Which voxels of a standardised image show something: not what its first voxel does, the ground around."""
    return (values - values.flatten()[0]).abs() > NOISE


Values = Float[Tensor, "*spatial"]


class Windows(NamedTuple):
    """Boxes of 2 * radius + 1 points per axis around every stride-th point of a lattice."""

    radius: int
    stride: int

    def sums(self, volumes: Tensor) -> Tensor:
        """Sums (C, ...) of volumes (C, (z, )y, x) over the windows."""
        return box_sum(volumes, self.radius, self.stride)

    def spread(self, sums: Tensor, like: Tensor) -> Tensor:
        """The transpose: volumes (C, (z, )y, x) of the shape of the second argument."""
        return box_spread(sums, self.radius, self.stride, tuple(like.shape))

    def centres(self, volume: Tensor) -> Tensor:
        """The points in the middle of the windows."""
        return volume if self.stride == 1 else volume[(slice(None, None, self.stride),) * volume.ndim]

    def points(self, dimension: int) -> int:
        """How many points a window has."""
        return (2 * self.radius + 1) ** dimension


class _LocalCorrelation(torch.autograd.Function):
    """Minus the mean of cov^2 / (var var + noise) over the windows of which at least half counts.

    A window counts by what the fixed image shows in it, so that empty background does not dilute the mean.

    The gradient by the moving values is written down: autograd's keeps a dozen volumes and takes three times as long.
    The tests compare both.
    """

    @staticmethod
    def forward(ctx: Any, moving: Tensor, fixed: Tensor, weights: Tensor, windows: Windows) -> Tensor:
        f, m = fixed * weights, moving * weights
        sums = windows.sums(torch.stack([weights, f, m, f * fixed, m * moving, f * moving]))
        count = sums[0].clamp_min(1.0)
        f_mean, m_mean, ff, mm, fm = sums[1:] / count
        ff, mm, fm = (ff - f_mean * f_mean).clamp_min(0), (mm - m_mean * m_mean).clamp_min(0), fm - f_mean * m_mean
        whole = (windows.centres(weights) > 0) & (count * 2 >= windows.points(fixed.ndim))
        counts = whole * (ff * ff / (ff * ff + NOISE**2))
        denominator = ff * mm + NOISE**2
        share = counts / counts.sum().clamp_min(TINY)
        ctx.save_for_backward(moving, fixed, weights, f_mean, m_mean, ff, fm, denominator, share / count)
        ctx.windows = windows
        return -(fm * fm / denominator * share).sum()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        moving, fixed, weights, f_mean, m_mean, ff, fm, denominator, share = ctx.saved_tensors
        a = 2 * share * fm / denominator
        b = a * fm * ff / denominator
        of_f, of_m, constant = ctx.windows.spread(torch.stack([a, b, b * m_mean - a * f_mean]), fixed)
        return -gradients[0] * weights * (fixed * of_f - moving * of_m + constant), None, None, None
