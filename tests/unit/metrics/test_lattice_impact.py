"""Static IMPACT on a lattice of its own: where it looks, how fine features are, what leaving the image costs."""

import pytest
import torch

from elastix_impact.errors import ImageError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.pyramid import smooth
from elastix_impact.metrics.impact.features import ModelInput, averaged
from elastix_impact.metrics.impact.inputs import ImpactInputs
from elastix_impact.metrics.impact.layers import LayerComparison
from elastix_impact.metrics.impact.static import StaticImpact
from elastix_impact.metrics.lattice_samples import LatticeSamples
from elastix_impact.transforms.affine import AffineTransform
from elastix_impact.zoo.export.mind import export_mind
from elastix_impact.zoo.load import load_model
from metric_contract import transforms

GRID = Grid.axis_aligned((20, 18, 16), (2.0, 2.0, 3.0), (-20.0, -17.0, -24.0))
STILL = AffineTransform(torch.cat([torch.eye(3).flatten(), torch.zeros(3)]), (0.0, 0.0, 0.0))
NO_POINTS = torch.zeros(0, 3)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory):
    return load_model(export_mind(tmp_path_factory.mktemp("models") / "mind.pt", radius=1, dilation=1, dimension=3))


def image(seed: int) -> Image:
    noise = torch.randn(GRID.shape, generator=torch.Generator().manual_seed(seed))
    return Image(smooth(noise, (1.5, 1.5, 1.5)) * 1000, GRID)


def metric(model, fixed: Image, moving: Image, start=STILL, spacing: float = 0.0, mask=None, margin: int = 0):
    side = ModelInput(model, 3, 1, (0, 0, 0), GRID.spacing, (True,))
    inputs = ImpactInputs(
        fixed=fixed, moving=moving, moving_mask=None, fixed_models=[side], moving_models=[side],
        layers=[LayerComparison("L2", 1.0, 12, 0)], image_order=1, generator=torch.Generator().manual_seed(1),
    )  # fmt: skip
    lattice = LatticeSamples.of(fixed, None, mask, start, spacing) if spacing else None
    return StaticImpact(
        inputs, start=start, feature_order=1, update_interval=-1, level=0, sink=None, lattice=lattice, margin=margin
    )


def raw(of: StaticImpact, transform, points=NO_POINTS) -> float:
    (value,) = of.evaluate(transform, points).parts.values()
    return float(value)


@pytest.mark.parametrize("masked", [False, True])
def test_it_compares_at_every_point_of_the_lattice(model, masked: bool) -> None:
    fixed, moving = image(1), image(2)
    mask = None
    if masked:
        mask = torch.zeros(GRID.shape, dtype=torch.bool)
        mask[3:12, 4:15, 2:9] = True
    places = GRID.world_points(torch.float32)
    places = places if mask is None else places[mask.flatten()]
    shift = AffineTransform(torch.cat([torch.eye(3).flatten(), torch.tensor([1.5, -2.0, 2.5])]), (0.0, 0.0, 0.0))
    measured = metric(model, fixed, moving, spacing=1.0, mask=mask).evaluate(shift, NO_POINTS)
    expected = metric(model, fixed, moving).evaluate(shift, places)
    assert float(next(iter(measured.parts.values()))) == pytest.approx(
        float(next(iter(expected.parts.values()))), rel=1e-5
    )
    assert float(measured.valid_fraction) == pytest.approx(float(expected.valid_fraction), abs=1e-6)


@pytest.mark.parametrize("kind", ["spline", "composed", "added"])
def test_after_a_linear_transform_the_lattice_lies_along_the_control_points(model, kind: str) -> None:
    fixed, moving, transform = image(1), image(2), transforms(3)[kind].to(torch.float32)
    lattice = LatticeSamples.of(fixed, None, None, transform, 4.0)
    torch.testing.assert_close(lattice.mapped(transform), transform.map_points(lattice.places), rtol=0, atol=1e-3)
    measured = raw(metric(model, fixed, moving, start=transform, spacing=2.0), transform)
    places = LatticeSamples.of(fixed, None, None, transform, 2.0)
    counted = places.places[places.weights > 0]
    assert measured == pytest.approx(raw(metric(model, fixed, moving, start=transform), transform, counted), rel=1e-4)


def test_features_are_averaged_over_whole_blocks() -> None:
    features = torch.arange(2 * 4 * 5 * 6, dtype=torch.float32).view(2, 4, 5, 6)
    grid = Grid.axis_aligned((6, 5, 4), (1.0, 2.0, 4.0), (10.0, 20.0, 30.0))
    coarse, blocks = averaged(features, grid, (4.0, 4.0, 4.0))
    assert blocks.size == (1, 2, 4)
    assert blocks.spacing == (4.0, 4.0, 4.0)
    assert blocks.origin == (11.5, 21.0, 30.0)
    torch.testing.assert_close(coarse[1, 2, 1, 0], features[1, 2, 2:4, 0:4].mean())
    same, unchanged = averaged(features, grid, (1.0, 2.0, 4.0))
    assert same is features
    assert unchanged is grid


def test_with_a_margin_the_end_of_the_moving_image_is_unlike_the_fixed_one(model) -> None:
    fixed = image(1)
    middle = torch.zeros(GRID.shape, dtype=torch.bool)
    middle[4:-4, 4:-4, 4:-4] = True
    assert raw(metric(model, fixed, fixed, spacing=1.0), STILL) == 0.0
    assert raw(metric(model, fixed, fixed, spacing=1.0, margin=2, mask=middle), STILL) == pytest.approx(0.0, abs=1e-9)
    assert raw(metric(model, fixed, fixed, spacing=1.0, margin=2), STILL) > 0.005


def test_a_mask_without_voxels_is_refused(model) -> None:
    with pytest.raises(ImageError, match="no voxel of the fixed image counts"):
        metric(model, image(1), image(2), spacing=1.0, mask=torch.zeros(GRID.shape, dtype=torch.bool))


def test_padding_keeps_voxels_where_they_were() -> None:
    fixed = image(1)
    wide = fixed.padded((1, 0, 2), -7.0)
    assert wide.grid.size == (22, 18, 20)
    assert wide.grid.origin == (-22.0, -17.0, -30.0)
    torch.testing.assert_close(wide.data[2:-2, :, 1:-1], fixed.data)
    assert float(wide.data[:2].max()) == float(wide.data[:, :, 0].max()) == -7.0
