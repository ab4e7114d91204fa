"""Small volumes with known shapes, and images whose headers are turned."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.searching.rotations import from_vectors
from elastix_impact.searching.search import SearchSettings

SETTINGS = SearchSettings(100, 3.0, 0.5, 4)


def coordinates(size: tuple[int, ...]) -> list[Tensor]:
    """x, y(, z) of a volume's voxels, from its middle, volumes of the reversed size."""
    axes = [torch.arange(n, dtype=torch.float32) - (n - 1) / 2 for n in reversed(size)]
    return list(reversed(torch.meshgrid(*axes, indexing="ij")))


def noisy(values: Tensor, seed: int, scale: float = 0.02) -> Tensor:
    """The volume with Gaussian noise, so that no background is constant."""
    return values + scale * torch.randn(values.shape, generator=torch.Generator().manual_seed(seed))


def image(values: Tensor, spacing: float = 2.0) -> Image:
    """The volume as an image around the origin."""
    size = tuple(values.shape[::-1])
    origin = tuple(-spacing * (n - 1) / 2 for n in size)
    return Image(values, Grid.axis_aligned(size, (spacing,) * len(size), origin))


def blob(size: tuple[int, ...]) -> Tensor:
    """A shape like an L whose arms differ in length and brightness: no two of its poses look alike."""
    places = coordinates(size)
    x, y = places[0], places[1]
    z = places[2] if len(places) == 3 else torch.zeros_like(x)
    near = (z.abs() < size[0] / 6) & (y.abs() < size[1] / 3)
    values = ((x + size[0] / 6).abs() < size[0] / 8) & near
    values = (
        values.float() + 0.6 * (((y + size[1] / 5).abs() < size[1] / 9) & (x.abs() < size[0] / 3) & (z > -2)).float()
    )
    return values + 0.4 * ((x - 5) ** 2 + (y - 4) ** 2 + (z - 3) ** 2 < (size[0] / 8) ** 2).float()


def sphere(size: tuple[int, ...]) -> Tensor:
    """Shells around the middle: all turns look alike."""
    radius = sum(place**2 for place in coordinates(size)).sqrt()  # type: ignore[union-attr]
    return torch.cos(radius / 2) * (radius < min(size) / 2.5)


def discs(size: tuple[int, int, int]) -> Tensor:
    """Equal discs 8 voxels apart along z, to the ends: a shift by one, or a turn about z, looks alike."""
    x, y, z = coordinates(size)
    return ((x**2 + y**2).sqrt() < size[0] / 3).float() * (torch.cos(z * (2 * math.pi / 8)) > 0)


def turned(one: Image, vector: tuple[float, ...], shift: tuple[float, ...]) -> Image:
    """The image with a header that is turned by a rotation vector in degrees and then moved, mm."""
    rotation = from_vectors(torch.tensor([vector], dtype=torch.float64) * (math.pi / 180))[0]
    origin = rotation @ torch.tensor(one.grid.origin, dtype=torch.float64) + torch.tensor(shift, dtype=torch.float64)
    direction = rotation @ torch.tensor(one.grid.direction, dtype=torch.float64)
    rows = tuple(tuple(row) for row in direction.tolist())
    return replace(one, grid=replace(one.grid, origin=tuple(origin.tolist()), direction=rows))


def corner_error(start: object, vector: tuple[float, ...], shift: tuple[float, ...], grid: Grid) -> float:
    """The largest distance in mm, over the corners, between a start and the pose that `turned` made."""
    rotation = from_vectors(torch.tensor([vector], dtype=torch.float64) * (math.pi / 180))[0]
    corners = grid.to_world(
        torch.cartesian_prod(*[torch.tensor([0.0, n - 1.0], dtype=torch.float64) for n in grid.size])
    )
    centre = torch.tensor(start.centre, dtype=torch.float64)  # type: ignore[attr-defined]
    move = torch.tensor(start.translation, dtype=torch.float64)  # type: ignore[attr-defined]
    found = (corners - centre) @ start.rotation.T + centre + move  # type: ignore[attr-defined]
    truth = corners @ rotation.T + torch.tensor(shift, dtype=torch.float64)
    return float((found - truth).norm(dim=1).max())
