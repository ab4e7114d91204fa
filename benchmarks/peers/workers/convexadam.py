"""convexAdam with MIND and its default settings, on the moving image laid on the fixed grid by an affine start."""

import json
import sys

import numpy as np
import SimpleITK as sitk
import torch
from convexAdam.convex_adam_MIND import convex_adam_pt


def main(path: str) -> None:
    """Register and write the field of start and deformation together."""
    with open(path, encoding="utf-8") as file:
        job = json.load(file)
    torch.set_num_threads(job["threads"])
    torch.manual_seed(job["seed"])
    fixed, moving = (sitk.ReadImage(job[role], sitk.sitkFloat32) for role in ("fixed", "moving"))
    start = sitk.ReadTransform(job["start"])
    lowest = float(sitk.GetArrayViewFromImage(moving).min())
    laid = sitk.Resample(moving, fixed, start, sitk.sitkLinear, lowest)
    voxels = convex_adam_pt(fixed, laid, device=torch.device("cpu"), dtype=torch.float32)[..., ::-1]
    field = sitk.GetImageFromArray(_whole(voxels, fixed, start), isVector=True)
    field.CopyInformation(fixed)
    sitk.WriteImage(field, job["field"])


def _whole(voxels: np.ndarray, fixed: sitk.Image, start: sitk.Transform) -> np.ndarray:
    """Displacements in mm (z, y, x, 3) of `start` after displacements in voxels, columns x, y, z."""
    direction = np.reshape(fixed.GetDirection(), (3, 3))
    matrix = direction * fixed.GetSpacing()
    index = np.stack(np.meshgrid(*(np.arange(n) for n in voxels.shape[:3]), indexing="ij"), axis=-1)[..., ::-1]
    origin = np.array(fixed.GetOrigin())
    deformed = (index + voxels) @ matrix.T + origin
    zero = np.array(start.TransformPoint((0.0, 0.0, 0.0)))
    linear = np.stack([np.array(start.TransformPoint(tuple(axis))) - zero for axis in np.eye(3)], axis=1)
    return (deformed @ linear.T + zero - (index @ matrix.T + origin)).astype(np.float32)


if __name__ == "__main__":
    main(sys.argv[1])
