"""How the axes of an image lie to those that a network was trained on, inside an exported model's own `forward`.

Compiled by TorchScript, hence plain `Tensor` annotations with the shapes in comments.
"""

from collections.abc import Sequence
from itertools import permutations
from typing import Final, Literal, final

import torch
from torch import Tensor, nn

Orientation = Literal["canonical", "lps", "as_is"]

WORLD_SIGNS: dict[str, tuple[float, ...]] = {"canonical": (-1.0, -1.0, 1.0), "lps": (1.0, 1.0, 1.0), "as_is": ()}
"""Per orientation which way its axes x, y, z run in ITK's world (LPS): 1 along it, -1 against it.

``"canonical"`` is nibabel's RAS+, which TotalSegmentator brings every image to. ``"lps"`` is what MRSegmentator brings
it to; an image whose direction is the identity lies so already. ``"as_is"``: the image's own axes.
"""


@final
class NetworkAxes(nn.Module):
    """Finds by which permutation and flips a network sees an image the way that it was trained.

    The image's axes are taken along the world's by the nearest signed permutation of its direction, flipped to
    the orientation, and brought into nnU-Net's order.

    Parameters
    ----------
    orientation
        See `WORLD_SIGNS`.
    transpose
        nnU-Net's ``transpose_forward`` over the axes (z, )y, x: axis i of the network is axis ``transpose[i]``.
    """

    dimension: Final[int]
    signs: list[float]
    transpose: list[int]
    arrangements: list[list[int]]

    def __init__(self, orientation: Orientation, transpose: Sequence[int]) -> None:
        super().__init__()
        self.dimension = len(transpose)
        self.signs = list(WORLD_SIGNS[orientation])
        self.transpose = list(transpose)
        self.arrangements = [list(order) for order in permutations(range(self.dimension))]

    def forward(self, direction: Tensor) -> tuple[list[int], list[int]]:  # (D, D) direction cosines, or empty
        """How to turn an image (N, C, *spatial): its axes in the network's order, then the axes to flip.

        A 2-D network on the slices of a 3-D image takes their plane. A direction that is empty, or of another
        dimension, or of slices along another axis than z, leaves the image's own axes.
        """
        cosines: list[list[float]] = []
        if direction.dim() == 2 and len(self.signs) > 0:
            cosines = numbers(direction)
        if len(cosines) == 3 and self.dimension == 2 and cosines[2][2] != 0.0:
            cosines = [cosines[0][:2], cosines[1][:2]]
        known = len(cosines) == self.dimension
        image_axes = self.image_axes(cosines) if known else self.arrangements[0]
        order, flips = [0, 1], [0][:0]
        for place, axis in enumerate(self.transpose):
            world = self.dimension - 1 - axis
            order.append(self.dimension + 1 - image_axes[world])
            if known and cosines[world][image_axes[world]] * self.signs[world] < 0.0:
                flips.append(place + 2)
        return order, flips

    def image_axes(self, cosines: list[list[float]]) -> list[int]:
        """Per world axis x, y(, z) the image's axis that runs along it, so that they align best in all."""
        best, nearest = -1.0, self.arrangements[0]
        for arrangement in self.arrangements:
            aligned = 0.0
            for world, axis in enumerate(arrangement):
                aligned += abs(cosines[world][axis])
            if aligned > best:
                best, nearest = aligned, arrangement
        return nearest


def numbers(matrix: Tensor) -> list[list[float]]:  # (D, D)
    """The rows of a matrix as Python numbers."""
    rows: list[list[float]] = matrix.to(torch.float32).tolist()
    return rows


def turned(x: Tensor, order: list[int], flips: list[int]) -> Tensor:
    """An image or layer (N, C, *spatial) as the network sees it."""
    x = x.permute(order)
    return x.flip(flips) if len(flips) > 0 else x


def turned_back(x: Tensor, order: list[int], flips: list[int]) -> Tensor:
    """The inverse of `turned`: a layer along the image's own axes."""
    if len(flips) > 0:
        x = x.flip(flips)
    inverse = [0] * len(order)
    for place, axis in enumerate(order):
        inverse[axis] = place
    return x.permute(inverse)
