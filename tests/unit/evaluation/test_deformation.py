"""What a transform does to space, on transforms whose answer is known."""

import pytest
import torch

from elastix_impact.evaluation.consistency import inverse_consistency
from elastix_impact.evaluation.deformation import summarise_deformation
from elastix_impact.evaluation.places import places_in
from elastix_impact.evaluation.similarity import compare_intensities
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.transforms.affine import AffineTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.translation import TranslationTransform

GRID = Grid.axis_aligned((20, 18, 16), (2.0, 2.0, 3.0), (-10.0, 5.0, 100.0))


def _scaled(x: float, y: float, z: float) -> AffineTransform:
    matrix = torch.diag(torch.tensor([x, y, z], dtype=torch.float64))
    return AffineTransform(torch.cat([matrix.flatten(), torch.zeros(3, dtype=torch.float64)]), GRID.centre)


def test_a_scaling_has_its_determinant_everywhere():
    found = summarise_deformation(_scaled(1.5, 0.5, 2.0), places_in(GRID, None))
    assert found.voxels == 20 * 18 * 16
    assert (found.step, found.within) == (1, "fixed image")
    for value in found.determinant.values():
        assert value == pytest.approx(1.5)
    assert (found.share_folded, found.sdlogj) == (0.0, pytest.approx(0.0, abs=1e-9))


def test_a_mirror_folds_everywhere():
    found = summarise_deformation(_scaled(-1.0, 1.0, 1.0), places_in(GRID, None))
    assert (found.share_folded, found.sdlogj) == (1.0, None)


def test_a_shift_moves_by_its_length():
    found = summarise_deformation(
        TranslationTransform(torch.tensor([3.0, 4.0, 0.0], dtype=torch.float64)), places_in(GRID, None)
    )
    assert found.displacement_mm == {"mean": pytest.approx(5), "p95": pytest.approx(5), "max": pytest.approx(5)}


def test_the_mask_and_the_limit_choose_the_voxels():
    data = torch.zeros(GRID.shape, dtype=torch.bool)
    data[4:12, 4:14, 2:18] = True
    mask = Image(data, GRID)
    whole = places_in(GRID, mask)
    assert (len(whole.flat), whole.step, whole.in_mask) == (8 * 10 * 16, 1, True)
    sparse = places_in(GRID, mask, most=100)
    assert sparse.step > 1
    assert 0 < len(sparse.flat) <= 100
    assert bool(data.flatten()[sparse.flat].all())
    nothing = places_in(GRID, Image(torch.zeros_like(data), GRID))
    assert summarise_deformation(_scaled(1, 1, 1), nothing) is None


def _bent(strength: float) -> BSplineTransform:
    lattice = Grid.axis_aligned((8, 8, 8), (10.0, 10.0, 12.0), (-30.0, -15.0, 80.0))
    parameters = torch.randn(3 * 512, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return BSplineTransform(strength * parameters, lattice, 3)


def test_inverse_consistency():
    places = places_in(GRID, None)
    own = inverse_consistency(_bent(1.0), places)
    assert own.against == "own inverse"
    assert own.maximum_mm < 1e-3
    shift = TranslationTransform(torch.tensor([3.0, 0.0, 0.0], dtype=torch.float64))
    back = TranslationTransform(torch.tensor([-2.0, 0.0, 0.0], dtype=torch.float64))
    given = inverse_consistency(shift, places, back)
    assert (given.against, given.mean_mm) == ("given transform", pytest.approx(1.0))
    assert inverse_consistency(_bent(60.0), places) is None  # folds: has no inverse


def test_intensities_agree_where_the_transform_brings_them_together():
    smooth = torch.rand(GRID.shape, generator=torch.Generator().manual_seed(0))
    fixed = Image(smooth, GRID)
    moving = Image(100 - 50 * smooth, GRID.shifted((4.0, 0.0, 0.0)))
    shift = TranslationTransform(torch.tensor([4.0, 0.0, 0.0], dtype=torch.float64))
    places = places_in(GRID, None)
    before, after = (compare_intensities(fixed, moving, one, places) for one in (None, shift))
    assert after.ncc == pytest.approx(-1.0, abs=1e-5)
    assert after.overlap == 1.0
    assert before.overlap == pytest.approx(18 / 20)
    assert abs(before.ncc) < 0.1
    assert after.mutual_information > 5 * before.mutual_information
    assert after.normalized_mutual_information > 1.9
    far = TranslationTransform(torch.tensor([400.0, 0.0, 0.0], dtype=torch.float64))
    assert compare_intensities(fixed, moving, far, places) is None
    constant = Image(torch.ones(GRID.shape), GRID)
    assert compare_intensities(fixed, constant, None, places).ncc is None
