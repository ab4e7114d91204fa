"""Models of every form in both modes, against features and patches written out by hand.

The oracles call the eager modules one image, one slice or one patch at a time and interpolate with scipy.
"""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import scipy.ndimage
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.metrics.impact.features import ModelInput
from elastix_impact.metrics.impact.inputs import ImpactInputs
from elastix_impact.metrics.impact.jacobian import FIXED_ORDER, JacobianImpact
from elastix_impact.metrics.impact.layers import LayerComparison
from elastix_impact.metrics.impact.patches import PatchPlan
from elastix_impact.metrics.impact.static import StaticImpact
from elastix_impact.transforms.affine import AffineTransform
from elastix_impact.transforms.translation import TranslationTransform
from elastix_impact.zoo.load import load_model

GRID = Grid((22, 20, 18), (2.0, 2.0, 3.0), (21.0, 19.0, -25.5), ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0)))
MOVED = torch.tensor([1.02, 0.03, 0.0, -0.02, 0.99, 0.01, 0.0, 0.02, 1.01, 0.7, -0.9, 0.6])
"""An affine map with a little of everything."""


class OneInput(nn.Module):
    """Two layers, the second of half the resolution."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.first, self.second = nn.Conv3d(1, 4, 3, 1, 1), nn.Conv3d(4, 6, 3, 2, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        first = F.softplus(self.first(x / 300))
        return [first, F.softplus(self.second(first))]


class TwoInputs(nn.Module):
    """Three layers, of which it computes as many as it is asked for."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.first, self.second = nn.Conv3d(1, 5, 3, 1, 1), nn.Conv3d(5, 6, 3, 2, 1)

    def forward(self, x: Tensor, nb_layers: Tensor) -> list[Tensor]:
        layers = [F.softplus(self.first(x / 200))]
        if int(nb_layers) > 1:
            layers.append(F.softplus(self.second(layers[0])))
        if int(nb_layers) > 2:
            layers.append(layers[1] * 2)
        return layers


class FourInputs(nn.Module):
    """Standardises with the whole image's statistics, and works in the canonical orientation."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.first = nn.Conv3d(1, 4, 3, 1, 1)

    def forward(self, x: Tensor, nb_layers: Tensor, stats: Tensor, direction: Tensor) -> list[Tensor]:
        flipped: list[int] = []
        for row in range(x.dim() - 2):
            if int(direction[row, row]) < 0:
                flipped.append(x.dim() - 1 - row)
        standard = ((x - stats[2]) / stats[3] - stats[0] / stats[1]).flip(flipped)
        return [F.softplus(self.first(standard)).flip(flipped)]


class Colours(nn.Module):
    """A 2-D network for pictures of three channels, two layers, the second of half the resolution."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.first, self.second = nn.Conv2d(3, 4, 3, 1, 1), nn.Conv2d(4, 5, 3, 2, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        first = F.softplus(self.first(x / 300))
        return [first, F.softplus(self.second(first))]


@dataclass(frozen=True)
class Kind:
    """A module, how it is called, and the strides (x, y, z) of its layers on a volume."""

    module: type[nn.Module]
    dimension: int
    channels: int
    mask: str
    strides: tuple[tuple[int, ...], ...]
    inputs: int


KINDS = {
    "one input": Kind(OneInput, 3, 1, "11", ((1, 1, 1), (2, 2, 2)), 1),
    "two inputs": Kind(TwoInputs, 3, 1, "010", ((1, 1, 1), (2, 2, 2)), 2),
    "four inputs": Kind(FourInputs, 3, 1, "1", ((1, 1, 1),), 4),
    "2-D of three channels": Kind(Colours, 2, 3, "11", ((1, 1, 1), (2, 2, 1)), 1),
}
PAIRS = {name: (name, name) for name in KINDS} | {"fixed and moving apart": ("one input second", "two inputs")}
KINDS["one input second"] = Kind(OneInput, 3, 1, "01", ((1, 1, 1), (2, 2, 2)), 1)


def _image(seed: int) -> Image:
    noise = torch.rand(1, 1, 7, 7, 7, generator=torch.Generator().manual_seed(seed)) * 1000
    return Image(F.interpolate(noise, size=GRID.shape, mode="trilinear", align_corners=True)[0, 0], GRID)


FIXED, MOVING = _image(0), _image(1)


def _points(count: int) -> Tensor:
    """World points (N, 3) well inside."""
    inner = torch.tensor(GRID.size, dtype=torch.float64) - 11
    random = torch.rand(count, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return GRID.to_world(5 + random * inner).float()


def _comparisons(kind: Kind) -> list[LayerComparison]:
    return [LayerComparison("L2", 1.0, 99, 0), LayerComparison("NCC", 0.5, 99, 0)][: kind.mask.count("1")]


def _metric(mode: str, pair: tuple[str, str], folder, *, gradient: str = "Exact"):
    sides = []
    for role, name in enumerate(pair):
        kind, path = KINDS[name], folder / f"{role}.pt"
        torch.jit.script(kind.module(seed=role)).save(str(path))
        patch, voxel = ((5,) * 3, (2.0,) * 3) if mode == "Jacobian" else ((0,) * 3, GRID.spacing)
        selected = tuple(character == "1" for character in kind.mask)
        sides.append(
            ModelInput(load_model(path), kind.dimension, kind.channels, patch[: kind.dimension], voxel, selected)
        )
        assert sides[-1].model.number_of_inputs == kind.inputs
    inputs = ImpactInputs(
        fixed=FIXED, moving=MOVING, moving_mask=None, fixed_models=sides[:1], moving_models=sides[1:],
        layers=_comparisons(KINDS[pair[0]]), image_order=3, generator=torch.Generator().manual_seed(7),
    )  # fmt: skip
    return _of_mode(mode, inputs, gradient), sides


def _of_mode(mode: str, inputs: ImpactInputs, gradient: str = "Exact"):
    if mode == "Jacobian":
        return JacobianImpact(inputs, gradient=gradient)
    still = TranslationTransform(torch.zeros(3))
    return StaticImpact(inputs, start=still, feature_order=3, update_interval=-1, level=0, sink=None)


def _affine(parameters: Tensor) -> AffineTransform:
    return AffineTransform(parameters, (0.0, 0.0, 0.0))


def _mapped(world_points: Tensor) -> Tensor:
    return _affine(MOVED.double()).map_points(world_points.double())


def _spline(volume: Tensor, index_points: Tensor, order: int = 3) -> np.ndarray:
    """Values at continuous indices (x, y, z) by scipy."""
    return scipy.ndimage.map_coordinates(
        volume.double().numpy(), index_points.flip(-1).movedim(-1, 0).numpy(), order=order, mode="mirror"
    )


def _layers(kind: Kind, role: int, x: Tensor, image: Image) -> list[Tensor]:
    """The selected layers of one picture by the eager module."""
    data = image.data.double()
    stats = torch.stack([data.min(), data.max(), data.mean(), data.std(correction=0)]).float()
    direction = torch.tensor(GRID.direction).long()
    inputs = (x.expand(1, kind.channels, *x.shape), torch.tensor(kind.mask.rindex("1") + 1), stats, direction)
    with torch.no_grad():
        layers = kind.module(seed=role)(*inputs[: kind.inputs])
    return [layer[0] for layer, flag in zip(layers, kind.mask) if flag == "1"]


def _static_by_hand(name: str, role: int, image: Image, world_points: Tensor) -> list[np.ndarray]:
    """Features (N, C) per layer: of the whole image, or slice by slice, then interpolated."""
    kind = KINDS[name]
    if kind.dimension == 3:
        maps = _layers(kind, role, image.data, image)
    else:
        maps = [torch.stack(slices, 1) for slices in zip(*(_layers(kind, role, s, image) for s in image.data))]
    strides = [stride for stride, flag in zip(kind.strides, kind.mask) if flag == "1"]
    index_points = GRID.to_index(world_points.double())
    return [
        np.stack([_spline(channel, index_points / torch.tensor(stride)) for channel in layer], 1)
        for layer, stride in zip(maps, strides)
    ]


def _jacobian_by_hand(name: str, role: int, image: Image, patches: Tensor) -> list[np.ndarray]:
    """Features (N, C) per layer at the middle of patches whose points are (N, K, 3), one patch after the other."""
    kind = KINDS[name]
    rows = []
    for world_points in patches.double():
        values = torch.from_numpy(_spline(image.data, GRID.to_index(world_points), FIXED_ORDER)).float()
        layers = _layers(kind, role, values.reshape((5,) * kind.dimension), image)
        rows.append([layer[(slice(None), *(n // 2 for n in layer.shape[1:]))].numpy() for layer in layers])
    return [np.stack(layer) for layer in zip(*rows)]


def _patch_points(kind: Kind, side: ModelInput, world_points: Tensor) -> Tensor:
    """The points (N, 125 or 25, 3) of patches of 5 points 2 mm apart; planes turned as the metric turns them."""
    if kind.dimension == 2:
        plan = PatchPlan(side, GRID, torch.Generator().manual_seed(7), torch.device("cpu"))
        return plan.patches(world_points).points
    steps = [(i, j, k) for k in range(5) for j in range(5) for i in range(5)]
    offsets = torch.tensor([[2.0 * (step - 5 // 2) for step in point] for point in steps])
    return world_points[:, None] + offsets @ torch.tensor(GRID.direction).T


def _distances(fixed: list[np.ndarray], moving: list[np.ndarray]) -> list[float]:
    numbers = [((fixed[0] - moving[0]) ** 2).mean()]
    for f, m in zip(fixed[1:], moving[1:]):
        numbers.append(-np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(f.T, m.T)]))
    return numbers


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_static_features_are_those_of_the_whole_image(pair, tmp_path):
    metric, _ = _metric("Static", pair, tmp_path)
    world_points = _points(60)
    fixed = _static_by_hand(pair[0], 0, FIXED, world_points)
    moving = _static_by_hand(pair[1], 1, MOVING, _mapped(world_points))
    measured = metric.evaluate(_affine(MOVED), world_points)
    assert [part.item() for part in measured.parts.values()] == pytest.approx(_distances(fixed, moving), rel=2e-4)
    assert measured.valid_fraction == 1


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_jacobian_features_are_those_of_each_patch(pair, tmp_path):
    metric, sides = _metric("Jacobian", pair, tmp_path)
    world_points = _points(40)
    patches = _patch_points(KINDS[pair[0]], sides[0], world_points)
    fixed = _jacobian_by_hand(pair[0], 0, FIXED, patches)
    moving = _jacobian_by_hand(pair[1], 1, MOVING, _mapped(patches.flatten(0, 1)).view(patches.shape))
    measured = metric.evaluate(_affine(MOVED), world_points)
    assert [part.item() for part in measured.parts.values()] == pytest.approx(_distances(fixed, moving), rel=2e-4)
    assert measured.valid_fraction == 1


@pytest.mark.parametrize("mode", ["Static", "Jacobian"])
@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_gradients_agree_with_finite_differences(mode, pair, tmp_path):
    metric, _ = _metric(mode, pair, tmp_path)
    world_points = _points(40)

    def value(parameters: Tensor) -> Tensor:
        """With the planes of 2-D models turned alike each time."""
        metric._sum._generator.manual_seed(7)
        return metric.evaluate(_affine(parameters), world_points).value

    leaf = MOVED.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(leaf), leaf)
    for index in range(12):
        step = torch.zeros(12)
        step[index] = 2e-3 if index < 9 else 2e-2
        expected = (value(MOVED + step) - value(MOVED - step)).item() / (2 * step[index].item())
        assert gradient[index].item() == pytest.approx(expected, rel=0.03, abs=3e-3 * gradient.abs().max().item())


def test_the_two_sides_of_a_pair_are_not_mixed_up(tmp_path):
    """Different weights on both sides: exchanging images and models is not exchanging only one of them."""
    world_points, still = _points(40), _affine(torch.cat([torch.eye(3).flatten(), torch.zeros(3)]))
    for mode in ("Static", "Jacobian"):
        metric, sides = _metric(mode, PAIRS["one input"], tmp_path)
        straight = metric.evaluate(still, world_points).parts
        inputs = ImpactInputs(
            fixed=MOVING, moving=FIXED, moving_mask=None, fixed_models=sides[1:], moving_models=sides[:1],
            layers=_comparisons(KINDS["one input"]), image_order=3, generator=torch.Generator(),
        )  # fmt: skip
        exchanged = _of_mode(mode, inputs).evaluate(still, world_points)
        half = _of_mode(mode, replace(inputs, moving_models=sides[1:])).evaluate(still, world_points)
        for name, part in straight.items():
            assert exchanged.parts[name].item() == pytest.approx(part.item(), rel=1e-3)
            assert half.parts[name].item() != pytest.approx(part.item(), rel=1e-2)
