"""All levels of a registration."""

from __future__ import annotations

from elastix_impact.parameters.plan import LevelPlan, PyramidLevelPlan
from elastix_impact.parameters.reader import Reader

from .components import Components
from .impact import resolve_impact
from .optimizer import resolve_optimizer
from .output import interpolation_order
from .pyramid import Image, resolve_pyramid
from .sampler import resolve_sampler


def resolve_levels(reader: Reader, components: Components, levels: int, dimension: int) -> tuple[LevelPlan, ...] | None:
    """The plans of all levels; None, with errors, if the metric of one can't be made."""
    fixed = resolve_pyramid(reader, "Fixed", components.fixed_pyramid, levels, dimension)
    moving = resolve_pyramid(reader, "Moving", components.moving_pyramid, levels, dimension)
    if reader.boolean("ImagePyramidUseShrinkImageFilter"):
        reader.note(
            "warning", "ImagePyramidUseShrinkImageFilter", "not available in this version: images are resampled"
        )
    plans = [_level(reader, components, fixed[level], moving[level], level, dimension) for level in range(levels)]
    complete = tuple(plan for plan in plans if plan is not None)
    return complete if len(complete) == levels else None


def _level(
    reader: Reader,
    components: Components,
    fixed: PyramidLevelPlan,
    moving: PyramidLevelPlan,
    level: int,
    dimension: int,
) -> LevelPlan | None:
    """One level, None without a metric; the other parts' faults are noted all the same."""
    order = interpolation_order(reader, components.interpolator, "BSplineInterpolationOrder", level)
    if order == 0:
        name = "BSplineInterpolationOrder" if components.interpolator == "BSpline" else "Interpolator"
        reader.note("warning", name, "without interpolation the moving image has no gradient", "Use order 1 or 3")
    sampler = resolve_sampler(reader, components.sampler, level, dimension)
    metric = resolve_impact(reader, level, dimension)
    optimizer = resolve_optimizer(reader, components.optimizer, level)
    ratio = _ratio(reader, level)
    erode_fixed, erode_moving = _erodes(reader, "Fixed", level), _erodes(reader, "Moving", level)
    check = reader.boolean("CheckNumberOfSamples", level)
    write_result = reader.boolean("WriteResultImageAfterEachResolution", level)
    write_pyramid = reader.boolean("WritePyramidImagesAfterEachResolution", level)
    write_transform = reader.boolean("WriteTransformParametersEachResolution")
    write_iteration = reader.boolean("WriteTransformParametersEachIteration")
    if metric is None:
        return None
    return LevelPlan(
        fixed_pyramid=fixed,
        moving_pyramid=moving,
        interpolation_order=order,
        sampler=sampler,
        metric=metric,
        optimizer=optimizer,
        erode_fixed_mask=erode_fixed,
        erode_moving_mask=erode_moving,
        required_ratio_of_valid_samples=ratio,
        check_number_of_samples=check,
        write_transform=write_transform,
        write_transform_each_iteration=write_iteration,
        write_result_image=write_result,
        write_pyramid_images=write_pyramid,
    )


def _ratio(reader: Reader, level: int) -> float:
    name = "RequiredRatioOfValidSamples"
    ratio = reader.number(name, level)
    if ratio > 1:
        reader.note("error", name, f"{ratio:g} is too large", "Give a share from 0 to 1")
    return ratio


def _erodes(reader: Reader, image: Image, level: int) -> bool:
    """Whether the image's mask is eroded: the most special parameter that is given decides."""
    names = (f"Erode{image}Mask0", f"Erode{image}Mask", "ErodeMask")
    return reader.boolean(next((name for name in names if reader.has(name)), "ErodeMask"), level)
