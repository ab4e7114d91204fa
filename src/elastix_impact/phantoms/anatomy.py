"""A chest made of formulas: its tissues at any point, and the way it breathes.

Points are world points in mm, (N, 3) ordered x, y, z in ITK's LPS frame: +x the patient's left, +y the back,
+z the head. The body's axis is x = y = 0; the chest reaches from z = -100 to +100. Edges are soft over
about `EDGE` mm, so that the image is smooth enough to be sampled at any place.
"""

import math
from collections.abc import Callable, Sequence
from typing import final

import torch
from torch import Tensor

EDGE = 1.6
"""Width in mm over which one tissue becomes another."""

AIR, FAT, MUSCLE, LUNG = -1000.0, -95.0, 48.0, -835.0

Vector = tuple[float, float, float]
Contrast = Callable[[Tensor], Tensor]
"""From Hounsfield units to what an image shows."""


@final
class _Canvas:
    """Intensities at points, painted over tissue by tissue.

    Soft edges mix the tissues' *intensities*, as a voxel on the border of two tissues does.
    """

    def __init__(self, points: Tensor, mottle: Tensor, contrast: Contrast) -> None:
        self.points, self.mottle, self._contrast = points, mottle, contrast
        self.values = contrast(torch.full_like(points[:, 0], AIR))

    def paint(self, share: Tensor, units: float | Tensor, mottle: float = 0.0) -> None:
        """Cover the values by `share` (0 to 1) of a tissue of `units` HU, mottled by as many HU."""
        tissue = self._contrast(torch.as_tensor(units).to(share) + mottle * self.mottle)
        self.values = self.values + share * (tissue - self.values)


def hounsfield(units: Tensor) -> Tensor:
    """The contrast of a CT: tissues show their Hounsfield units."""
    return units


def chest(world_points: Tensor, waves: Tensor, contrast: Contrast = hounsfield) -> Tensor:
    """Intensities (N,) at world points (N, 3).

    Parameters
    ----------
    waves
        From `random_waves`: what mottles the tissues.
    contrast
        What a tissue of some Hounsfield units looks like.
    """
    x, y, z = world_points.unbind(1)
    canvas = _Canvas(world_points, _texture(world_points, waves), contrast)
    canvas.paint(body(world_points), FAT, mottle=6)
    canvas.paint(_wall(x, y, 101, 71), MUSCLE, mottle=8)
    canvas.paint(_ribs(x, y, z), 330)
    cavity = _wall(x, y, 84, 54)
    below_diaphragm = _edge(_diaphragm(x, y) - z)
    above = cavity * (1 - below_diaphragm)
    canvas.paint(above, 35, mottle=6)
    _paint_abdomen(canvas, cavity * below_diaphragm)
    _paint_lungs(canvas, above)
    _paint_heart(canvas, 1 - below_diaphragm)
    _paint_skeleton(canvas)
    return canvas.values


def body(world_points: Tensor) -> Tensor:
    """Share of the body, 0 outside to 1 inside, at world points (N, 3)."""
    x, y, _ = world_points.unbind(1)
    return _wall(x, y, 110, 80)


def motion(world_points: Tensor) -> Tensor:
    """Where tissue at world points (N, 3) moves when the chest breathes in: at most 12 mm, without folding.

    The diaphragm sinks, the front of the chest rises, and a slow wave bends the whole sideways.
    """
    x, y, z = world_points.unbind(1)
    inside = torch.exp(-(((x / 92) ** 2 + (y / 66) ** 2) ** 2))
    down = -10.0 * inside * torch.exp(-(((z + 28) / 62) ** 2))
    forward = -4.5 * torch.exp(-(((y + 55) / 45) ** 2) - (x / 75) ** 2 - ((z + 5) / 70) ** 2)
    sideways = 2.5 * torch.sin(2 * math.pi * (y + z) / 190) * torch.exp(-((x / 105) ** 2))
    return world_points + torch.stack([sideways, forward, down], dim=1)


def inverse_motion(world_points: Tensor) -> Tensor:
    """The tissue (N, 3) that `motion` takes to `world_points`, to a thousandth of a mm."""
    tissue = world_points
    for _ in range(30):
        tissue = tissue + world_points - motion(tissue)
    return tissue


def random_waves(generator: torch.Generator, count: int = 24) -> Tensor:
    """Plane waves (count, 4) of 8 to 30 mm for the texture of `chest`: a wave vector in 1/mm and a phase."""
    direction = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator, dtype=torch.float64), dim=1)
    length = 8 + 22 * torch.rand(count, 1, generator=generator, dtype=torch.float64)
    phase = torch.rand(count, 1, generator=generator, dtype=torch.float64)
    return 2 * math.pi * torch.cat([direction / length, phase], dim=1)


def _texture(world_points: Tensor, waves: Tensor) -> Tensor:
    """A smooth random field (N,) of unit variance."""
    waves = waves.to(world_points)
    return torch.cos(world_points @ waves[:, :3].T + waves[:, 3]).sum(1) * math.sqrt(2 / len(waves))


def _edge(distance: Tensor) -> Tensor:
    """0 to 1 where a signed distance in mm goes from negative to positive."""
    return torch.sigmoid(4 * distance / EDGE)


def _ellipsoid(world_points: Tensor, centre: Vector, radii: Vector) -> Tensor:
    """Share of an ellipsoid (mm)."""
    scaled = (world_points - world_points.new_tensor(centre)) / world_points.new_tensor(radii)
    return _edge((1 - scaled.norm(dim=1)) * min(radii))


def _wall(x: Tensor, y: Tensor, half_width: float, half_depth: float) -> Tensor:
    """Share of a column along z with a rounded-box cross-section, half axes in mm."""
    radius = ((x / half_width).abs() ** 2.4 + (y / half_depth).abs() ** 2.4) ** (1 / 2.4)
    return _edge((1 - radius) * half_depth)


def _tube(world_points: Tensor, path: Sequence[Vector], radii: Sequence[float]) -> Tensor:
    """Share of a tube along the points of `path` (mm) whose radius changes from point to point."""
    share = torch.zeros_like(world_points[:, 0])
    for start, end, first, last in zip(path[:-1], path[1:], radii[:-1], radii[1:]):
        a = world_points.new_tensor(start)
        along = world_points.new_tensor(end) - a
        place = (((world_points - a) @ along) / along.square().sum()).clamp(0, 1)
        distance = (world_points - a - place[:, None] * along).norm(dim=1)
        share = torch.maximum(share, _edge(first + (last - first) * place - distance))
    return share


def _diaphragm(x: Tensor, y: Tensor) -> Tensor:
    """Height z in mm of the diaphragm: two domes, the right one (over the liver) higher."""
    right = 34 * torch.exp(-(((x + 44) / 38) ** 2) - ((y + 5) / 42) ** 2)
    left = 26 * torch.exp(-(((x - 48) / 34) ** 2) - ((y + 2) / 42) ** 2)
    return right + left - 62


def _ribs(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Twelve pairs of hoops in the chest wall, sloping down to the front."""
    ring = _wall(x, y, 95, 65) * (1 - _wall(x, y, 88.5, 58.5))
    height = (z - 0.45 * y + 12.5) % 25 - 12.5
    front_gap = _edge(y + 60 - 8 * (x / 40) ** 2)
    return ring * _edge(4.5 - height.abs()) * front_gap


def _paint_abdomen(canvas: _Canvas, share: Tensor) -> None:
    points = canvas.points
    canvas.paint(share, FAT, mottle=8)
    for centre, radii, units in (
        ((-40, -6, -78), (58, 54, 52), 112),  # liver
        ((62, 26, -76), (24, 28, 36), 125),  # spleen
        ((34, -14, -80), (44, 38, 42), 25),  # stomach
    ):
        canvas.paint(share * _ellipsoid(points, centre, radii), units, mottle=9)
    canvas.paint(share * _ellipsoid(points, (36, -32, -66), (24, 13, 20)), -930)  # gas in the stomach
    canvas.paint(share * _tube(points, [(-14, 2, -58), (-34, -4, -72), (-62, -2, -84)], [4.0, 3.5, 2.0]), 165)


def _paint_lungs(canvas: _Canvas, share: Tensor) -> None:
    points = canvas.points
    for side in (-1, 1):
        lung = share * _ellipsoid(points, (46.0 * side, 4, 0), (35, 50, 118))
        canvas.paint(lung, LUNG + 0.7 * points[:, 1], mottle=16)
        nearby = (lung > 1e-3).nonzero().flatten()
        canvas.paint(lung * torch.zeros_like(lung).index_add(0, nearby, _vessels(points[nearby], side)), 55)
    canvas.paint(_tube(points, [(0, 2, 105), (0, 6, 38)], [9.0, 8.0]), -985)
    for side in (-1, 1):
        bronchus = _tube(points, [(0, 6, 38), (26.0 * side, 8, 14), (42.0 * side, 16, -18)], [6.5, 5.0, 2.5])
        canvas.paint(bronchus, -960)


def _vessels(points: Tensor, side: int) -> Tensor:
    """Share of one lung's vessels: branches that fan out of the hilum and fork into three."""
    hilum = (22.0 * side, 2.0, 4.0)
    share = torch.zeros_like(points[:, 0])
    for k in range(22):
        turn = 2.4 * k  # close to the golden angle: no two branches point the same way
        reach = 0.65 + 0.35 * ((7 * k) % 22) / 22
        out, back, up = 13 + 7 * math.sin(0.9 * k), 24 * reach * math.cos(turn), 46 * reach * math.sin(turn)
        fork = (hilum[0] + side * out, hilum[1] + back, hilum[2] + up)
        share = torch.maximum(share, _tube(points, [hilum, fork], [4.2, 2.7]))
        for spread in (-1, 0, 1):
            tip = (
                fork[0] + side * (11 + 7 * spread),
                fork[1] + 0.6 * back + 8 * spread,
                fork[2] + 0.6 * up - 9 * spread,
            )
            share = torch.maximum(share, _tube(points, [fork, tip], [2.7, 1.2]))
    return share


def _paint_heart(canvas: _Canvas, share: Tensor) -> None:
    points = canvas.points
    canvas.paint(share * _ellipsoid(points, (14, -16, -16), (49, 37, 45)), FAT)
    canvas.paint(share * _ellipsoid(points, (14, -16, -16), (46, 34, 42)), 85, mottle=5)
    for centre, radii in (((30, -10, -22), (20, 17, 26)), ((-8, -26, -14), (17, 14, 24)), ((6, 6, 4), (24, 11, 16))):
        canvas.paint(share * _ellipsoid(points, centre, radii), 190)
    aorta = [(0.0, -16, 16), (4, -18, 52), (10, 4, 64), (18, 34, 52), (18, 42, 20), (14, 42, -110)]
    canvas.paint(_tube(points, aorta, [14, 14, 13, 12, 11, 10]), 200)
    canvas.paint(_tube(points, [(-24, -10, 110), (-22, -8, 20)], [9, 9]), 160)  # superior vena cava


def _paint_skeleton(canvas: _Canvas) -> None:
    x, y, z = canvas.points.unbind(1)
    height = (z + 11) % 27 - 13.5
    vertebra = ((x / 20) ** 2 + ((y - 50) / 15) ** 2).sqrt()
    column = _edge((1 - vertebra) * 15)
    bone = 1 - _edge(height.abs() - 10.5)
    canvas.paint(column, 80)  # discs
    canvas.paint(column * bone, 190 + 260 * _edge((vertebra - 0.82) * 15))
    arch = ((x / 17) ** 2 + ((y - 68) / 12) ** 2).sqrt()
    canvas.paint(_edge((1 - arch) * 12) * bone, 380)
    canal = ((x / 10) ** 2 + ((y - 67) / 7.5) ** 2).sqrt()
    canvas.paint(_edge((1 - canal) * 7.5), 25)
    sternum = ((x / 15) ** 2 + ((y + 63) / 5) ** 2).sqrt()
    canvas.paint(_edge((1 - sternum) * 5) * _edge(z + 35), 260)
