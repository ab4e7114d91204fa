"""The lattices and centres that the reference wrote for the golden cases."""

import re
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.transforms.initialise import initial_alignment
from elastix_impact.transforms.lattice import required_lattice

pytestmark = pytest.mark.shared


def numbers(path: Path, key: str) -> list[float]:
    found = re.search(rf"^\({key} ([^)]*)\)", path.read_text(), re.MULTILINE)
    assert found, f"{path} has no {key}"
    return [float(number) for number in found[1].split()]


def image_of(path: Path) -> Image:
    image = sitk.ReadImage(str(path), sitk.sitkFloat32)
    dimension = image.GetDimension()
    direction = np.array(image.GetDirection()).reshape(dimension, dimension)
    grid = Grid(image.GetSize(), image.GetSpacing(), image.GetOrigin(), tuple(map(tuple, direction.tolist())))
    return Image(torch.from_numpy(sitk.GetArrayFromImage(image)), grid)


def test_lattices(shared: Path) -> None:
    checked = 0
    for path in sorted((shared / "golden/transforms").glob("*.txt")):
        if "(GridSize " not in path.read_text():
            continue
        size = numbers(path, "Size")
        name = "ct" if len(size) == 3 else "head"
        fixed = image_of(shared / f"golden/inputs/{name}_fixed.mha").grid
        (spacing,) = set(numbers(shared / "golden/maps" / path.name, "FinalGridSpacingInPhysicalUnits"))
        lattice = required_lattice(fixed, (spacing,) * len(size), int(numbers(path, "BSplineTransformSplineOrder")[0]))
        assert list(lattice.size) == numbers(path, "GridSize")
        np.testing.assert_allclose(lattice.origin, numbers(path, "GridOrigin"), rtol=0, atol=1e-9)
        np.testing.assert_allclose(lattice.spacing, numbers(path, "GridSpacing"), rtol=0, atol=1e-12)
        np.testing.assert_allclose(np.ravel(lattice.direction), numbers(path, "GridDirection"), rtol=0, atol=1e-12)
        checked += 1
    assert checked >= 20


@pytest.mark.parametrize("name", ["euler", "affine"])
def test_centres(shared: Path, name: str) -> None:
    fixed = image_of(shared / "golden/inputs/ct_fixed.mha")
    moving = image_of(shared / "golden/inputs/ct_moving.mha")
    expected = numbers(shared / f"golden/transforms/static3d_plain_L2_{name}.txt", "CenterOfRotationPoint")
    centre = initial_alignment("GeometricalCenter", fixed, moving).centre
    np.testing.assert_allclose(centre, expected, rtol=0, atol=1e-9)
