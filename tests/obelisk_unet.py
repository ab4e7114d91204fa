"""The U-Net behind `weights/obelisk-unet-abdomen` of the shared folder, built from its state dict."""

from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LAYERS = ["conv0", "encoder.0", "encoder.1", "encoder.2", "output"]
"""The layers that the TorchScript file beside the weights returns."""


class ObeliskUNet(nn.Module):
    """Five halvings, trilinear upsampling to the skip's size, nine classes (Heinrich, Medical Image Analysis 2019)."""

    def __init__(self) -> None:
        super().__init__()
        down, up = [5, 14, 28, 42, 56, 70], [(126, 56), (98, 42), (70, 28), (42, 14), (19, 9)]
        self.conv0 = _step(1, 5)
        self.encoder = nn.ModuleList(nn.Sequential(*_step(a, b, stride=2), *_step(b, b)) for a, b in pairwise(down))
        self.decoder = nn.ModuleList(_step(a, b) for a, b in up)
        self.last = nn.Conv3d(9, 9, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        skips = [self.conv0(x)]
        for stage in self.encoder:
            skips.append(stage(skips[-1]))
        x = skips.pop()
        for stage in self.decoder:
            skip = skips.pop()
            x = stage(torch.cat([F.interpolate(x, size=skip.shape[2:], mode="trilinear"), skip], 1))
        return self.last(x)


def _step(channels: int, new_channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(channels, new_channels, 3, stride, padding=1),
        nn.BatchNorm3d(new_channels),
        nn.LeakyReLU(0.1, inplace=True),
    )


def trained_obelisk_unet(path: Path) -> ObeliskUNet:
    """The network with the weights of a file: their order is that in which its layers are made."""
    network = ObeliskUNet()
    weights = torch.load(path, weights_only=True, map_location="cpu")
    names = [name for name in network.state_dict() if not name.endswith("num_batches_tracked")]
    network.load_state_dict(dict(zip(names, weights.values(), strict=True)), strict=False)
    return network.eval()
