"""Plan -> images and samplers of a level: where plan types meet the classes that do the work.

Metrics: see `build_metric`; transforms: see `start`; optimisers: see `steps`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never, final

import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.masks import erode, erosion_scale, grow, mask_on
from elastix_impact.geometry.pyramid import pyramid_level
from elastix_impact.parameters.plan import LevelPlan, PyramidLevelPlan, SamplerPlan, TermPlan
from elastix_impact.samplers.base import AbstractSampler
from elastix_impact.samplers.fixed import FullSampler, GridSampler
from elastix_impact.samplers.random import RandomCoordinateSampler, RandomSampler
from elastix_impact.samplers.region import RandomRegionSampler

Images = tuple[Image, Image, Image | None, Image | None]
"""Fixed, moving, fixed mask, moving mask in the world frame."""


@final
@dataclass(frozen=True, eq=False)
class LevelImages:
    """The images of one term at one level in the loop's frame and on its device.

    `sampling_mask` is bool on the fixed image's grid, (z, )y, x; the masks lie on grids of their own.
    """

    fixed: Image
    moving: Image
    sampling_mask: torch.Tensor | None
    fixed_mask: Image | None
    moving_mask: Image | None


def build_images(plan: LevelPlan, steps: Sequence[TermPlan], images: Images, device: torch.device) -> LevelImages:
    """Smoothed and shrunk images and eroded masks of one term, moved to the loop's frame and device.

    `steps` are the term at this level and at all finer ones, which a recursive pyramid needs.
    """
    fixed, moving, fixed_mask, moving_mask = images
    term = steps[0]
    if fixed_mask:
        fixed_mask = grow(fixed_mask, plan.fixed_mask_margin)
    if fixed_mask and plan.erode_fixed_mask:
        fixed_mask = erode(fixed_mask, erosion_scale(term.fixed_pyramid.shrink_factor, "fixed"))
    if moving_mask and plan.erode_moving_mask:
        moving_mask = erode(moving_mask, erosion_scale(term.moving_pyramid.shrink_factor, "moving"))
    fixed_level = pyramid_image(fixed, [step.fixed_pyramid for step in steps])
    moving_level = pyramid_image(moving, [step.moving_pyramid for step in steps])
    offset = tuple(-c for c in fixed.grid.centre)
    return LevelImages(
        fixed=fixed_level.shifted(offset).to(device),
        moving=moving_level.shifted(offset).to(device),
        sampling_mask=None if fixed_mask is None else mask_on(fixed_level.grid, fixed_mask),
        fixed_mask=None if fixed_mask is None else fixed_mask.shifted(offset).to(device),
        moving_mask=None if moving_mask is None else moving_mask.shifted(offset).to(device),
    )


def pyramid_image(image: Image, plans: Sequence[PyramidLevelPlan]) -> Image:
    """The image at the first of `plans`; the others are the finer levels, which a recursive pyramid needs."""
    this, *finer = plans
    finer_factors = [p.shrink_factor for p in finer]
    sigma = this.smoothing_sigma
    if this.sigma_unit == "mm":
        sigma = tuple(mm / spacing for mm, spacing in zip(sigma, image.grid.spacing))
    return pyramid_level(image, this.kind, this.shrink_factor, sigma, finer_factors)


def build_sampler(plan: SamplerPlan, grid: Grid, mask: torch.Tensor | None, device: torch.device) -> AbstractSampler:
    """The sampler of one level on its fixed grid; `mask` is a bool tensor on that grid."""
    match plan.kind:
        case "Full":
            return FullSampler(grid, mask, device)
        case "Grid":
            return GridSampler(grid, mask, device, spacing_voxels=plan.grid_spacing_voxels)
        case "Random" | "RandomSparseMask":
            return RandomSampler(grid, mask, plan.number_of_samples, device)
        case "RandomCoordinate" if plan.use_random_sample_region:
            return RandomRegionSampler(grid, mask, plan.number_of_samples, device, plan.sample_region_size)
        case "RandomCoordinate":
            return RandomCoordinateSampler(grid, mask, plan.number_of_samples, device)
        case _:
            assert_never(plan.kind)
