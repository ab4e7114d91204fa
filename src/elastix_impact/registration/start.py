"""Plan -> transform: what is optimised, where it starts, and how it passes from level to level."""

from dataclasses import replace
from typing import assert_never

import torch
from torch import Tensor

from elastix_impact.geometry.grid import Grid, Row
from elastix_impact.geometry.image import Image
from elastix_impact.parameters.plan import (
    LinearKind,
    LinearTransformPlan,
    RegistrationPlan,
    SearchPlan,
    SplineTransformPlan,
)
from elastix_impact.searching.report import SearchReport
from elastix_impact.searching.search import SearchSettings, search
from elastix_impact.transforms import affine, euler, similarity, translation
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.bspline import BSplineTransform, identity_parameters
from elastix_impact.transforms.initialise import Alignment, initial_alignment
from elastix_impact.transforms.lattice import refine_parameters, required_lattice

from .build import Images


def starting_transform(
    plan: RegistrationPlan, images: Images, initial: AbstractTransform | None
) -> tuple[AbstractTransform, SearchReport | None]:
    """The transform of the first level at its starting parameters, float64 in the world frame, and what a search found.

    Raises
    ------
    ImageError
        If a mask covers nothing of its image.
    """
    fixed, moving, fixed_mask, moving_mask = images
    linear = plan.transform
    if not isinstance(linear, LinearTransformPlan) or not is_searched(plan, initial):
        return _unsearched_transform(plan, fixed, moving, initial), None
    assert linear.search is not None
    found = search(fixed, moving, _settings(linear.search), fixed_mask, moving_mask)
    centre = linear.centre or fixed.grid.centre
    away = torch.tensor(centre, dtype=torch.float64) - torch.tensor(found.centre, dtype=torch.float64)
    translation = torch.tensor(found.translation, dtype=torch.float64) + found.rotation @ away - away
    return _rigid_transform(linear.kind, found.rotation, translation, centre), found.report


def is_searched(plan: RegistrationPlan, initial: AbstractTransform | None) -> bool:
    """Whether the start is searched: where a map asks for it and nothing comes before."""
    return isinstance(plan.transform, LinearTransformPlan) and plan.transform.search is not None and initial is None


def _settings(plan: SearchPlan) -> SearchSettings:
    return SearchSettings(plan.rotations, plan.voxel_size, plan.minimum_overlap, plan.candidates)


def _rigid_transform(kind: LinearKind, rotation: Tensor, translation: Tensor, centre: Row) -> AbstractTransform:
    """The transform of this kind that is the rigid motion x -> rotation (x - centre) + centre + translation."""
    match kind:
        case "Euler":
            return euler.EulerTransform(torch.cat([euler.angles_of(rotation), translation]), centre)
        case "Similarity":
            return similarity.SimilarityTransform(similarity.rigid_parameters(rotation, translation), centre)
        case "Affine":
            return affine.AffineTransform(torch.cat([rotation.flatten(), translation]), centre)
        case "AffineLog":
            logarithm = affine.logarithm_of(rotation).flatten()
            return affine.AffineLogTransform(torch.cat([logarithm, translation]), centre)
        case "Translation":
            raise AssertionError("resolution refuses to search for a translation")
        case _:
            assert_never(kind)


def _unsearched_transform(
    plan: RegistrationPlan, fixed: Image, moving: Image, initial: AbstractTransform | None
) -> AbstractTransform:
    """The start of a plan that searches nothing."""
    composed = initial if plan.how_to_combine_transforms == "Compose" else None
    match plan.transform:
        case SplineTransformPlan() as spline:
            grid = required_lattice(fixed.grid, _spacing(spline, 0, fixed.grid), spline.order, composed)
            recursive = spline.kind == "RecursiveBSpline"
            return BSplineTransform(identity_parameters(grid), grid, spline.order, recursive)
        case LinearTransformPlan() as linear:
            return _linear_transform(linear, _alignment(linear, fixed, moving, composed))
        case _:
            assert_never(plan.transform)


def refined_transform(
    plan: RegistrationPlan, level: int, current: AbstractTransform, fixed: Grid, initial: AbstractTransform | None
) -> AbstractTransform:
    """`current` as level `level` > 0 optimises it: B-splines on that level's lattice, others unchanged."""
    if level == 0 or not isinstance(current, BSplineTransform):
        return current
    assert isinstance(plan.transform, SplineTransformPlan)
    composed = initial if plan.how_to_combine_transforms == "Compose" else None
    grid = required_lattice(fixed, _spacing(plan.transform, level, fixed), current.order, composed)
    return replace(
        current, grid=grid, parameters=refine_parameters(current.parameters, current.grid, grid, current.order)
    )


def _spacing(plan: SplineTransformPlan, level: int, fixed: Grid) -> tuple[float, ...]:
    """Control point spacing in mm at a level."""
    if plan.grid_spacing is not None:
        return plan.grid_spacing[level]
    assert plan.grid_spacing_voxels is not None
    return tuple(v * s for v, s in zip(plan.grid_spacing_voxels[level], fixed.spacing))


def _alignment(plan: LinearTransformPlan, fixed: Image, moving: Image, initial: AbstractTransform | None) -> Alignment:
    """Centre and first translation: as the map asks, else the fixed image's middle and none."""
    method = plan.automatic_initialisation
    if method is not None and method != "FeatureSearch" and initial is None:
        found = initial_alignment(method, fixed, moving)
        return replace(found, centre=plan.centre or found.centre)
    centre = plan.centre or fixed.grid.centre
    if initial is not None:
        centre = tuple(initial.map_points(torch.tensor([centre], dtype=torch.float64))[0].tolist())
    return Alignment(centre, (0.0,) * fixed.grid.dimension)


def _linear_transform(plan: LinearTransformPlan, start: Alignment) -> AbstractTransform:
    dimension, centre = len(start.centre), start.centre
    move = torch.tensor(start.translation, dtype=torch.float64)
    match plan.kind:
        case "Translation":
            return translation.TranslationTransform(move)
        case "Euler":
            return euler.EulerTransform(_with(euler.identity_parameters(dimension), move, -dimension), centre)
        case "Similarity":
            first = 3 if dimension == 3 else 2
            return similarity.SimilarityTransform(_with(similarity.identity_parameters(dimension), move, first), centre)
        case "Affine":
            return affine.AffineTransform(_with(affine.identity_parameters(dimension), move, -dimension), centre)
        case "AffineLog":
            parameters = _with(affine.identity_log_parameters(dimension), move, -dimension)
            return affine.AffineLogTransform(parameters, centre)
        case _:
            assert_never(plan.kind)


def _with(parameters: Tensor, move: Tensor, first: int) -> Tensor:
    """`parameters` with the translation written from index `first` on."""
    first %= len(parameters)
    return torch.cat([parameters[:first], move, parameters[first + len(move) :]])
