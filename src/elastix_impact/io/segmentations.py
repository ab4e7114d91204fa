"""Segmentations from files: one whole number per structure."""

from pathlib import Path

from elastix_impact.errors import ImageError
from elastix_impact.geometry.image import Image

from .images import read_labels


def read_label_pair(fixed: Path, moving: Path) -> tuple[Image, Image]:
    """Two segmentations, integers.

    Raises
    ------
    ImageError
        If a file can't be read, its values are no whole numbers, or the two differ in dimension.
    """
    pair = read_segmentation(fixed), read_segmentation(moving)
    if pair[0].grid.dimension != pair[1].grid.dimension:
        raise ImageError(
            f"labels of {pair[1].grid.dimension} dimensions beside those of {pair[0].grid.dimension}",
            where=str(moving),
            remedy="Give the segmentations of the two images that are registered",
        )
    return pair


def read_segmentation(path: Path) -> Image:
    """A segmentation, integers; its `pixel_type` is that of the file.

    Raises
    ------
    ImageError
        If the file can't be read, or its values are no whole numbers.
    """
    labels = read_labels(path)
    if not labels.data.is_floating_point():
        return labels
    if not bool((labels.data == labels.data.round()).all()):
        raise ImageError(
            "the labels are no whole numbers",
            where=labels.name,
            expected="a segmentation: one whole number per structure",
            remedy="Give the segmentation, resampled with nearest neighbours if it was resampled",
        )
    return Image(labels.data.round().long(), labels.grid, labels.name, labels.pixel_type)
