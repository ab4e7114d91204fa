"""The size of an image by its header: what reading it would give, whatever the format."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from elastix_impact.errors import ImageError
from elastix_impact.io.image_size import image_size
from elastix_impact.io.images import read_image


@pytest.mark.parametrize("suffix", [".mha", ".nii.gz", ".nrrd"])
@pytest.mark.parametrize(("kind", "voxel_bytes"), [(np.uint8, 1), (np.int16, 2), (np.float32, 4), (np.float64, 8)])
def test_the_grid_is_that_of_the_image(tmp_path: Path, suffix: str, kind: type, voxel_bytes: int) -> None:
    image = sitk.GetImageFromArray(np.arange(4 * 5 * 6).reshape(4, 5, 6).astype(kind))
    image.SetSpacing((1.5, 2.0, 3.0))
    image.SetOrigin((-7.0, 8.0, 9.0))
    path = tmp_path / f"image{suffix}"
    sitk.WriteImage(image, str(path))
    found = image_size(path)
    assert found.grid.same_as(read_image(path).grid)
    assert (found.voxels, found.voxel_bytes) == (120, voxel_bytes)


def test_a_picture_of_three_colours(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(np.zeros((5, 6, 3), dtype=np.uint8), isVector=True)
    sitk.WriteImage(image, str(tmp_path / "picture.png"))
    found = image_size(tmp_path / "picture.png")
    assert (found.grid.size, found.voxel_bytes) == ((6, 5), 3)


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "image.mha").write_bytes(b"NDims = 99\n")
    with pytest.raises(ImageError, match="damaged"):
        image_size(tmp_path / "image.mha")
    with pytest.raises(ImageError, match=r"can't be read"):
        image_size(tmp_path / "none.nii")
