"""Measures beside those of MONAI, SimpleITK, scikit-like definitions, and the code behind Learn2Reg's HD95."""

import warnings

import numpy as np
import pytest
import scipy.ndimage
import SimpleITK as sitk
import torch

from elastix_impact.evaluation import learn2reg
from elastix_impact.evaluation.deformation import summarise_deformation
from elastix_impact.evaluation.labels import LabelSummary, Structures
from elastix_impact.evaluation.places import places_in
from elastix_impact.evaluation.similarity import BINS, compare_intensities
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.io.images import read_labels
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.dense import displacement_field
from elastix_impact.transforms.resample import resample_labels
from elastix_impact.transforms.translation import TranslationTransform


def _blobs(shape: tuple[int, ...], count: int, seed: int) -> torch.Tensor:
    """Label maps with ragged regions that touch each other and the border."""
    noise = np.random.default_rng(seed).normal(size=(count + 1, *shape))
    smooth = [scipy.ndimage.gaussian_filter(one, 2) for one in noise]
    return torch.from_numpy(np.argmax(smooth, 0).astype(np.int64))


def _monai(fixed: torch.Tensor, moved: torch.Tensor, labels: list[int], spacing: tuple[float, ...]) -> torch.Tensor:
    """Dice, HD95 and ASSD (3, labels)."""
    from monai.metrics import compute_average_surface_distance, compute_dice, compute_hausdorff_distance

    one_hot = [torch.stack([(one == v).float() for v in labels])[None] for one in (moved, fixed)]
    steps = list(reversed(spacing))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.cat(
            [
                compute_dice(*one_hot, include_background=True),
                compute_hausdorff_distance(*one_hot, include_background=True, percentile=95, spacing=steps),
                compute_average_surface_distance(*one_hot, include_background=True, symmetric=True, spacing=steps),
            ]
        )


def _ours(summary: LabelSummary) -> torch.Tensor:
    return torch.tensor([[s.dice, s.hd95_mm, s.assd_mm] for s in summary.scores]).T


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("shape", "spacing"), [((20, 24, 28), (0.7, 1.1, 3.0)), ((16, 40, 12), (2.0, 1.0, 0.5)), ((40, 50), (0.5, 2.0))]
)
def test_labels_agree_with_monai(shape, spacing):
    fixed, moved = _blobs(shape, 4, seed=1), _blobs(shape, 4, seed=2)
    moved = torch.where(torch.rand(shape) < 0.6, fixed, moved)
    summary = Structures(fixed, moved, spacing).compare(moved)
    torch.testing.assert_close(_ours(summary), _monai(fixed, moved, [1, 2, 3, 4], spacing), rtol=1e-4, atol=1e-4)


@pytest.mark.shared
@pytest.mark.filterwarnings("ignore")
def test_labels_agree_with_monai_on_brains(shared):
    images = [read_labels(shared / "data" / "brain-t1-labels" / f"subj{letter}_labels13.nii.gz") for letter in "AB"]
    fixed, moving = (Image(one.data.long(), one.grid) for one in images)
    still = TranslationTransform(torch.zeros(3, dtype=torch.float64))
    moved = resample_labels(moving, still, fixed.grid, 0.0)
    summary = Structures(fixed.data, moving.data, fixed.grid.spacing).compare(moved)
    expected = _monai(fixed.data, moved, [s.label for s in summary.scores], fixed.grid.spacing)
    torch.testing.assert_close(_ours(summary), expected, rtol=1e-4, atol=1e-4)


GRID = Grid.axis_aligned((28, 26, 24), (1.0, 1.5, 2.0), (-10.0, 5.0, 100.0))


@pytest.fixture(scope="module")
def bent() -> BSplineTransform:
    lattice = Grid.axis_aligned((9, 9, 9), (12.0, 12.0, 14.0), (-50.0, -30.0, 60.0))
    parameters = torch.randn(3 * 729, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return BSplineTransform(2 * parameters, lattice, 3)


def test_the_jacobian_agrees_with_simpleitk(bent):
    """SimpleITK takes differences between voxels: half a percent on this field, away from the border."""
    field = displacement_field(bent, GRID).movedim(0, -1).numpy().astype(np.float64)
    image = sitk.GetImageFromArray(field, isVector=True)
    image.SetSpacing(GRID.spacing)
    theirs = sitk.GetArrayFromImage(sitk.DisplacementFieldJacobianDeterminant(image))[2:-2, 2:-2, 2:-2]
    mask = torch.zeros(GRID.shape, dtype=torch.bool)
    mask[2:-2, 2:-2, 2:-2] = True
    found = summarise_deformation(bent, places_in(GRID, Image(mask, GRID)))
    assert theirs.std() > 0.05
    for name, value in (
        ("min", theirs.min()),
        ("p50", np.median(theirs)),
        ("max", theirs.max()),
        ("mean", theirs.mean()),
    ):
        assert found.determinant[name] == pytest.approx(value, rel=0.005), name
    assert found.sdlogj == pytest.approx(np.log(theirs).std(), rel=0.01)


def test_intensities_agree_with_numpy(bent):
    fixed = Image(torch.rand(GRID.shape), GRID)
    moving = Image(torch.rand(GRID.shape) + fixed.data, GRID)
    found = compare_intensities(fixed, moving, None, places_in(GRID, None))
    a, b = fixed.data.numpy().ravel(), moving.data.numpy().ravel()
    assert found.ncc == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-5)
    joint = np.histogram2d(a, b, bins=BINS)[0] / a.size
    entropy = [-(p[p > 0] * np.log(p[p > 0])).sum() for p in (joint.sum(1), joint.sum(0), joint)]
    assert found.mutual_information == pytest.approx(entropy[0] + entropy[1] - entropy[2], rel=1e-3)
    assert found.normalized_mutual_information == pytest.approx((entropy[0] + entropy[1]) / entropy[2], rel=1e-3)


def test_learn2regs_jacobian_is_that_of_differences(bent):
    """Three is added, folds vanish by it, and two voxels at each border are left out."""
    displacement = displacement_field(bent, GRID).permute(3, 2, 1, 0).numpy().astype(np.float64)
    slopes = np.stack([np.gradient(displacement[..., c]) for c in range(3)])  # component, axis, x, y, z
    matrices = slopes.transpose(2, 3, 4, 0, 1) + np.eye(3)
    expected = np.linalg.det(matrices)[2:-2, 2:-2, 2:-2]
    np.testing.assert_allclose(learn2reg.jacobian_determinants(displacement), expected, rtol=1e-6, atol=1e-9)
    spread, foldings = learn2reg.sdlogj(5 * displacement)
    folded = learn2reg.jacobian_determinants(5 * displacement)
    assert (folded <= 0).any()
    assert foldings == 0
    assert spread == pytest.approx(np.log(np.clip(folded + 3, 1e-9, 1e9)).std())
    mask = np.zeros(displacement.shape[:3])
    mask[5:15, 5:15, 5:15] = 1
    inner = mask[2:-2, 2:-2, 2:-2] == 1
    assert learn2reg.sdlogj(5 * displacement, mask)[0] == pytest.approx(np.log(folded[inner] + 3).std())


@pytest.mark.filterwarnings("ignore")
def test_learn2regs_hd95_is_that_of_its_library(monkeypatch):
    """Its library was written for older versions of numpy and scipy, whose names are lent to it here."""
    surface_distance = pytest.importorskip("surface_distance")
    for name in ("filters", "morphology"):
        monkeypatch.setattr(scipy.ndimage, name, scipy.ndimage, raising=False)
    monkeypatch.setattr(np, "Inf", np.inf, raising=False)
    fixed, moved = (_blobs((18, 22, 20), 3, seed).numpy() for seed in (4, 5))
    moved = np.where(np.random.default_rng(0).random(fixed.shape) < 0.7, fixed, moved)
    ours = learn2reg.hd95_scores(fixed, fixed, moved, [1, 2, 3, 9])
    for label, value in zip((1, 2, 3), ours):
        distances = surface_distance.compute_surface_distances(fixed == label, moved == label, np.ones(3))
        assert value == pytest.approx(surface_distance.compute_robust_hausdorff(distances, 95.0))
    assert np.isnan(ours[3])


def test_learn2regs_landmarks_and_labels():
    displacement = np.zeros((10, 10, 10, 3))
    displacement[..., 0] = 2.0
    points = np.array([[3.0, 4.0, 5.0], [4.0, 4.0, 4.0]])
    moving = points + np.array([[2.0, 0.0, 1.0], [2.0, 0.0, 0.0]])
    errors = learn2reg.target_errors(points, moving, displacement, (1.0, 1.0, 3.0))
    np.testing.assert_allclose(errors, [3.0, 0.0], atol=1e-12)
    labels = np.zeros((10, 10, 10), dtype=int)
    labels[5:8, 2:5, 2:5] = 1
    fixed = np.roll(labels, -2, axis=0)
    warped = learn2reg.warped_labels(labels, displacement)
    np.testing.assert_array_equal(warped, fixed)
    scores = learn2reg.dice_scores(fixed, labels, warped, [1, 2])
    assert scores[0] == 1.0
    assert np.isnan(scores[1])
