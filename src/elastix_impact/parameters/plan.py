"""What a registration will do, complete and frozen: every level filled in, every default explicit.

A `RegistrationPlan` is made by `resolve` from one parameter map and is written into the run's folder as
JSON. Nothing past this room reads a parameter string, a default or a per-resolution list again.
Sizes and spacings are ordered x, y(, z); lengths are millimetres unless a name says otherwise.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from .metric_plan import ImpactPlan, MetricPlan, ModelPlan
from .optimizer_plan import OptimizerPlan

PyramidKind = Literal["Generic", "Smoothing", "Recursive", "Shrinking"]
LinearKind = Literal["Translation", "Euler", "Similarity", "Affine", "AffineLog"]
SplineKind = Literal["BSpline", "RecursiveBSpline"]
SamplerKind = Literal["Full", "Grid", "Random", "RandomCoordinate", "RandomSparseMask"]
Combination = Literal["Compose", "Add"]
InitialAlignment = Literal["GeometricalCenter", "CenterOfGravity", "Origins", "GeometryTop", "FeatureSearch"]


@dataclass(frozen=True, kw_only=True)
class PyramidLevelPlan:
    """One image's smoothing and shrinking at one level.

    `shrink_factor` is in voxels of the input image per axis. `smoothing_sigma` is the Gaussian's standard deviation
    per axis (0 = none) in `sigma_unit`: an explicit ImagePyramidSmoothingSchedule is in mm, the default of half the
    factor in voxels. ``Recursive`` smooths by itself, ``Shrinking`` not at all; neither reads it.
    """

    kind: PyramidKind
    shrink_factor: tuple[float, ...]
    smoothing_sigma: tuple[float, ...]
    sigma_unit: Literal["mm", "voxels"]


@dataclass(frozen=True, kw_only=True)
class SamplerPlan:
    """Which fixed points are compared.

    `sample_region_size` is in mm per axis, None = elastix's default (the side, at most a third of the longest side).
    """

    kind: SamplerKind
    number_of_samples: int
    new_samples_every_iteration: bool
    grid_spacing_voxels: tuple[int, ...]
    use_random_sample_region: bool
    sample_region_size: tuple[float, ...] | None


@dataclass(frozen=True, kw_only=True)
class SplineTransformPlan:
    """A B-spline deformation; `grid_spacing` holds the control point spacing in mm per level and axis.

    Where the map gives the final spacing in voxels, `grid_spacing_voxels` holds it per level and axis
    instead (voxels of the fixed image), and `grid_spacing` is None. Exactly one of the two is set.
    """

    kind: SplineKind
    order: int
    grid_spacing: tuple[tuple[float, ...], ...] | None
    grid_spacing_voxels: tuple[tuple[float, ...], ...] | None
    passive_edge_width: int


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """A search for where a linear transform starts.

    `rotations` is how many are tried at least, `voxel_size` in mm, None = by the images' sizes, `minimum_overlap` a
    share of the smaller image, `candidates` how many poses are refined.
    """

    rotations: int | Literal["near"]
    voxel_size: float | None
    minimum_overlap: float
    candidates: int


@dataclass(frozen=True, kw_only=True)
class LinearTransformPlan:
    """A linear transform. `centre` is a world point in mm, None = the fixed image's geometric centre.

    `scales` divides the parameters in the optimiser: a tuple of numbers, or None = automatic when
    `automatic_scales`, else all 1. `automatic_initialisation` None = start from the identity; `search` is set where it
    is ``"FeatureSearch"``.
    """

    kind: LinearKind
    centre: tuple[float, ...] | None
    scales: tuple[float, ...] | None
    automatic_scales: bool
    automatic_initialisation: InitialAlignment | None
    search: SearchPlan | None = None


TransformPlan = SplineTransformPlan | LinearTransformPlan


@dataclass(frozen=True, kw_only=True)
class TermPlan:
    """One metric of a level's sum and what it sees.

    `name` is ``Metric<i>``, with its place in the map's list of metrics. Terms with equal samplers and pyramids share
    them.
    """

    name: str
    metric: MetricPlan
    weight: float
    sampler: SamplerPlan
    fixed_pyramid: PyramidLevelPlan
    moving_pyramid: PyramidLevelPlan
    interpolation_order: Literal[0, 1, 2, 3]


@dataclass(frozen=True, kw_only=True)
class LevelPlan:
    """One resolution level, complete: the weighted sum of `terms` is minimised.

    With `use_relative_weights` the weights are factors on the gradients' lengths relative to the first term's.
    `fixed_mask_margin` in mm makes the fixed mask larger. `repeat_while_folding` repeats the level with more bending
    energy.
    """

    terms: tuple[TermPlan, ...]
    use_relative_weights: bool
    optimizer: OptimizerPlan
    erode_fixed_mask: bool
    erode_moving_mask: bool
    fixed_mask_margin: float
    sample_where_both_see: bool
    repeat_while_folding: bool
    required_ratio_of_valid_samples: float
    check_number_of_samples: bool
    write_transform: bool
    write_transform_each_iteration: bool
    write_result_image: bool
    write_pyramid_images: bool

    @property
    def impact_metrics(self) -> tuple[ImpactPlan, ...]:
        """The metrics that are IMPACT."""
        return tuple(term.metric for term in self.terms if isinstance(term.metric, ImpactPlan))

    @property
    def models(self) -> tuple[ModelPlan, ...]:
        """All models of these metrics."""
        return tuple(model for one in self.impact_metrics for model in (*one.fixed_models, *one.moving_models))


@dataclass(frozen=True, kw_only=True)
class OutputPlan:
    """What the run writes, and how the result image is resampled."""

    write_result_image: bool
    write_final_transform: bool
    write_iteration_info: bool
    result_image_name: str
    result_image_format: str
    result_image_pixel_type: str
    compress_result_image: bool
    resample_interpolation_order: Literal[0, 1, 2, 3]
    default_pixel_value: float
    itk_transform_extension: str | None
    write_itk_composite: bool
    transform_file_format: Literal["txt", "toml"]


@dataclass(frozen=True, kw_only=True)
class HandedOnPlan:
    """A map that itk-elastix runs, because of `components` that are not native."""

    source: str
    components: tuple[str, ...]
    random_seed: int
    number_of_levels: int
    several_metrics: bool
    use_direction_cosines: bool
    fixed_internal_pixel_type: str
    moving_internal_pixel_type: str
    how_to_combine_transforms: Combination
    output: OutputPlan

    def to_json(self) -> dict[str, Any]:
        """The plan as plain dictionaries, lists and numbers."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, kw_only=True)
class RegistrationPlan:
    """Everything that one parameter map asks for."""

    source: str
    dimension: int
    random_seed: int
    use_direction_cosines: bool
    fixed_internal_pixel_type: str
    moving_internal_pixel_type: str
    how_to_combine_transforms: Combination
    initial_transform: str | None
    guard_stages: bool
    transform: TransformPlan
    levels: tuple[LevelPlan, ...]
    output: OutputPlan

    @property
    def number_of_levels(self) -> int:
        """How many levels there are."""
        return len(self.levels)

    def to_json(self) -> dict[str, Any]:
        """The plan as plain dictionaries, lists and numbers."""
        return dataclasses.asdict(self)


StagePlan = RegistrationPlan | HandedOnPlan
