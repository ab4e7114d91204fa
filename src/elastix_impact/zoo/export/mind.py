"""MIND with the self-similarity context, as a TorchScript model made from code: no weights, no download.

Heinrich, Jenkinson, Papiez, Brady, Schnabel: "Towards realtime multimodal fusion for image-guided
interventions using self-similarities", MICCAI 2013. The code inside `_MindSsc` is compiled by TorchScript,
hence plain `Tensor` annotations with the shapes in comments.
"""

import re
from pathlib import Path
from typing import Final, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastix_impact.errors import InputError

from .write import write_model

Step = tuple[int, int, int]

ONE_LAYER, UNKNOWN = torch.tensor([1]), torch.tensor([])

FACES: tuple[Step, ...] = ((-1, 0, 0), (0, 0, -1), (0, -1, 0), (0, 0, 1), (1, 0, 0), (0, 1, 0))
"""Steps (z, y, x) to the six face neighbours, in the order that fixes the order of the channels."""


def neighbour_pairs(dimension: int) -> list[tuple[list[int], list[int]]]:
    """The pairs of face neighbours that touch along an edge, one pair per channel: 12 in 3-D, 4 in 2-D.

    Steps are ordered (z, )y, x. Opposite neighbours make no pair; the later of `FACES` comes first.
    """
    steps = [list(step[3 - dimension :]) for step in FACES if dimension == 3 or step[0] == 0]
    return [
        (later, earlier)
        for position, later in enumerate(steps)
        for earlier in steps[:position]
        if sum((a - b) ** 2 for a, b in zip(earlier, later)) == 2
    ]


@final
class _MindSsc(nn.Module):
    """Self-similarity context descriptor of a one-channel image."""

    dimension: Final[int]
    radius: Final[int]
    dilation: Final[int]
    first: list[list[int]]
    second: list[list[int]]

    def __init__(self, radius: int, dilation: int, dimension: int) -> None:
        super().__init__()
        self.dimension, self.radius, self.dilation = dimension, radius, dilation
        pairs = neighbour_pairs(dimension)
        self.first, self.second = [a for a, _ in pairs], [b for _, b in pairs]

    def forward(
        self,
        x: Tensor,  # (N, 1, *spatial) raw intensities
        nb_layers: Tensor = ONE_LAYER,  # () number of layers wanted; there is one
        stats: Tensor = UNKNOWN,  # (4,) min, max, mean, sd of the whole image; empty: of x
        direction: Tensor = UNKNOWN,  # (D, D) direction cosines; not needed
    ) -> list[Tensor]:  # one tensor (N, pairs, *spatial), values in (0, 1]
        if x.dim() != self.dimension + 2:
            raise RuntimeError(f"expected {self.dimension} spatial axes, got {x.dim() - 2}")
        if x.size(1) != 1:
            raise RuntimeError(f"expected input to have 1 channels, but got {x.size(1)} channels")
        low, high = x.min(), x.max()
        if stats.numel() == 4:
            low, high = stats[0], stats[1]
        distances = self.patch_distances((x - low) / (high - low + 1e-6))
        distances = distances - distances.amin(1, keepdim=True)
        spread = distances.mean(1, keepdim=True)
        typical = spread.mean()
        spread = torch.maximum(torch.minimum(spread, typical * 1000), typical * 0.001)
        return [torch.exp(-distances / spread.clamp_min(1e-12))]  # a constant image has no spread at all

    def patch_distances(self, x: Tensor) -> Tensor:
        """Mean squared difference of the patches around each pair of neighbours, (N, pairs, *spatial)."""
        margin = self.dilation
        wide = F.pad(x, [margin, margin] * self.dimension, mode="replicate")
        squares: list[Tensor] = []
        for a, b in zip(self.first, self.second):
            squares.append((self.neighbours(wide, a) - self.neighbours(wide, b)).square())
        window = 2 * self.radius + 1
        padded = F.pad(torch.cat(squares, 1), [self.radius, self.radius] * self.dimension, mode="replicate")
        if self.dimension == 3:
            return F.avg_pool3d(padded, window, stride=1)
        return F.avg_pool2d(padded, window, stride=1)

    def neighbours(self, wide: Tensor, step: list[int]) -> Tensor:
        """Every voxel's neighbour `dilation` steps away: a window into the image padded by as much."""
        for axis in range(self.dimension):
            length = wide.size(axis + 2) - 2 * self.dilation
            wide = wide.narrow(axis + 2, self.dilation * (1 + step[axis]), length)
        return wide


def export_mind(path: Path | str, radius: int, dilation: int, dimension: int) -> Path:
    """Write a MIND-SSC model as TorchScript.

    Parameters
    ----------
    path
        The file to write; its folder is made if need be.
    radius
        Patches are boxes of ``2 * radius + 1`` voxels per axis, at least 1.
    dilation
        Distance of the neighbours in voxels, at least 1.
    dimension
        2 or 3.

    Returns
    -------
    Path
        `path`. The model has one layer, 12 channels in 3-D or 4 in 2-D, at the resolution of its input.

    Raises
    ------
    InputError
        If a number is out of range.
    OutputError
        If the file can't be written.
    """
    if radius < 1 or dilation < 1 or dimension not in (2, 3):
        raise InputError(
            f"MIND can't have radius {radius}, dilation {dilation} and dimension {dimension}",
            expected="radius and dilation of at least 1, dimension 2 or 3",
        )
    scripted = torch.jit.script(_MindSsc(radius, dilation, dimension).eval())
    return write_model(scripted, path)


def mind_file_name(radius: int, dilation: int, dimension: int) -> str:
    """The published name of a MIND model, e.g. ``"R1D2_3D.pt"``."""
    return f"R{radius}D{dilation}_{dimension}D.pt"


def mind_settings(file_name: str) -> tuple[int, int, int] | None:
    """Radius, dilation and dimension in the published name of a MIND model; None if it is no such name."""
    found = re.fullmatch(r"R([12])D([12])_([23])D\.pt", file_name)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))
