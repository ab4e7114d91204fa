"""A transform judged as the Learn2Reg challenge does, and its displacement field in that challenge's form."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.evaluation import learn2reg
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.masks import mask_on
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.dense import over_grid

from .evaluate import Judged


def learn2reg_displacement(transform: AbstractTransform, fixed: Grid, moving: Grid) -> np.ndarray:
    """Displacements in voxels (x, y, z, 3): what is to be added to a fixed voxel to get its moving one.

    Raises
    ------
    InputError
        If the images are not 3-D.
    """
    if fixed.dimension != 3 or moving.dimension != 3:
        raise InputError("Learn2Reg knows images of three dimensions only", expected="3-D images")
    transform = transform.to(torch.float64).without_gradients()

    def displacement(world_points: Tensor) -> Tensor:
        return moving.to_index(transform.map_points(world_points)) - fixed.to_index(world_points)

    return over_grid(fixed, displacement).permute(3, 2, 1, 0).contiguous().numpy()


def learn2reg_measures(judged: Judged, displacement: np.ndarray, fixed: Grid, moving: Grid) -> dict[str, Any]:
    """What the challenge would report of this case, under its names.

    Raises
    ------
    InputError
        If the images differ in size, or a package for HD95 is absent.
    """
    if fixed.size != moving.size:
        raise InputError(
            f"the fixed image has {fixed.size} voxels, the moving one {moving.size}",
            expected="images of the same size, as all of Learn2Reg's are",
            remedy="Resample the moving image and its labels first, or leave out --learn2reg",
        )
    mask = None if judged.fixed_mask is None else _array(mask_on(fixed, judged.fixed_mask).float())
    spread, foldings = learn2reg.sdlogj(displacement, mask)
    found: dict[str, Any] = {
        "sdlogj": {"mean": spread, "detailed": spread},
        "num_foldings": {"mean": foldings, "detailed": foldings},
    }
    if judged.labels is not None:
        fixed_labels, moving_labels = (_array(one.data) for one in judged.labels)
        warped = learn2reg.warped_labels(moving_labels, displacement)
        labels = [int(v) for v in np.union1d(fixed_labels, moving_labels) if v != 0]
        found["dice"] = _means(learn2reg.dice_scores(fixed_labels, moving_labels, warped, labels)) | {"labels": labels}
        found["hd95"] = _means(learn2reg.hd95_scores(fixed_labels, moving_labels, warped, labels)) | {"labels": labels}
    if judged.landmarks is not None:
        fixed_points, moving_points = judged.landmarks
        errors = learn2reg.target_errors(
            fixed.to_index(fixed_points).numpy(), moving.to_index(moving_points).numpy(), displacement, moving.spacing
        )
        found["tre"] = {"mean": float(errors.mean()), "detailed": errors.tolist()}
    return found


def _array(volume: Tensor) -> np.ndarray:
    """A volume (z, y, x) with its axes as NIfTI files have them, (x, y, z)."""
    return volume.permute(2, 1, 0).numpy()


def _means(values: list[float]) -> dict[str, Any]:
    known = [value for value in values if not np.isnan(value)]
    return {"mean": float(np.mean(known)) if known else None, "detailed": values}
