"""Labels and points carried to the other image, beside SimpleITK and points whose place is known."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from elastix_impact.carrying.carried_file import CarriedFile
from elastix_impact.carrying.inputs import CarriedInputs
from elastix_impact.carrying.propagate import Frames, propagate
from elastix_impact.errors import OutputError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.io.image_writing import write_image
from elastix_impact.io.itk_transform import write_itk_transform
from elastix_impact.io.points import Landmarks, read_points
from elastix_impact.io.segmentations import read_segmentation
from elastix_impact.io.warning import InputWarning
from elastix_impact.transforms.affine import AffineTransform
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.composite import CompositeTransform
from elastix_impact.transforms.translation import TranslationTransform

TURNED = ((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
FIXED = Grid((30, 26, 22), (3.0, 3.5, 4.0), (-40.0, -45.0, -40.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
MOVING = Grid((34, 32, 20), (2.5, 3.0, 4.5), (48.0, -40.0, -42.0), TURNED)
IDS = torch.tensor([0, 3, 70001, 4000000000])


def _labels(grid: Grid, name: str = "moving_labels.nii.gz") -> Image:
    """Three structures, as a function of the world."""
    x, y, z = grid.world_points().double().T
    which = (x**2 + y**2 + z**2 < 32**2).long() + ((x - 8) ** 2 + y**2 + z**2 < 18**2).long()
    which = torch.where((x + 20).abs() + (y + 10).abs() + z.abs() < 14, 3, which)
    return Image(IDS[which].reshape(grid.shape), grid, name, "unsigned int")


def _chain() -> CompositeTransform:
    """Turned and moved, then bent by up to some millimetres."""
    turn = AffineTransform(torch.tensor([0.98, 0.17, 0, -0.17, 0.98, 0, 0, 0, 1.02, 4, -3, 2]).double(), (0.0,) * 3)
    lattice = Grid((9, 9, 9), (20.0,) * 3, (-80.0,) * 3, FIXED.direction)
    bend = BSplineTransform(torch.randn(3 * 9**3, generator=torch.Generator().manual_seed(3)).double() * 3, lattice, 3)
    return CompositeTransform(turn, bend)


AS_READ = Frames(FIXED, MOVING, FIXED, MOVING)
STRAIGHT = Frames(FIXED, MOVING, FIXED.without_direction(), MOVING.without_direction())


def _propagated(
    carried: CarriedInputs,
    transform: AbstractTransform | None,
    out: Path,
    frames: Frames = AS_READ,
    names: Mapping[int, str] = MappingProxyType({}),
) -> list[CarriedFile]:
    return propagate(carried, frames, transform, out, label_names=names, moved=None, note=lambda _: None)


def _points(count: int, source: str, labels: tuple[str, ...] | None = None) -> Landmarks:
    points = torch.rand(count, 3, generator=torch.Generator().manual_seed(1)).double() * 40 - 20
    return Landmarks(points, labels, source)


def test_labels_are_those_that_simpleitk_moves(tmp_path: Path) -> None:
    """70001 and 4000000000 are kept, as unsigned 32-bit numbers, through a chain of transforms."""
    chain, labels = _chain(), _labels(MOVING)
    (done,) = _propagated(CarriedInputs(labels), chain, tmp_path)
    assert (done.file, done.count, done.left_out) == ("moved_labels.nii.gz", 3, ())
    moved = sitk.ReadImage(str(tmp_path / done.file))
    assert moved.GetPixelIDTypeAsString() == "32-bit unsigned integer"
    write_image(tmp_path / "labels.mha", labels.data, MOVING, "unsigned int")
    write_image(tmp_path / "fixed.mha", torch.zeros(FIXED.shape), FIXED, "short")
    write_itk_transform(tmp_path / "chain.h5", chain)
    theirs = sitk.Resample(
        sitk.ReadImage(str(tmp_path / "labels.mha")), sitk.ReadImage(str(tmp_path / "fixed.mha")),
        sitk.ReadTransform(str(tmp_path / "chain.h5")), sitk.sitkNearestNeighbor,
    )  # fmt: skip
    assert moved.GetSize() == theirs.GetSize()
    np.testing.assert_allclose(moved.GetOrigin(), FIXED.origin)
    ours, expected = sitk.GetArrayFromImage(moved), sitk.GetArrayFromImage(theirs)
    for label in IDS[1:].tolist():
        first, second = ours == label, expected == label
        assert 2 * (first & second).sum() / (first.sum() + second.sum()) > 0.999


def test_points_go_where_the_transform_takes_them_and_come_back(tmp_path: Path) -> None:
    chain, names = _chain(), tuple("abcde")
    fixed = _points(5, "there.fcsv", names)
    there = chain.map_points(fixed.world_points)
    carried = CarriedInputs(fixed_points=fixed, moving_points=Landmarks(there, names, "back.mrk.json"))
    first, second = _propagated(carried, chain, tmp_path)
    assert (first.file, second.file) == ("fixed_points_in_moving.fcsv", "moving_points_in_fixed.mrk.json")
    for file, expected in ((first.file, there), (second.file, fixed.world_points)):
        found = read_points(tmp_path / file, None)
        assert found.labels == names
        torch.testing.assert_close(found.world_points, expected, rtol=0, atol=1e-6)
    assert first.residual_mm is None
    assert second.residual_mm < 1e-6


def test_images_without_direction_cosines(tmp_path: Path) -> None:
    """The transform is that of images whose axes are not turned; files are in the world of the images as read."""
    shift = torch.tensor([3.0, -2.0, 5.0]).double()
    fixed = _points(4, "p.txt")
    carried = CarriedInputs(moving_labels=_labels(MOVING, "labels.mha"), fixed_points=fixed)
    labels, points = _propagated(carried, TranslationTransform(shift), tmp_path, STRAIGHT)
    place = (fixed.world_points + shift - torch.tensor(MOVING.origin)) / torch.tensor(MOVING.spacing)
    expected = torch.tensor(MOVING.origin) + (place * torch.tensor(MOVING.spacing)) @ torch.tensor(TURNED).double().T
    torch.testing.assert_close(read_points(tmp_path / points.file, None).world_points, expected, rtol=0, atol=1e-9)
    straight = replace(MOVING, direction=FIXED.direction)
    voxels = straight.to_index(FIXED.world_points().double() + shift).add(0.5).floor().long().numpy()
    inside = ((voxels >= 0) & (voxels < MOVING.size)).all(1)
    x, y, z = np.where(inside[:, None], voxels, 0).T
    seen = np.where(inside, carried.moving_labels.data.numpy()[z, y, x], 0)
    moved = read_segmentation(tmp_path / labels.file)
    np.testing.assert_array_equal(moved.data.flatten().numpy(), seen)
    assert moved.grid == FIXED


def test_points_without_an_inverse_are_named_and_left_out(tmp_path: Path) -> None:
    """A plane that folds: T(x) = x + a bend that turns the x axis round somewhere."""
    lattice = Grid((12, 12, 12), (10.0,) * 3, (-55.0,) * 3, FIXED.direction)
    bend = torch.zeros(3, 12, 12, 12).double()
    bend[0, :, :, 5:7] = torch.tensor([60.0, -60.0])
    folding = BSplineTransform(bend.flatten(), lattice, 3)
    middle = Landmarks(torch.tensor([[0.0, 0, 0], [45.0, 45, 45]]).double(), ("inside", "beyond"), "p.csv")
    with pytest.warns(InputWarning, match=r"1 of 2 points of p.csv have no inverse and are left out: inside"):
        (done,) = _propagated(CarriedInputs(moving_points=middle), folding, tmp_path)  # fmt: skip
    assert done.left_out == ("inside",)
    found = read_points(tmp_path / done.file, None)
    assert found.labels == ("beyond",)


def test_what_can_not_be_carried_is_an_error_and_the_rest_is_there(tmp_path: Path) -> None:
    labels = replace(_labels(MOVING), name="labels.mha", pixel_type="no such type")
    carried = CarriedInputs(labels, fixed_points=_points(3, "p.txt"))
    with pytest.raises(OutputError, match=r"the moving labels could not be carried to the other image: .*no such type"):
        _propagated(carried, _chain(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["fixed_points_in_moving.txt"]
    with pytest.raises(OutputError, match="transformix"):
        _propagated(carried, None, tmp_path)


@pytest.mark.parametrize(
    ("given", "written"),
    [("a.seg.nrrd", "moved_labels.seg.nrrd"), ("a.nii", "moved_labels.nii"), ("a.png", "moved_labels.mha"),
     ("dicom", "moved_labels.mha")],
)  # fmt: skip
def test_the_format_is_that_of_the_labels_if_it_holds_a_place(tmp_path: Path, given: str, written: str) -> None:
    still = TranslationTransform(torch.zeros(3).double())
    (done,) = _propagated(CarriedInputs(_labels(MOVING, given)), still, tmp_path)
    assert done.file == written
    assert (tmp_path / written).is_file()


def test_structures_that_left_the_image_are_named(tmp_path: Path) -> None:
    away = TranslationTransform(torch.tensor([500.0, 0, 0]).double())
    (done,) = _propagated(CarriedInputs(_labels(MOVING)), away, tmp_path, names={3: "liver"})
    assert (done.count, done.left_out) == (0, ("3 liver", "70001", "4000000000"))
