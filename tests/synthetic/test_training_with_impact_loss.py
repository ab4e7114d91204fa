"""A network trained with the loss finds what it was never shown."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastix_impact import ImpactLoss, export_mind

SIDE, FARTHEST = 24, 2.0
"""Pixels of the training images, and the largest shift along an axis."""


class ShiftNetwork(nn.Module):
    """Two images in, the shift between them out, in pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(2, 16, 5, 2, 2), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
            nn.Conv2d(32, 32, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(32 * 9, 2),
        )  # fmt: skip

    def forward(self, fixed: Tensor, moving: Tensor) -> Tensor:
        return self.layers(torch.cat([fixed, moving], 1))


def _shifted(images: Tensor, shift: Tensor) -> Tensor:
    affine = torch.cat([torch.eye(2).expand(len(images), 2, 2), (shift * 2 / SIDE)[:, :, None]], 2)
    grid = F.affine_grid(affine, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _two_contrasts(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Fixed images, moving images of another contrast, and the shifts (N, 2) between them in pixels."""
    noise = torch.rand(16, 1, 12, 12, generator=generator)
    moving = F.interpolate(noise, size=(SIDE, SIDE), mode="bicubic", align_corners=True)
    shift = (torch.rand(16, 2, generator=generator) * 2 - 1) * FARTHEST
    return 1 - _shifted(moving, shift) ** 2, moving, shift


def test_a_network_learns_to_register_two_contrasts(tmp_path, generator):
    """Without ever seeing a shift; intensities do not match, MIND's features do."""
    loss = ImpactLoss(export_mind(tmp_path / "mind.pt", 1, 2, 2), "1", "L2")
    network = ShiftNetwork()
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    values = []
    for _ in range(300):
        fixed, moving, _ = _two_contrasts(generator)
        value = loss(_shifted(moving, network(fixed, moving)), fixed)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert sum(values[-20:]) < 0.5 * sum(values[:20])
    network.eval()
    fixed, moving, shift = _two_contrasts(torch.Generator().manual_seed(99))
    error = (network(fixed, moving) - shift).norm(dim=1).mean()
    assert error < 0.3 * shift.norm(dim=1).mean()
