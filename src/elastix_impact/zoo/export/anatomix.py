"""Anatomix, a U-Net trained on synthetic anatomies of every contrast, as a TorchScript feature model.

Dey, Billot, Wong, Wang, Ren, Grant, Dalca, Golland: "Learning General-Purpose Biomedical Volume Representations using
Randomized Synthesis", ICLR 2025. Its weights are numbered by their place in one long sequence, which is built here
again. The code inside `AnatomixFeatures` is compiled by TorchScript, hence plain `Tensor` annotations with the shapes
in comments.
"""

from pathlib import Path
from typing import Final, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .normalization import UnitRange
from .weights import load_weights, read_weights
from .write import write_model

WIDTH, DEPTH, FEATURES = 16, 4, 16
"""Channels at full resolution, halvings, channels of the result."""

SMALLEST = 2
"""Voxels per axis that the deepest level must have: its edges are padded by reflection."""

ONE_LAYER, UNKNOWN = torch.tensor([1]), torch.tensor([])


@final
class AnatomixFeatures(nn.Module):
    """The U-Net's result, 16 channels at full resolution, as the one layer of a feature model.

    Images are filled up at the far ends, by repeating the edge, to a multiple of 16 and at least 32 voxels.
    """

    multiple: Final[int]
    least: Final[int]

    def __init__(self) -> None:
        super().__init__()
        self.multiple, self.least = 2**DEPTH, SMALLEST * 2**DEPTH
        widths = [WIDTH * 2**level for level in range(DEPTH + 1)]
        self.normalize = UnitRange()
        self.stem = _step(1, WIDTH)
        self.encoder = nn.ModuleList(_steps(a, b) for a, b in zip([WIDTH, *widths], widths[:DEPTH]))
        self.bottom = _steps(widths[DEPTH - 1], widths[DEPTH])
        self.decoder = nn.ModuleList(_steps(a + b, b) for a, b in zip(widths[:0:-1], widths[-2::-1]))
        self.last = _convolution(WIDTH, FEATURES)

    def forward(
        self,
        x: Tensor,  # (N, 1, z, y, x) raw intensities
        nb_layers: Tensor = ONE_LAYER,  # () number of layers wanted; there is one
        stats: Tensor = UNKNOWN,  # (4,) min, max, mean, sd of the whole image; empty: of x
        direction: Tensor = UNKNOWN,  # (D, D) direction cosines; not needed
    ) -> list[Tensor]:  # one tensor (N, 16, z, y, x)
        """The layer."""
        if x.dim() != 5:
            raise RuntimeError(f"expected 3 spatial axes, got {x.dim() - 2}")
        depth, height, width = x.size(2), x.size(3), x.size(4)
        x = self.stem(self.filled_up(self.normalize(x, stats)))
        skips: list[Tensor] = []
        for stage in self.encoder:
            skips.append(stage(x))
            x = F.max_pool3d(skips[-1], 2)
        x = self.bottom(x)
        for level, stage in enumerate(self.decoder):
            finer = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = stage(torch.cat([skips[len(skips) - 1 - level], finer], 1))
        return [self.last(x)[:, :, :depth, :height, :width]]

    def filled_up(self, x: Tensor) -> Tensor:
        """`x` with its edge repeated at the far ends, so that every level has whole voxels."""
        ends: list[int] = []
        for axis in range(x.dim() - 1, 1, -1):
            size = max(x.size(axis), self.least)
            ends.append(0)
            ends.append(size + -size % self.multiple - x.size(axis))
        return F.pad(x, ends, mode="replicate") if max(ends) > 0 else x

    def published_names(self) -> dict[str, str]:
        """Per module of this network its name in the published state dict: its place in one sequence."""
        sequence: list[nn.Module | None] = [*self.stem]
        for stage in self.encoder:
            sequence += [*_parts(stage), None]  # pooling
        sequence += _parts(self.bottom)
        for stage in self.decoder:
            sequence += [None, *_parts(stage)]  # upsampling
        sequence.append(self.last)
        places = {id(module): f"model.{place}" for place, module in enumerate(sequence) if module is not None}
        return {name: places[id(module)] for name, module in self.named_modules() if id(module) in places}


def _convolution(channels: int, new_channels: int) -> nn.Conv3d:
    return nn.Conv3d(channels, new_channels, 3, padding="same", padding_mode="reflect", bias=False)


def _step(channels: int, new_channels: int) -> nn.Sequential:
    return nn.Sequential(_convolution(channels, new_channels), nn.BatchNorm3d(new_channels), nn.ReLU())


def _steps(channels: int, new_channels: int) -> nn.Sequential:
    return nn.Sequential(_step(channels, new_channels), _step(new_channels, new_channels))


def _parts(stage: nn.Module) -> list[nn.Module]:
    return [part for step in stage.children() for part in step.children()]


def export_anatomix(checkpoint: Path, path: Path) -> Path:
    """Write Anatomix as a TorchScript feature model.

    Parameters
    ----------
    checkpoint
        The authors' ``anatomix.pth``, a state dict.
    path
        The file to write; its folder is made if need be.

    Returns
    -------
    Path
        `path`. The model takes 3-D images of one channel, raw intensities, of any size, and has one layer of 16
        channels at full resolution.

    Raises
    ------
    ModelError
        If the checkpoint can't be read or is of another network.
    OutputError
        If the file can't be written.
    """
    weights, network = read_weights(checkpoint), AnatomixFeatures()
    ours = {published: name for name, published in network.published_names().items()}
    renamed = {_renamed(name, ours): weight for name, weight in weights.items()}
    load_weights(
        network,
        renamed,
        network_name="U-Net of Anatomix",
        where=str(checkpoint),
        remedy="Use model-weights/anatomix.pth of github.com/neel-dey/anatomix; its other networks can't be exported",
    )
    return write_model(torch.jit.script(network.eval()), path)


def _renamed(name: str, ours: dict[str, str]) -> str:
    """Our name of a published weight; an unknown one stays, for the error to name."""
    module, _, tensor = name.rpartition(".")
    return f"{ours[module]}.{tensor}" if module in ours else name
