"""Which intensities of an image are shown black and white, and the words that say so."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from elastix_impact.geometry.image import Image

LOWEST, HIGHEST = 0.01, 0.995
"""Quantiles of what is shown that become black and white where no named window fits."""

PROBED = 200_000
"""Voxels that are looked at, at most, to tell a CT."""

AIR = -950.0
"""HU; what is darker is air or padding, not the body."""

LUNG_SHARE, BONE_SHARE = 0.2, 0.3
"""Shares of the body in view that make it a picture of the lungs, or of bone."""


@final
@dataclass(frozen=True)
class Window:
    """The intensities that are black and white, and what the choice is called."""

    low: float
    high: float
    name: str
    is_hounsfield: bool = False

    @property
    def words(self) -> str:
        """Name, width and level."""
        unit = " HU" if self.is_hounsfield else ""
        return f"{self.name}, width {_number(self.high - self.low)}, level {_number((self.high + self.low) / 2)}{unit}"


def _centred(width: float, level: float, name: str) -> Window:
    return Window(level - width / 2, level + width / 2, f"CT, {name} window", is_hounsfield=True)


LUNG = _centred(1500, -600, "lung")
SOFT_TISSUE = _centred(400, 40, "soft tissue")
BONE = _centred(2000, 400, "bone")


def windows_of(images: tuple[Image, Image], shown: tuple[Sequence[Tensor], Sequence[Tensor]]) -> tuple[Window, Window]:
    """The windows of the fixed and the moving image; of two CT images it is one and the same.

    Parameters
    ----------
    images
        Fixed and moving, whole.
    shown
        The pixels that are shown of each, any shape; NaN outside the image.
    """
    fixed, moving = (_window(image, _finite(pixels)) for image, pixels in zip(images, shown))
    return fixed, fixed if fixed.is_hounsfield and moving.is_hounsfield else moving


def _window(image: Image, pixels: Tensor) -> Window:
    return ct_window(pixels) if is_hounsfield(image) else percentile_window(pixels)


def is_hounsfield(image: Image) -> bool:
    """Whether the values look like a CT's: from air or padding to bone, with soft tissue around 0."""
    values = image.data.flatten()
    values = values[:: max(1, len(values) // PROBED)]
    soft = ((values > -150) & (values < 150)).double().mean()
    return bool(-4100 < values.min() < AIR + 50 and 100 < values.max() < 40000 and soft > 0.02)


def ct_window(pixels: Tensor) -> Window:
    """The window for what is in view; `pixels` (N,) in HU."""
    body = pixels[pixels > AIR]
    if len(body) == 0:
        return SOFT_TISSUE
    if float((body < -500).double().mean()) > LUNG_SHARE:
        return LUNG
    return BONE if float((body > 250).double().mean()) > BONE_SHARE else SOFT_TISSUE


def percentile_window(pixels: Tensor) -> Window:
    """Robust extremes of `pixels` (N,)."""
    name = "1st to 99.5th percentile of what is shown"
    if len(pixels) == 0:
        return Window(0.0, 1.0, name)
    low, high = pixels.double().quantile(torch.tensor([LOWEST, HIGHEST], dtype=torch.float64)).tolist()
    return Window(low, high if high > low else low + 1, name)


def _finite(pixels: Sequence[Tensor]) -> Tensor:
    values = torch.cat([one.flatten() for one in pixels])
    return values[values.isfinite()]


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
