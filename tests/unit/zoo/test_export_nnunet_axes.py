"""Exported nnU-Nets see an image in the orientation that they were trained on, and give its own axes back."""

from collections.abc import Sequence
from itertools import permutations, product
from pathlib import Path
from typing import Any

import pytest
import SimpleITK as sitk
import torch
from torch import Tensor

from elastix_impact.zoo.export.nnunet import export_nnunet
from elastix_impact.zoo.export.nnunet_axes import NetworkAxes, turned, turned_back
from elastix_impact.zoo.inspect import layer_geometry
from elastix_impact.zoo.load import FeatureModel, load_model
from nnunet_folder import ANISOTROPIC, ISOTROPIC, Trained, write_folder

STATS, UNKNOWN = torch.tensor([-3.0, 3.0, 0.0, 1.0]), torch.tensor([])
ALL = 999
STRIDED = ((1, 1, 1), (1, 2, 4), (2, 2, 1))


def _directions(dimension: int) -> list[Tensor]:
    """All signed permutation matrices: columns are the image's axes x, y(, z) in the world."""
    found = []
    for axes in permutations(range(dimension)):
        for signs in product((1, -1), repeat=dimension):
            direction = torch.zeros(dimension, dimension, dtype=torch.int64)
            direction[list(axes), range(dimension)] = torch.tensor(signs)
            found.append(direction)
    return found


def _model(trained: Trained, path: Path, **options: Any) -> FeatureModel:
    return load_model(export_nnunet(trained.folder, path, layers="all", **options))


def _trained(path: Path, **options: Any) -> Trained:
    return write_folder(path, scheme="NoNormalization", **options)


def _reoriented(x: Tensor, direction: Tensor, orientation: str) -> Tensor:
    """SimpleITK's view of an image (1, 1, z, y, x) in another orientation."""
    image = sitk.GetImageFromArray(x[0, 0].numpy())
    image.SetDirection(direction.double().flatten().tolist())
    return torch.from_numpy(sitk.GetArrayFromImage(sitk.DICOMOrient(image, orientation)))[None, None]


def _from_identity(x: Tensor, direction: Tensor) -> Tensor:
    """An image (1, C, z, y, x) of identity direction resliced to an image of `direction`, by index arithmetic."""
    dimension = len(direction)
    image_axes = [int(direction[:, axis].abs().argmax()) for axis in range(dimension)]
    order = [dimension + 1 - image_axes[dimension - 1 - place] for place in range(dimension)]
    moved = x.permute(0, 1, *order)
    backwards = [2 + dimension - 1 - axis for axis in range(dimension) if direction[image_axes[axis], axis] < 0]
    return moved.flip(backwards)


@pytest.mark.parametrize(("orientation", "letters"), [("canonical", "RAS"), ("lps", "LPS")])
def test_the_network_sees_what_simpleitk_calls_by_that_name(tmp_path: Path, orientation: Any, letters: str) -> None:
    trained = _trained(tmp_path, strides=STRIDED)
    model = _model(trained, tmp_path / "m.pt", orientation=orientation)
    x = torch.randn(1, 1, 8, 16, 12)
    for direction in _directions(3)[::5]:
        seen = trained.layers(_reoriented(x, direction, letters))
        axes = NetworkAxes(orientation, (0, 1, 2))
        order, flips = axes(direction)
        for layer, other in zip(model(x, ALL, STATS, direction), seen):
            torch.testing.assert_close(layer, turned_back(other, order, flips), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("direction", _directions(3), ids=lambda direction: str(direction.flatten().tolist()))
def test_axes_agree_with_simpleitk(direction: Tensor) -> None:
    x = torch.arange(24.0).reshape(1, 1, 2, 3, 4)
    for orientation, letters in (("canonical", "RAS"), ("lps", "LPS")):
        order, flips = NetworkAxes(orientation, (0, 1, 2))(direction)
        assert torch.equal(turned(x, order, flips), _reoriented(x, direction, letters))
        assert torch.equal(turned_back(turned(x, order, flips), order, flips), x)


def test_a_reoriented_copy_has_reoriented_features(tmp_path: Path) -> None:
    model = _model(_trained(tmp_path, strides=STRIDED), tmp_path / "m.pt")
    x = torch.randn(1, 1, 8, 8, 16)
    upright = model(x, ALL, STATS, torch.eye(3, dtype=torch.int64))
    for direction in _directions(3):
        copy = _from_identity(x, direction)
        for layer, expected in zip(model(copy, ALL, STATS, direction), upright):
            torch.testing.assert_close(layer, _from_identity(expected, direction), rtol=1e-5, atol=1e-5)


def test_the_direction_matters(tmp_path: Path) -> None:
    model = _model(_trained(tmp_path), tmp_path / "m.pt")
    x = torch.randn(1, 1, 8, 8, 8)
    one, other = (model(x, 1, STATS, direction)[0] for direction in _directions(3)[:2])
    assert not torch.allclose(one, other, atol=1e-2)


@pytest.mark.parametrize("transpose", [(0, 1, 2), (1, 0, 2), (2, 0, 1), (1, 2, 0)])
def test_nnunets_transposition_comes_on_top(tmp_path: Path, transpose: Sequence[int]) -> None:
    trained = _trained(tmp_path, strides=ANISOTROPIC, transpose=transpose)
    x = torch.randn(1, 1, 8, 12, 16)
    order = [0, 1, *(axis + 2 for axis in transpose)]
    back = [order.index(axis) for axis in range(5)]
    for orientation in ("as_is", "canonical"):
        model = _model(trained, tmp_path / f"{orientation}.pt", orientation=orientation)
        seen = x if orientation == "as_is" else x.flip(3, 4)
        expected = [layer.permute(back) for layer in trained.layers(seen.permute(order))]
        if orientation == "canonical":
            expected = [layer.flip(3, 4) for layer in expected]
        for layer, other in zip(model(x, ALL, STATS, torch.eye(3, dtype=torch.int64)), expected):
            torch.testing.assert_close(layer, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("direction", [UNKNOWN, torch.zeros(0, 0), torch.eye(2)])
def test_an_unknown_direction_leaves_the_axes(direction: Tensor) -> None:
    assert NetworkAxes("canonical", (0, 1, 2))(direction) == ([0, 1, 2, 3, 4], [])


def test_as_is_ignores_the_direction() -> None:
    axes = NetworkAxes("as_is", (0, 1, 2))
    assert all(axes(direction) == ([0, 1, 2, 3, 4], []) for direction in _directions(3))


@pytest.mark.parametrize("direction", [torch.tensor([[1, -1], [1, 1]]), torch.tensor([[0.8, -0.6], [0.6, 0.8]])])
def test_between_two_axes_one_is_chosen(direction: Tensor) -> None:
    """45 degrees round to ones everywhere; both axes must not become the same."""
    assert NetworkAxes("lps", (0, 1))(direction)[0] == [0, 1, 2, 3]


def test_planes_are_turned_by_their_own_direction(tmp_path: Path) -> None:
    model = _model(_trained(tmp_path, strides=((1, 1), (2, 1))), tmp_path / "m.pt")
    x = torch.randn(1, 1, 8, 12)
    upright = model(x, ALL, STATS, torch.eye(2, dtype=torch.int64))
    for direction in _directions(2):
        layers = model(_from_identity(x, direction), ALL, STATS, direction)
        for layer, expected in zip(layers, upright):
            torch.testing.assert_close(layer, _from_identity(expected, direction), rtol=1e-5, atol=1e-5)


def test_slices_take_the_plane_of_their_image() -> None:
    axes = NetworkAxes("canonical", (0, 1))
    for plane in _directions(2):
        for z in (1, -1):
            assert axes(torch.block_diag(plane, torch.tensor([[z]]))) == axes(plane)
    sagittal = torch.tensor([[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    assert axes(sagittal) == ([0, 1, 2, 3], [])


def test_slices_across_another_axis_are_warned_of(tmp_path: Path) -> None:
    trained = _trained(tmp_path, strides=((1, 1), (2, 2)), transpose=(2, 0, 1))
    with pytest.warns(UserWarning, match="slices across x"):
        export_nnunet(trained.folder, tmp_path / "m.pt")


def test_isotropic_strides_are_those_of_every_axis(tmp_path: Path) -> None:
    model = _model(_trained(tmp_path, strides=ISOTROPIC), tmp_path / "m.pt")
    for direction in _directions(3)[::7]:
        layers = model(torch.randn(1, 1, 8, 12, 16), 3, STATS, direction)
        assert [tuple(layer.shape[2:]) for layer in layers] == [(8, 12, 16), (4, 6, 8), (2, 3, 4)]


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, -1, 1)])
def test_voxels_lie_at_the_end_of_their_strides_along_axes_that_the_network_flips(
    tmp_path: Path, signs: tuple[int, int, int]
) -> None:
    """The canonical orientation is RAS, the identity of ITK LPS: there x and y are flipped."""
    trained = write_folder(tmp_path, strides=((1, 1, 1), (2, 2, 2), (2, 2, 2)), scheme="ZScoreNormalization")
    model = _model(trained, tmp_path / "m.pt")
    flipped = [sign > 0 if axis < 2 else sign < 0 for axis, sign in enumerate(signs)]
    layers = layer_geometry(model, 3, 1, ALL, torch.diag(torch.tensor(signs)))
    assert [layer.stride[0] for layer in layers[:3]] == [1, 2, 4]
    for layer in layers:
        assert layer.offset == tuple((stride - 1) * turn for stride, turn in zip(layer.stride, flipped))
