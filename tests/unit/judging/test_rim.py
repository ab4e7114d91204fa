"""The padding outside a round field of view is no edge that must agree."""

import numpy as np
import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.judging.guarding import judge_stage
from elastix_impact.judging.witness import Witness
from elastix_impact.transforms.translation import TranslationTransform

GRID = Grid.axis_aligned((40, 38, 26), (2.5, 2.5, 3.0), (-48.75, -46.25, -37.5))


def _round_ct(motion: tuple[float, float, float]) -> Image:
    """Blobs, moved, in a field of view that does not move, with -2000 around it."""
    random = np.random.default_rng(1)
    places = GRID.world_points().numpy()
    centres, heights, widths = (
        random.uniform(-45, 45, (40, 3)),
        random.uniform(300, 1300, 40),
        random.uniform(5, 14, 40),
    )
    apart = [((places - np.array(motion) - centre) ** 2).sum(1) for centre in centres]
    values = sum(h * np.exp(-d / (2 * w * w)) for h, d, w in zip(heights, apart, widths)) - 1000
    values = np.where(places[:, 0] ** 2 + places[:, 1] ** 2 < 43**2, values, -2000)
    return Image(torch.from_numpy(values).float().reshape(GRID.shape), GRID)


def test_a_stage_that_moves_the_body_and_not_the_rim_is_kept() -> None:
    motion = (5.0, -4.0, 3.0)
    found = TranslationTransform(torch.tensor(motion, dtype=torch.float64))
    still = TranslationTransform(torch.zeros(3, dtype=torch.float64))
    witness = Witness.of(_round_ct((0.0, 0.0, 0.0)), _round_ct(motion))
    assert judge_stage(witness, None, found).kept
    assert not judge_stage(witness, found, still).kept
