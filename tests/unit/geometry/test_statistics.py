"""What a model is told of an image."""

import pytest
import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image


def test_statistics_are_those_of_all_voxels() -> None:
    """Of 1, 1, 5 and 9: the mean is 4 and the variance 11."""
    image = Image(torch.tensor([[1.0, 5.0], [9.0, 1.0]]), Grid.axis_aligned((2, 2), (1.0, 1.0)))
    assert image.statistics().tolist() == pytest.approx([1.0, 9.0, 4.0, 11**0.5])
