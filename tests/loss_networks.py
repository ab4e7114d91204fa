"""Networks that say what they are given, for the tests of the training loss."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Pyramid(nn.Module):
    """Two layers of smooth convolutions, the second of half the resolution; sees the image alone."""

    def __init__(self, dimension: int, channels: int = 1, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        convolution = nn.Conv3d if dimension == 3 else nn.Conv2d
        self.first, self.second = convolution(channels, 4, 3, 1, 1), convolution(4, 6, 3, 2, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        first = F.softplus(self.first(x))
        return [first, F.softplus(self.second(first))]


class TwoInputs(nn.Module):
    """Says how many layers it was asked for."""

    def forward(self, x: Tensor, nb_layers: Tensor) -> list[Tensor]:
        return [x * nb_layers for _ in range(int(nb_layers))]


class FourInputs(nn.Module):
    """Standardises by the statistics that it is told, and keeps the direction's first row."""

    def forward(self, x: Tensor, nb_layers: Tensor, stats: Tensor, direction: Tensor) -> list[Tensor]:
        told = (x - stats[2]) / stats[3]
        return [
            torch.cat([told, (x - stats[0]) / (stats[1] - stats[0])], 1),
            torch.cat([told, told], 1) * direction[0, 0],
        ]


class SeesBatch(nn.Module):
    """Compares with its whole batch, and counts how often it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> list[Tensor]:
        self.calls += 1
        return [x / x.std()]


class CountsCalls(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> list[Tensor]:
        self.calls += 1
        return [x.square()]
