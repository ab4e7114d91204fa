"""Evidence on volumes whose answer is known."""

import pytest
import torch
from torch import Tensor

from elastix_impact.evaluation.evidence import Comparison, Evidence
from elastix_impact.evaluation.peak import peak_of
from elastix_impact.evaluation.scene import Scene
from elastix_impact.evaluation.space import space_of
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.pyramid import smooth
from elastix_impact.transforms.affine import AffineTransform
from elastix_impact.transforms.base import AbstractTransform
from textures import GRID, scaled, shift, texture


def evidence(fixed: Image, moving: Image, transform: AbstractTransform | None = None) -> Evidence:
    scene = Scene.of(fixed, moving)
    look = scene.look(transform)
    return Comparison.of(scene, look).evidence(look, look.seen)


def inverted(image: Image) -> Image:
    return Image(-3 * image.data + 7, image.grid)


@pytest.mark.parametrize("partner", [lambda one: one, inverted], ids=["itself", "inverted"])
def test_an_image_agrees_with_itself_whatever_its_contrast(partner) -> None:
    found = evidence(texture(0), partner(texture(0)))
    assert found.nmi > 1.9
    assert found.gradients == pytest.approx(1.0, abs=1e-6)


def test_unrelated_images_agree_by_chance_only() -> None:
    found = evidence(texture(0), texture(1))
    assert found.nmi < 1.02
    assert found.gradients == pytest.approx(1 / 3, abs=0.05)


def test_gradients_are_turned_with_the_transform() -> None:
    turned = Image(texture(0).data.transpose(-1, -2).contiguous(), Grid.axis_aligned((36, 40, 32), (2.0, 2.0, 2.0)))
    swap = torch.tensor([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]], dtype=torch.float64)
    offset = torch.tensor(turned.grid.origin, dtype=torch.float64) - swap @ torch.tensor(GRID.origin).double()
    found = evidence(texture(0), turned, AffineTransform(torch.cat([swap.flatten(), offset]), (0.0, 0.0, 0.0)))
    assert found.gradients > 0.999


def test_the_truth_stands_out_and_noise_does_not() -> None:
    scene = Scene.of(texture(0), texture(0))
    look = scene.look(None)
    peak = peak_of(Comparison.of(scene, look), look)
    assert peak is not None
    assert peak.nmi_near > 0.3
    assert peak.gradients_near > 0.3
    assert peak.nmi_beaten == peak.gradients_beaten == 0

    scene = Scene.of(texture(0), texture(1))
    look = scene.look(None)
    peak = peak_of(Comparison.of(scene, look), look)
    assert peak is not None
    assert abs(peak.nmi_near) < 0.004
    assert abs(peak.gradients_near) < 0.03


def test_a_shift_beside_the_truth_is_beaten() -> None:
    scene = Scene.of(texture(0), texture(0))
    look = scene.look(shift(4.0, 0.0, 0.0))
    peak = peak_of(Comparison.of(scene, look), look)
    assert peak is not None
    assert peak.nmi_beaten > 0


def test_places_lie_where_the_fixed_image_was_seen() -> None:
    seen = torch.zeros(GRID.shape, dtype=torch.bool)
    seen[:, :, :10] = True
    scene = Scene.of(texture(0), texture(0), fixed_seen=Image(seen, GRID), moving_seen=Image(~seen, GRID))
    assert scene.points[:, 0].max() <= GRID.origin[0] + 9 * 2.0 + 1e-9
    assert not scene.look(None).seen.any()
    assert scene.look(shift(40.0, 0.0, 0.0)).seen.all()


def test_what_an_affine_transform_does_to_space() -> None:
    scene = Scene.of(texture(0), texture(0))
    space = space_of(scene, scene.look(scaled(0.5, 0.5, 0.8)))
    assert space.volume_scale == pytest.approx(0.2)
    assert space.determinant_low == pytest.approx(0.2)
    assert space.bending_mm < 1e-6
    assert space.share_folded == 0
    assert space_of(scene, scene.look(scaled(-1.0, 1.0, 1.0))).share_folded == 1


def test_bending_is_what_no_affine_map_explains() -> None:
    class Bent(AbstractTransform):
        dimension = 3
        is_linear = False

        def map_points(self, world_points: Tensor) -> Tensor:
            return world_points + torch.sin(world_points / 5) * torch.tensor([0.0, 3.0, 0.0]).double()

        def spatial_jacobian(self, world_points: Tensor) -> Tensor:
            return torch.eye(3, dtype=torch.float64).expand(len(world_points), -1, -1)

        spatial_hessian = jacobian = shifted = None  # type: ignore[assignment]

        def to(self, dtype: torch.dtype, device: torch.device | str = "cpu") -> "Bent":
            del dtype, device
            return self

    scene = Scene.of(texture(0), texture(0))
    space = space_of(scene, scene.look(Bent(torch.zeros(0, dtype=torch.float64))))
    assert space.bending_mm == pytest.approx(3.0, rel=0.1)


def test_a_plane_is_compared_too() -> None:
    grid = Grid.axis_aligned((90, 70), (1.0, 1.0))
    values = smooth(torch.randn(grid.shape, generator=torch.Generator().manual_seed(0)), (3.0, 3.0))
    found = evidence(Image(values, grid), Image(-values, grid))
    assert found.nmi > 1.9
    assert found.gradients == pytest.approx(1.0, abs=1e-6)
