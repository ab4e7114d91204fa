"""From a raw map to a complete plan, or to all of its faults at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast, final

from elastix_impact.errors import ParameterMapError

from .lint import lint
from .names import COMPONENTS
from .native import RESAMPLE_INTERPOLATORS, TWINS
from .plan import Combination, HandedOnPlan, RegistrationPlan, StagePlan
from .problems import Problem, raise_if_errors
from .raw import RawParameterMap
from .reader import EffectiveValue, Reader
from .resolving.components import Components, check_handed_on, resolve_components
from .resolving.counts import check_counts
from .resolving.dimension import resolve_dimension
from .resolving.level import resolve_levels
from .resolving.output import resolve_output
from .resolving.transform import resolve_transform

_LARGEST_SEED = 2**32 - 1
_MOST_LEVELS = 20


@final
@dataclass(frozen=True, slots=True)
class Resolution:
    """What came of a map.

    Attributes
    ----------
    plan
        None if there is an error, or the map is handed on.
    problems
        Errors, warnings and hints, by line.
    effective
        Every value that was read, defaults included.
    handed_on
        The plan of a map that has no IMPACT and needs components that are not native, else None.
    """

    plan: RegistrationPlan | None
    problems: tuple[Problem, ...]
    effective: tuple[EffectiveValue, ...] = ()
    handed_on: HandedOnPlan | None = None

    @property
    def stage(self) -> StagePlan | None:
        """What runs, natively or not; None if there is an error."""
        return self.plan or self.handed_on


def plan_or_raise(raw: RawParameterMap, *, dimension: int | None = None) -> RegistrationPlan:
    """The plan of a map; see `resolve`.

    Raises
    ------
    ParameterMapError
        With every fault.
    """
    resolution = resolve(raw, dimension=dimension)
    raise_if_errors(resolution.problems)
    if resolution.plan is None:
        raise ParameterMapError(
            "this map does not run natively, but only as a stage of a run, by itk-elastix", where=raw.source
        )
    return resolution.plan


def resolve(raw: RawParameterMap, *, dimension: int | None = None) -> Resolution:
    """Fill in a plan from a map.

    Parameters
    ----------
    dimension
        That of the images, 2 or 3; None = find it in the map.
    """
    if (refusal := _not_a_map(raw)) is not None:
        return Resolution(None, raw.faults or (refusal,))
    reader = Reader(raw)
    components = resolve_components(reader)
    levels = _number_of_levels(reader)
    plan = None if components is None else _plan(reader, components, levels, dimension)
    handed_on = _handed_on(reader, dimension, levels) if reader.foreign else None
    names = lint(raw, reader.used, levels, complete=plan is not None)
    if components is None:
        names = [problem for problem in names if problem.severity != "hint"]
    problems = tuple(sorted((*raw.faults, *reader.problems, *names), key=lambda problem: problem.line))
    faulty = any(problem.severity == "error" for problem in problems)
    if faulty:
        return Resolution(None, problems, reader.effective())
    return Resolution(plan, problems, reader.effective(), handed_on)


def _not_a_map(raw: RawParameterMap) -> Problem | None:
    if raw.is_transform_file:
        message = "this is a transform file, the result of a registration, not a parameter map"
        return Problem("error", raw.source, 0, "", message, "Give the map; transforms are for --initial-transform")
    if not any(component in raw for component in COMPONENTS):
        message = "this is not a parameter map: it names no component, such as Metric or Transform"
        return Problem("error", raw.source, 0, "", message, "Give an elastix parameter map")
    return None


def _plan(reader: Reader, components: Components, number: int, known_dimension: int | None) -> RegistrationPlan | None:
    """The plan, None if a metric can't be made; other faults are only noted."""
    dimension = resolve_dimension(reader, known_dimension, number)
    transform = resolve_transform(reader, components.transform, number, dimension)
    levels = resolve_levels(reader, components, number, dimension)
    output = resolve_output(reader, components.resample_interpolator, dimension)
    seed, use_direction = _seed(reader), reader.boolean("UseDirectionCosines")
    fixed_type, moving_type = (_pixel_type(reader, image) for image in ("Fixed", "Moving"))
    how_to_combine = cast(Combination, reader.text("HowToCombineTransforms"))
    guard_stages = reader.boolean("GuardStages")
    check_counts(reader, number)
    if levels is None:
        return None
    return RegistrationPlan(
        source=reader.raw.source,
        dimension=dimension,
        random_seed=seed,
        use_direction_cosines=use_direction,
        fixed_internal_pixel_type=fixed_type,
        moving_internal_pixel_type=moving_type,
        how_to_combine_transforms=how_to_combine,
        initial_transform=None,
        guard_stages=guard_stages,
        transform=transform,
        levels=levels,
        output=output,
    )


def _handed_on(reader: Reader, known_dimension: int | None, levels: int) -> HandedOnPlan:
    """What a run must know of a map that itk-elastix runs; elastix checks the rest."""
    check_handed_on(reader)
    dimension = resolve_dimension(reader, known_dimension, levels)
    resampler = reader.text("ResampleInterpolator")
    kind = RESAMPLE_INTERPOLATORS.get(TWINS.get(resampler, resampler), "BSpline")
    return HandedOnPlan(
        source=reader.raw.source,
        components=tuple(dict.fromkeys(reader.foreign)),
        random_seed=_seed(reader),
        number_of_levels=levels,
        several_metrics=reader.count("Metric") > 1,
        use_direction_cosines=reader.boolean("UseDirectionCosines"),
        fixed_internal_pixel_type=reader.text("FixedInternalImagePixelType"),
        moving_internal_pixel_type=reader.text("MovingInternalImagePixelType"),
        how_to_combine_transforms=cast(Combination, reader.text("HowToCombineTransforms")),
        output=resolve_output(reader, kind, dimension),
    )


def _number_of_levels(reader: Reader) -> int:
    name = "NumberOfResolutions"
    levels = reader.integer(name)
    if levels > _MOST_LEVELS:
        reader.note("error", name, f"{levels} is too large", f"Give at most {_MOST_LEVELS}; 3 to 5 are usual")
    return min(levels, _MOST_LEVELS)


def _seed(reader: Reader) -> int:
    seed = reader.integer("RandomSeed")
    if seed > _LARGEST_SEED:
        reader.note("error", "RandomSeed", f"{seed} is too large", f"Give at most {_LARGEST_SEED}")
    return seed


def _pixel_type(reader: Reader, image: str) -> str:
    name = f"{image}InternalImagePixelType"
    kind = reader.text(name)
    if kind != "float":
        reader.note("hint", name, f"{kind} is read as float, in which native runs compute")
    return kind
