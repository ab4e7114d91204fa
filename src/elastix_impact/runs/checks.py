"""What can be known to go wrong before anything long starts: dimensions, overlap of images and of masks."""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from elastix_impact.errors import ImageError, InputError
from elastix_impact.geometry.domain import Domain
from elastix_impact.geometry.grid import Grid, flip_axis_order
from elastix_impact.geometry.image import Image
from elastix_impact.io.read_transform import StoredTransform
from elastix_impact.io.warning import InputWarning
from elastix_impact.parameters.plan import StagePlan
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.typing import Points

LATTICE = 24
"""Points per axis that stand for an image when overlap is measured."""

MASK_SAMPLES = 100_000

ADVICE = (
    "Give an initial transform (--initial-transform, -t0), or a first map with a linear transform and "
    '(AutomaticTransformInitialization "true")'
)


def check_directions(
    stages: Sequence[StagePlan], initial: StoredTransform | None, fixed_grid: Grid, moving_grid: Grid
) -> None:
    """Refuse stages, or an initial transform, some of which use the images' direction cosines and some do not.

    elastix puts the points of the one into the other, whatever the directions. Where both images' axes are the world's
    there is no difference.

    Raises
    ------
    InputError
        With what each of them says.
    """
    if all(grid.without_direction().same_as(grid) for grid in (fixed_grid, moving_grid)):
        return
    says = [(plan.source, plan.use_direction_cosines) for plan in stages]
    if initial is not None:
        says.insert(0, (f"the initial transform {initial.path}", not initial.ignores_directions))
    if len({used for _, used in says}) > 1:
        words = ", ".join(f'"{"true" if used else "false"}" for {who}' for who, used in says)
        raise InputError(
            f"UseDirectionCosines is {words}: the images' axes are not the world's, so that their millimetres differ",
            expected='the same for all maps, and for the transform that they start from (one of ITK is like "true")',
            remedy='Write (UseDirectionCosines "true") into all maps, and make the initial transform with such a map',
        )


def check_overlap(fixed: Image, moving: Image, initial: AbstractTransform | None, required_share: float) -> None:
    """Refuse images whose boxes do not overlap under the initial transform; warn if they hardly do.

    Raises
    ------
    ImageError
        With both boxes and the distance of the centres in mm.

    Warns
    -----
    InputWarning
        If less than `required_share` of the fixed image lies inside the moving image.
    """
    points = _mapped(lattice(fixed.grid), initial)
    fixed_box, moving_box = _box(points), _box(lattice(moving.grid))
    if bool((torch.minimum(fixed_box[1], moving_box[1]) < torch.maximum(fixed_box[0], moving_box[0])).any()):
        distance = float(torch.linalg.vector_norm(fixed_box.mean(0) - moving_box.mean(0)))
        where_mapped = " (after the initial transform)" if initial is not None else ""
        raise ImageError(
            f"the images do not overlap: the fixed image covers {_box_text(fixed_box)} mm{where_mapped}, the moving "
            f"image {moving.name} {_box_text(moving_box)} mm; their centres are {distance:.0f} mm apart",
            where=fixed.name,
            remedy=ADVICE,
        )
    share = float(Domain.of(moving.grid, None, "cpu").weights(points.float()).mean())
    if share < required_share:
        warnings.warn(
            f"only {share:.0%} of the fixed image lies inside the moving image at the start. {ADVICE}",
            InputWarning,
            stacklevel=2,
        )


def check_masks(
    moving: Image, fixed_mask: Image | None, moving_mask: Image | None, initial: AbstractTransform | None
) -> None:
    """Refuse a fixed mask that leaves nothing to compare under the initial transform.

    Raises
    ------
    ImageError
        If no voxel of the fixed mask lies inside the moving image and, if there is one, its mask.
    """
    if fixed_mask is None:
        return
    voxels = fixed_mask.data.nonzero()
    voxels = voxels[:: max(1, len(voxels) // MASK_SAMPLES)]
    points = _mapped(fixed_mask.grid.to_world(flip_axis_order(voxels).double()), initial)
    if not bool(Domain.of(moving.grid, moving_mask, "cpu").weights(points.float()).any()):
        other = f"the moving mask {moving_mask.name}" if moving_mask is not None else f"the moving image {moving.name}"
        raise ImageError(
            f"no voxel of the fixed mask lies inside {other} at the start: the mask covers "
            f"{_box_text(_box(points))} mm, the moving image {_box_text(_box(lattice(moving.grid)))} mm",
            where=fixed_mask.name,
            expected="masks that mark the same place in both images",
            remedy=f"Check the masks' origins and spacings. {ADVICE}",
        )


def _mapped(world_points: Points, initial: AbstractTransform | None) -> Points:
    return world_points if initial is None else initial.map_points(world_points)


def lattice(grid: Grid) -> Points:
    """World points (N, D) spread evenly over the grid, its corner voxels included."""
    axes = [torch.linspace(0, n - 1, min(n, LATTICE), dtype=torch.float64) for n in grid.size]
    index_points = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, grid.dimension)
    return grid.to_world(index_points)


def _box(world_points: Points) -> Tensor:
    """Lowest and highest coordinates, (2, D) in mm."""
    return torch.stack([world_points.amin(0), world_points.amax(0)])


def _box_text(box: Tensor) -> str:
    ranges = zip("xyz", box[0].tolist(), box[1].tolist())
    return ", ".join(f"{axis} {low:.0f} to {high:.0f}" for axis, low, high in ranges)
