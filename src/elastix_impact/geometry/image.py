"""An image: numbers on a grid."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from elastix_impact.errors import ImageError

from .grid import Grid, Row


@final
@dataclass(frozen=True, eq=False)
class Image:
    """A scalar image or mask on its grid.

    Parameters
    ----------
    data
        Intensities, shape `grid.shape` = (z, )y, x. Images are float32, masks bool.
    grid
        Where the voxels lie.
    name
        What messages call it, usually the file's path.
    pixel_type
        ITK's name of the file's component type (``"short"``, ``"float"``, ...), for results of the same type.
    """

    data: Tensor
    grid: Grid
    name: str = "image"
    pixel_type: str = "float"

    def __post_init__(self) -> None:
        if tuple(self.data.shape) != self.grid.shape:
            raise ImageError(
                f"data of shape {tuple(self.data.shape)} do not fit a grid of size {self.grid.size} (x, y, z)",
                where=self.name,
                expected=f"shape {self.grid.shape}, axes in the order z, y, x",
            )

    def to(self, device: torch.device | str) -> "Image":
        """The image on `device`."""
        return Image(self.data.to(device), self.grid, self.name, self.pixel_type)

    def shifted(self, offset: Row) -> "Image":
        """The image on a grid moved by `offset` in mm."""
        return Image(self.data, self.grid.shifted(offset), self.name, self.pixel_type)

    def padded(self, voxels: Sequence[int], value: float) -> "Image":
        """The image with so many further voxels of a value at both ends of its axes x, y(, z)."""
        data = F.pad(self.data, [n for n in voxels for _ in range(2)], value=value)
        return Image(data, self.grid.padded(voxels), self.name, self.pixel_type)

    def without_direction(self) -> "Image":
        """The image as UseDirectionCosines "false" sees it: its axes are those of the world."""
        return replace(self, grid=self.grid.without_direction())

    def statistics(self) -> Tensor:
        """Minimum, maximum, mean and (population) standard deviation of all voxels, float32 (4,)."""
        values = self.data.double()
        return torch.stack([values.min(), values.max(), values.mean(), values.std(correction=0)]).float()
