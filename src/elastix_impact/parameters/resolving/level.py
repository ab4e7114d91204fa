"""All levels of a registration."""

from __future__ import annotations

from elastix_impact.parameters.plan import LevelPlan, PyramidLevelPlan, TermPlan
from elastix_impact.parameters.reader import Reader

from .components import Components, TermComponents
from .metric import is_used, resolve_metric, resolve_weight
from .optimizer import resolve_optimizer
from .output import interpolation_order
from .pyramid import Image, resolve_pyramid
from .sampler import resolve_sampler

Pyramids = tuple[tuple[PyramidLevelPlan, ...], tuple[PyramidLevelPlan, ...]]
"""Of the fixed and of the moving image, a plan per level."""


def resolve_levels(reader: Reader, components: Components, levels: int, dimension: int) -> tuple[LevelPlan, ...] | None:
    """The plans of all levels; None, with errors, if the metric of one can't be made."""
    pyramids = [_pyramids(reader, term, levels, dimension) for term in components.terms]
    if reader.boolean("ImagePyramidUseShrinkImageFilter"):
        reader.note(
            "warning", "ImagePyramidUseShrinkImageFilter", "not available in this version: images are resampled"
        )
    relative = len(components.terms) > 1 and reader.boolean("UseRelativeWeights")
    plans = [_level(reader, components, pyramids, level, dimension, relative) for level in range(levels)]
    complete = tuple(plan for plan in plans if plan is not None)
    return complete if len(complete) == levels else None


def _pyramids(reader: Reader, term: TermComponents, levels: int, dimension: int) -> Pyramids:
    with reader.component(term.number):
        return (
            resolve_pyramid(reader, "Fixed", term.fixed_pyramid, levels, dimension),
            resolve_pyramid(reader, "Moving", term.moving_pyramid, levels, dimension),
        )


def _level(
    reader: Reader, components: Components, pyramids: list[Pyramids], level: int, dimension: int, relative: bool
) -> LevelPlan | None:
    """One level, None without its metrics; the other parts' faults are noted all the same."""
    made = [
        _term(
            reader,
            term,
            of_term,
            level,
            dimension,
            len(components.terms),
            relative,
            keeps_samples=components.optimizer == "RegularStep",
        )
        for term, of_term in zip(components.terms, pyramids)
        if is_used(reader, term.number, level, of=len(components.terms))
    ]
    if not made:
        name = "Metric0Use"
        reader.note("error", name, f"level {level} uses no metric", f'Give ({name} "true") for that level')
    optimizer = resolve_optimizer(reader, components.optimizer, level)
    ratio = _ratio(reader, level)
    erode_fixed, erode_moving = _erodes(reader, "Fixed", level), _erodes(reader, "Moving", level)
    margin, both_see = reader.number("FixedMaskMargin", level), reader.boolean("SampleWhereBothSee", level)
    repeat = _repeats(reader, components, level)
    check = reader.boolean("CheckNumberOfSamples", level)
    write_result = reader.boolean("WriteResultImageAfterEachResolution", level)
    write_pyramid = reader.boolean("WritePyramidImagesAfterEachResolution", level)
    write_transform = reader.boolean("WriteTransformParametersEachResolution")
    write_iteration = reader.boolean("WriteTransformParametersEachIteration")
    terms = tuple(term for term in made if term is not None)
    if len(terms) < len(made) or not terms:
        return None
    return LevelPlan(
        terms=terms,
        use_relative_weights=relative,
        optimizer=optimizer,
        erode_fixed_mask=erode_fixed,
        erode_moving_mask=erode_moving,
        fixed_mask_margin=margin,
        sample_where_both_see=both_see,
        repeat_while_folding=repeat,
        required_ratio_of_valid_samples=ratio,
        check_number_of_samples=check,
        write_transform=write_transform,
        write_transform_each_iteration=write_iteration,
        write_result_image=write_result,
        write_pyramid_images=write_pyramid,
    )


def _term(
    reader: Reader,
    term: TermComponents,
    pyramids: Pyramids,
    level: int,
    dimension: int,
    of: int,
    relative: bool,
    *,
    keeps_samples: bool,
) -> TermPlan | None:
    """One metric of one level with what it sees; None, with errors, if it can't be made."""
    with reader.component(term.number):
        order = interpolation_order(reader, term.interpolator, "BSplineInterpolationOrder", level)
        if order == 0:
            name = "BSplineInterpolationOrder" if term.interpolator == "BSpline" else "Interpolator"
            reader.note("warning", name, "without interpolation the moving image has no gradient", "Use order 1 or 3")
        sampler = resolve_sampler(reader, term.sampler, level, dimension, keeps_samples=keeps_samples)
        metric = resolve_metric(reader, term.metric, level, dimension)
        weight = resolve_weight(reader, term.number, level, of=of, relative=relative)
    if metric is None:
        return None
    return TermPlan(
        name=f"Metric{term.number}",
        metric=metric,
        weight=weight,
        sampler=sampler,
        fixed_pyramid=pyramids[0][level],
        moving_pyramid=pyramids[1][level],
        interpolation_order=order,
    )


def _repeats(reader: Reader, components: Components, level: int) -> bool:
    """Whether the level is repeated while it folds, which needs a bending energy whose weight can grow."""
    name = "RepeatWhileFolding"
    repeats = reader.boolean(name, level)
    if repeats and all(term.metric != "BendingEnergy" for term in components.terms):
        remedy = 'Add "TransformBendingEnergyPenalty" to the metrics, with a Metric<i>Weight'
        reader.note("error", name, "there is no bending energy whose weight could be raised", remedy)
    return repeats


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
