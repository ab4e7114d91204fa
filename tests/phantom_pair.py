"""The demo's chest on a coarse grid, moved by a known affine map after a known smooth deformation."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import max_pool3d

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.phantoms.anatomy import body, chest, motion, random_waves
from elastix_impact.phantoms.case import landmark_points
from elastix_impact.transforms.base import AbstractTransform

FIXED = Grid.axis_aligned((60, 50, 50), (4.0, 4.0, 4.0), (-118.0, -98.0, -98.0))
MOVING = Grid.axis_aligned((76, 66, 66), (4.0, 4.0, 4.0), (-150.0, -130.0, -130.0))
NOISE = 14.0
"""Hounsfield units."""

Deformation = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Pair:
    """Two images, a mask of the fixed one, and where its landmarks (100, 3) truly go, mm."""

    fixed: Image
    moving: Image
    mask: Image
    landmarks: Tensor
    truth: Tensor

    def error(self, transform: AbstractTransform) -> float:
        """Mean target registration error in mm."""
        return (transform.map_points(self.landmarks) - self.truth).norm(dim=1).mean().item()

    @property
    def error_before(self) -> float:
        """The same if nothing is done."""
        return (self.landmarks - self.truth).norm(dim=1).mean().item()


def breathing(world_points: Tensor) -> Tensor:
    """The demo's motion."""
    return motion(world_points)


def breathing_and_bending(world_points: Tensor) -> Tensor:
    """Beside the demo's motion, slow waves of 8 mm that no affine map follows."""
    x, _, z = world_points.unbind(1)
    bend = [torch.sin(2 * math.pi * z / 190), 0.6 * torch.cos(2 * math.pi * z / 210 + 1), torch.sin(math.pi * x / 100)]
    return motion(world_points) + 8.0 * torch.stack(bend, 1)


def still(world_points: Tensor) -> Tensor:
    """No deformation."""
    return world_points


def affine_matrix(degrees_about_z: float, degrees_about_x: float, scales: tuple[float, float, float]) -> Tensor:
    """A matrix (3, 3) that scales the axes, turns about x, then about z."""
    (cz, sz), (cx, sx) = ((math.cos(a), math.sin(a)) for a in map(math.radians, (degrees_about_z, degrees_about_x)))
    about_z = torch.tensor([[cz, -sz, 0.0], [sz, cz, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    about_x = torch.tensor([[1.0, 0.0, 0.0], [0.0, cx, -sx], [0.0, sx, cx]], dtype=torch.float64)
    return about_z @ about_x @ torch.diag(torch.tensor(scales, dtype=torch.float64))


def chest_pair(matrix: Tensor, shift: tuple[float, float, float], deformation: Deformation) -> Pair:
    """A pair whose true map is x -> matrix deformation(x) + shift; both images are sampled from the formulas."""
    generator = torch.Generator().manual_seed(0)
    waves, offset = random_waves(generator), torch.tensor(shift, dtype=torch.float64)

    def tissue(world_points: Tensor) -> Tensor:
        """Where the tissue at points of the moving image was."""
        undone = (world_points - offset) @ torch.linalg.inv(matrix).T
        points = undone
        for _ in range(60):
            points = points + undone - deformation(points)
        return points

    def image(grid: Grid, world_points: Tensor) -> Image:
        values = chest(world_points, waves).reshape(grid.shape) + NOISE * torch.randn(grid.shape, generator=generator)
        return Image(values.float(), grid)

    fixed, moving = image(FIXED, FIXED.world_points()), image(MOVING, tissue(MOVING.world_points()))
    inside = (body(FIXED.world_points()) > 0.5).float().reshape(1, 1, *FIXED.shape)
    landmarks = landmark_points(waves, generator)
    truth = deformation(landmarks) @ matrix.T + offset
    return Pair(fixed, moving, Image(max_pool3d(inside, 5, 1, 2)[0, 0] > 0, FIXED), landmarks, truth)
