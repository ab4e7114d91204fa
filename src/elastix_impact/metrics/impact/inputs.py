"""What both modes of IMPACT compare, and with which models."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch

from elastix_impact.geometry.image import Image

from .features import ModelInput
from .layers import LayerComparison


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class ImpactInputs:
    """The images and models of one level.

    Attributes
    ----------
    fixed, moving
        The level's images, in the loop's frame and on its device.
    moving_mask
        Where the moving image counts, or None.
    fixed_models, moving_models
        The models; both sides must select the same number of layers with the same channels.
    layers
        One comparison per selected layer, models in order.
    image_order
        Interpolation order of the moving image, and in Static mode of both images.
    generator
        Draws the channel subsets, and in Jacobian mode the planes of 2-D models.
    """

    fixed: Image
    moving: Image
    moving_mask: Image | None
    fixed_models: Sequence[ModelInput]
    moving_models: Sequence[ModelInput]
    layers: Sequence[LayerComparison]
    image_order: int
    generator: torch.Generator
