"""What is known of the inputs of a run from their headers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

from elastix_impact.errors import ImageError
from elastix_impact.io.image_size import ImageSize, image_size

ROLES = ("fixed image", "moving image", "fixed mask", "moving mask", "fixed labels", "moving labels")
"""What an image may be in a case."""


@final
@dataclass(frozen=True)
class PairSizes:
    """The sizes of the images of a run; None where one was not given."""

    fixed: ImageSize
    moving: ImageSize
    fixed_mask: ImageSize | None = None
    moving_mask: ImageSize | None = None
    fixed_labels: ImageSize | None = None
    moving_labels: ImageSize | None = None

    @staticmethod
    def of(files: Mapping[str, Path]) -> "PairSizes":
        """Those of the files of a case, by their roles as `Case.input_files` names them.

        Raises
        ------
        ImageError
            If a header can't be read, or the images differ in dimension.
        """
        sizes = {role: image_size(path) for role, path in files.items() if role in ROLES}
        pair = PairSizes(**{role.replace(" image", "").replace(" ", "_"): size for role, size in sizes.items()})
        if pair.moving.grid.dimension != pair.dimension:
            raise ImageError(
                f"has {pair.moving.grid.dimension} dimensions, the fixed image {pair.dimension}",
                where=str(files["moving image"]),
            )
        return pair

    @property
    def dimension(self) -> int:
        """Of the fixed image."""
        return self.fixed.grid.dimension

    @property
    def held_bytes(self) -> int:
        """What the inputs take once they are read: float32 images, bool masks, int64 labels."""
        images = 4 * (self.fixed.voxels + self.moving.voxels)
        masks = (self.fixed if self.fixed_mask else None, self.moving if self.moving_mask else None)
        return images + _sum(masks) + 8 * _sum((self.fixed_labels, self.moving_labels))

    @property
    def reading_bytes(self) -> int:
        """The most that reading takes beside what is held at the end.

        ITK's image and numpy's copy of it; for the type wanted a copy that is held in the end; a flag per voxel.
        """
        given = (self.fixed, self.moving, self.fixed_mask, self.moving_mask, self.fixed_labels, self.moving_labels)
        return max(one.voxels * (2 * one.voxel_bytes + 1) for one in given if one is not None)


def _sum(sizes: tuple[ImageSize | None, ...]) -> int:
    return sum(one.voxels for one in sizes if one is not None)
