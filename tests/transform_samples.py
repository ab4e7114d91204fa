"""Transforms and grids for tests of files: oblique, flipped, anisotropic, two metres from the origin."""

import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.transforms.affine import AffineLogTransform, AffineTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.euler import EulerTransform
from elastix_impact.transforms.lattice import required_lattice
from elastix_impact.transforms.similarity import SimilarityTransform
from elastix_impact.transforms.translation import TranslationTransform

FAR = (1990.0, -55.5, -2004.0)
GRIDS = {
    "axis aligned": Grid.axis_aligned((20, 24, 16), (2.0, 2.0, 2.0), FAR),
    "oblique anisotropic": Grid(
        (20, 24, 16), (1.5, 2.0, 3.5), FAR, ((0.8, -0.6, 0.0), (0.48, 0.64, -0.6), (0.36, 0.48, 0.8))
    ),
    "flipped": Grid((20, 24, 16), (1.5, 2.0, 3.5), FAR, ((-1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0))),
    "2d": Grid((30, 24), (1.5, 2.0), (1990.0, -55.5), ((0.8, -0.6), (0.6, 0.8))),
}


def samples(grid):
    """One transform of every kind for images on `grid`, by name; the motion is some millimetres."""
    generator = torch.Generator().manual_seed(7)

    def random(count, scale):
        return (torch.rand(count, generator=generator, dtype=torch.float64) - 0.5) * 2 * scale

    d, centre = grid.dimension, grid.centre
    angles = random(3 if d == 3 else 1, 0.1)
    matrix = torch.eye(d, dtype=torch.float64).flatten()
    one = torch.ones(1, dtype=torch.float64)
    kinds = {
        "translation": TranslationTransform(random(d, 5)),
        "euler": EulerTransform(torch.cat([angles, random(d, 5)]), centre),
        "affine": AffineTransform(torch.cat([matrix + random(d * d, 0.05), random(d, 5)]), centre),
        "affine log": AffineLogTransform(torch.cat([random(d * d, 0.05), random(d, 5)]), centre),
        "similarity": SimilarityTransform(
            torch.cat([angles, random(d, 5), one * 1.05] if d == 3 else [one * 1.05, angles, random(d, 5)]), centre
        ),
    }
    if d == 3:
        kinds["euler zyx"] = EulerTransform(torch.cat([angles, random(d, 5)]), centre, True)
    for order in (1, 2, 3):
        lattice = required_lattice(grid, (14.0, 12.0, 16.0)[:d], order)
        kinds[f"spline {order}"] = BSplineTransform(random(d * lattice.number_of_voxels, 4), lattice, order, order == 2)
    return kinds


def points_inside(grid, count=200):
    """World points in the image, a voxel away from its border."""
    generator = torch.Generator().manual_seed(3)
    size = torch.tensor(grid.size, dtype=torch.float64) - 3
    return grid.to_world(torch.rand(count, grid.dimension, generator=generator, dtype=torch.float64) * size + 1)


TURNED = {2: ((0.8, -0.6), (0.6, 0.8)), 3: ((0.8, -0.6, 0.0), (0.6, 0.8, 0.0), (0.0, 0.0, -1.0))}
"""Directions of `turned_spline` and of what is parallel to it."""


def turned_spline(dimension, order, size, generator):
    """A spline on few turned control points whose coefficients are random, up to `size` / 2 mm."""
    control = Grid((8, 7, 6)[:dimension], (5.0, 6.0, 7.0)[:dimension], (3.0, -2.0, 1.0)[:dimension], TURNED[dimension])
    noise = torch.rand(dimension * control.number_of_voxels, generator=generator, dtype=torch.float64)
    return BSplineTransform((noise - 0.5) * size, control, order)
