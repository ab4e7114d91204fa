"""Which points are compared at a level."""

from __future__ import annotations

from elastix_impact.parameters.plan import SamplerKind, SamplerPlan
from elastix_impact.parameters.reader import Reader


def resolve_sampler(
    reader: Reader, kind: SamplerKind, level: int, dimension: int, *, keeps_samples: bool = False
) -> SamplerPlan:
    """The sampler of one level; `keeps_samples` is that of an optimiser which wants the same ones throughout."""
    random = kind in ("Random", "RandomCoordinate", "RandomSparseMask")
    anew = reader.boolean("NewSamplesEveryIteration", level)
    if random and anew and keeps_samples:
        message = "RegularStepGradientDescent keeps its samples throughout a level, as in elastix"
        reader.note("warning", "NewSamplesEveryIteration", message, "AdaptiveStochasticGradientDescent draws new ones")
    elif random and not anew:
        message = f"the {kind} sampler draws once per level and keeps its points"
        reader.note("warning", "NewSamplesEveryIteration", message, 'Usually meant: (NewSamplesEveryIteration "true")')
    by_region = kind == "RandomCoordinate" and reader.boolean("UseRandomSampleRegion", level)
    return SamplerPlan(
        kind=kind,
        number_of_samples=reader.integer("NumberOfSpatialSamples", level) if random else 0,
        new_samples_every_iteration=anew and not keeps_samples,
        grid_spacing_voxels=_grid_spacing(reader, level, dimension) if kind == "Grid" else (1,) * dimension,
        use_random_sample_region=by_region,
        sample_region_size=_region_size(reader, level, dimension) if by_region else None,
    )


def _grid_spacing(reader: Reader, level: int, dimension: int) -> tuple[int, ...]:
    """Distance of the points in voxels; elastix takes 2 for each number that is missing."""
    name = "SampleGridSpacing"
    given = reader.integers(name)
    values = given[level * dimension : (level + 1) * dimension]
    if given and len(values) < dimension:
        message = f"gives no {dimension} numbers for level {level}; elastix takes 2 for what is missing"
        reader.note("warning", name, message, "Give all axes of level 0, then of level 1 ...")
    return values + (2,) * (dimension - len(values))


def _region_size(reader: Reader, level: int, dimension: int) -> tuple[float, ...] | None:
    """Sides of the box in mm, None = elastix's default. A missing number falls back to the first."""
    name = "SampleRegionSize"
    count = reader.count(name)
    if count == 0:
        return None
    if count > 1 and count % dimension:
        message = f"needs 1 number, or {dimension} per level for {dimension}-D images, got {count}"
        reader.note("error", name, message, "Give all axes of level 0, then of level 1 ...")
    return tuple(reader.number(name, level * dimension + axis) for axis in range(dimension))
