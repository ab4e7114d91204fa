"""How an exported model scales raw intensities, inside its own `forward`.

Each is a module ``normalize(x, stats)``: `x` (N, C, *spatial) raw intensities, `stats` (4,) minimum, maximum,
mean and standard deviation of the whole image, or empty: then those of `x` count. They are compiled by
TorchScript, hence plain `Tensor` annotations with the shapes in comments.
"""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


@final
class Raw(nn.Module):
    """Intensities as they are."""

    def forward(self, x: Tensor, stats: Tensor) -> Tensor:  # (N, C, *spatial), (4,) or empty
        """The scaled intensities, shaped like `x`."""
        return x


@final
class UnitRange(nn.Module):
    """The whole image's minimum to 0, its maximum to 1."""

    def forward(self, x: Tensor, stats: Tensor) -> Tensor:  # (N, C, *spatial), (4,) or empty
        """The scaled intensities, shaped like `x`."""
        low, high = x.min(), x.max()
        if stats.numel() == 4:
            low, high = stats[0].to(x.device), stats[1].to(x.device)
        return (x - low) / (high - low + 1e-6)


@final
class ZScore(nn.Module):
    """The whole image's mean to 0, its standard deviation to 1 (nnU-Net's ZScoreNormalization without a mask)."""

    def forward(self, x: Tensor, stats: Tensor) -> Tensor:  # (N, C, *spatial), (4,) or empty
        """The scaled intensities, shaped like `x`."""
        mean, deviation = x.mean(), x.std()
        if stats.numel() == 4:
            mean, deviation = stats[2].to(x.device), stats[3].to(x.device)
        return (x - mean) / deviation.clamp_min(1e-8)


@final
class ClippedZScore(nn.Module):
    """Fixed numbers of the training set: clipped, its mean to 0, its standard deviation to 1 (nnU-Net's CT)."""

    low: float
    high: float
    mean: float
    deviation: float

    def __init__(self, low: float, high: float, mean: float, deviation: float) -> None:
        super().__init__()
        self.low, self.high, self.mean, self.deviation = float(low), float(high), float(mean), float(deviation)

    def forward(self, x: Tensor, stats: Tensor) -> Tensor:  # (N, C, *spatial), (4,) or empty
        """The scaled intensities, shaped like `x`."""
        return (x.clamp(self.low, self.high) - self.mean) / max(self.deviation, 1e-8)


@final
class ChannelStandard(nn.Module):
    """The unit range, then a mean and a standard deviation per channel (ImageNet's for RGB networks)."""

    def __init__(
        self, mean: Sequence[float] = IMAGENET_MEAN, deviation: Sequence[float] = IMAGENET_DEVIATION, dimension: int = 2
    ) -> None:
        super().__init__()
        self.unit_range = UnitRange()
        shape = (1, -1, *(1,) * dimension)
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.tensor(mean).view(shape))  # (1, C, 1, 1)
        self.register_buffer("deviation", torch.tensor(deviation).view(shape))

    def forward(self, x: Tensor, stats: Tensor) -> Tensor:  # (N, C, *spatial), (4,) or empty
        """The scaled intensities, shaped like `x`."""
        return (self.unit_range(x, stats) - self.mean) / self.deviation


def check_colour_picture(x: Tensor) -> None:  # (N, 3, y, x)
    """Raise RuntimeError unless `x` is what `ChannelStandard` scales in 2-D; inside a model's `forward`."""
    if x.dim() != 4:
        raise RuntimeError(f"expected 2 spatial axes, got {x.dim() - 2}")
    if x.size(1) != 3:
        raise RuntimeError(f"expected input to have 3 channels, but got {x.size(1)} channels")
