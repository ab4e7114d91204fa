"""The structures that a report draws: which, in what colours, and in which slices most of them are seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from elastix_impact.geometry.grid import Grid, Row
from elastix_impact.geometry.image import Image
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.resample import resample_labels

from .contours import Line, Outline, outline_path
from .planes import Plane
from .slices import identity

COLOURS = (
    "#ffb000", "#4cc3ff", "#ff6db6", "#30d5a0", "#f0e442", "#b98cff",
    "#ff7a3d", "#9be564", "#8fb8ff", "#e0a878", "#d9d9d9", "#e25d5d",
)  # fmt: skip
"""Bright on grey anatomy; neighbours in the list differ in brightness or hue for colour-blind readers too."""


@final
@dataclass(frozen=True)
class Structure:
    """A structure that is drawn; `dice` after the registration, None if it was not measured."""

    label: int
    name: str
    colour: str
    dice: float | None


@final
@dataclass(frozen=True, eq=False)
class LabelSlice:
    """Labels in a plane, (rows, columns): of the fixed image, and of the moving one before and after."""

    plane: Plane
    fixed: Tensor
    before: Tensor
    after: Tensor


def structure_name(score: Mapping[str, Any]) -> str:
    """What a structure is called: its name if it has one, else its number."""
    return str(score.get("name") or f"label {score['label']}")


def label_slice(
    plane: Plane, labels: tuple[Image, Image], initial: AbstractTransform | None, transform: AbstractTransform
) -> LabelSlice:
    """The labels in one plane; `initial` None = the identity."""
    still, grid = identity(plane.grid.dimension), plane.grid
    fixed, moving = labels
    return LabelSlice(
        plane,
        *(_seen(image, one, grid) for image, one in ((fixed, still), (moving, initial or still), (moving, transform))),
    )


def _seen(labels: Image, transform: AbstractTransform, grid: Grid) -> Tensor:
    return resample_labels(labels, transform, grid, 0.0).reshape(grid.shape[-2:])


def drawn_structures(slices: Sequence[LabelSlice], scores: Sequence[Mapping[str, Any]]) -> tuple[Structure, ...]:
    """The structures in view, those that overlap worst if there are more than colours, in the order of labels.

    Parameters
    ----------
    scores
        Label, Dice and perhaps name of the structures measured after the registration; the others are not drawn.
    """
    seen = torch.cat([one.flatten().unique() for each in slices for one in (each.fixed, each.before, each.after)])
    visible = set(seen.tolist())
    worst = sorted((score for score in scores if score["label"] in visible), key=lambda score: score["dice"])
    chosen = sorted(worst[: len(COLOURS)], key=lambda score: score["label"])
    return tuple(
        Structure(score["label"], structure_name(score), colour, score["dice"])
        for score, colour in zip(chosen, COLOURS)
    )


def outlines_of(labels: Tensor, structures: Sequence[Structure], line: Line, whose: str) -> tuple[Outline, ...]:
    """The outlines of structures in `labels` (rows, columns), called by the structure and `whose` it is."""
    found = (Outline(outline_path(labels, one.label), one.colour, line, f"{one.name}, {whose}") for one in structures)
    return tuple(one for one in found if one.path)


def fullest_point(labels: Image, wanted: Sequence[int]) -> Row | None:
    """The world point in mm whose planes along the voxel axes cut most of the `wanted` structures, near their widest.

    None if the image has none of them.
    """
    names = torch.tensor(sorted(wanted), dtype=torch.int64)
    places = torch.isin(labels.data, names).nonzero()
    if len(places) == 0:
        return None
    numbers = torch.searchsorted(names, labels.data[tuple(places.T)].contiguous())
    index = []
    for axis, size in enumerate(labels.grid.shape):
        areas = torch.bincount(numbers * size + places[:, axis], minlength=len(names) * size).reshape(len(names), size)
        shares = areas / areas.max(dim=1, keepdim=True).values.clamp(min=1)
        index.append(int(shares.sum(dim=0).argmax()))
    point = torch.tensor([index[::-1]], dtype=torch.float64)
    return tuple(labels.grid.to_world(point)[0].tolist())
