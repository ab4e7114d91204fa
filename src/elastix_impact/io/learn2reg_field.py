"""Displacement fields as the Learn2Reg challenge wants them: ``disp_XXXX_YYYY.nii.gz``, voxels, (x, y, z, 3)."""

from pathlib import Path

import nibabel as nib
import numpy as np

from elastix_impact.errors import OutputError
from elastix_impact.geometry.grid import Frame, Grid

from .atomic import output_errors, written_whole

SUFFIXES = (".nii.gz", ".nii", ".npz")


def write_learn2reg_field(path: Path, displacement: np.ndarray, grid: Grid) -> Path:
    """Write voxel displacements (x, y, z, 3) on `grid`, float32; ``.npz`` holds the array alone.

    Raises
    ------
    OutputError
        If the name has another suffix, or the file can't be written; nothing stays under its name then.
    """
    suffix = next((one for one in SUFFIXES if path.name.endswith(one)), None)
    if suffix is None:
        raise OutputError(
            "Learn2Reg has no displacement fields of this kind",
            where=str(path),
            expected="disp_XXXX_YYYY.nii.gz (fixed subject, moving subject), .nii or .npz",
        )
    values = displacement.astype(np.float32)
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as temporary:
        if suffix == ".npz":
            np.savez_compressed(temporary, values)
        else:
            nib.save(nib.Nifti1Image(values, _affine(grid)), temporary)  # pyright: ignore[reportPrivateImportUsage]
    return path


def _affine(grid: Grid) -> np.ndarray:
    """From voxels to NIfTI's world, RAS mm; ours is LPS."""
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ grid.matrix(Frame.INDEX, Frame.WORLD).numpy()
