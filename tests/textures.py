"""Smooth random textures on one grid, and simple transforms of it, for tests of what images say."""

import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.pyramid import smooth
from elastix_impact.transforms.affine import AffineTransform
from elastix_impact.transforms.translation import TranslationTransform

GRID = Grid.axis_aligned((40, 36, 32), (2.0, 2.0, 2.0), (-30.0, 12.0, 100.0))


def texture(seed: int) -> Image:
    """Blobs of about 4 mm; another seed gives unrelated ones."""
    values = torch.randn(GRID.shape, generator=torch.Generator().manual_seed(seed))
    return Image(smooth(values, (2.0, 2.0, 2.0)) * 1000, GRID, f"texture {seed}")


def shift(x: float, y: float, z: float) -> TranslationTransform:
    """A translation in mm."""
    return TranslationTransform(torch.tensor([x, y, z], dtype=torch.float64))


def scaled(*factors: float) -> AffineTransform:
    """Scales about the middle of the grid."""
    matrix = torch.diag(torch.tensor(factors, dtype=torch.float64))
    return AffineTransform(torch.cat([matrix.flatten(), torch.zeros(3, dtype=torch.float64)]), GRID.centre)
