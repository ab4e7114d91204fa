"""What FeatureSearch takes: features of a batch of turned lattices, and their Fourier transforms."""

import math

from elastix_impact.geometry.grid import Grid
from elastix_impact.parameters.plan import SearchPlan
from elastix_impact.searching.correlation import wide_enough
from elastix_impact.searching.scan import BATCH
from elastix_impact.searching.search import LARGER, LONGEST, SMALLER

CHANNELS = {2: 4 + 2, 3: 12 + 2}
"""MIND's, and energy and seen region."""

FFT_LIBRARY = 48 << 20
"""Code and tables of the library for Fourier transforms, once it is used."""

SECONDS = {2: 2.0, 3: 12.0}
"""Measured 11 to 16 s (3-D) and 2 s (2-D) on the reference machine, whatever the images: the lattices are alike."""


def search_bytes(plan: SearchPlan, fixed: Grid, moving: Grid) -> float:
    """Bytes beside what is held."""
    dimension = fixed.dimension
    sides = sorted(math.prod(grid.extent) ** (1 / dimension) for grid in (fixed, moving))
    diagonal = math.hypot(*moving.extent)
    # As `search` chooses it, for regions that are the whole images.
    found = max(sides[0] / SMALLER[dimension], sides[1] / LARGER[dimension], diagonal / LONGEST[dimension])
    voxel = plan.voxel_size or found
    # The moving lattice holds the image however it lies: its sides are about the diagonal.
    moving_size = (max(3, round(0.9 * diagonal / voxel)),) * dimension
    fixed_size = tuple(max(3, round(length / voxel)) for length in fixed.extent)
    places = math.prod(wide_enough(fixed_size, moving_size, plan.minimum_overlap))
    channels, lattice = CHANNELS[dimension], math.prod(moving_size)
    # Padded float32, and complex64 of half the places: 8 bytes per channel and place; products and their inverse: 32.
    fourier = BATCH * places * (8 * channels + 32)
    # Squares, their sums, features and masked features of a batch, float32.
    features = BATCH * lattice * 4 * channels * 4
    # Each image cut to what was seen, and what was seen, float32; a smoothed copy of the larger one.
    regions = 8 * (fixed.number_of_voxels + moving.number_of_voxels) + 4 * max(
        fixed.number_of_voxels, moving.number_of_voxels
    )
    return fourier + features + regions + FFT_LIBRARY
