"""From a raw map to a complete plan, or to all of its faults at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast, final

from .lint import lint
from .names import COMPONENTS
from .plan import Combination, RegistrationPlan
from .problems import Problem, raise_if_errors
from .raw import RawParameterMap
from .reader import EffectiveValue, Reader
from .resolving.components import Components, resolve_components
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
        None if there is an error.
    problems
        Errors, warnings and hints, by line.
    effective
        Every value that was read, defaults included.
    """

    plan: RegistrationPlan | None
    problems: tuple[Problem, ...]
    effective: tuple[EffectiveValue, ...] = ()


def plan_or_raise(raw: RawParameterMap, *, dimension: int | None = None) -> RegistrationPlan:
    """The plan of a map; see `resolve`.

    Raises
    ------
    ParameterMapError
        With every fault.
    """
    resolution = resolve(raw, dimension=dimension)
    raise_if_errors(resolution.problems)
    assert resolution.plan is not None
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
    names = lint(raw, reader.used, levels, complete=plan is not None)
    if components is None:
        names = [problem for problem in names if problem.severity != "hint"]
    problems = tuple(sorted((*raw.faults, *reader.problems, *names), key=lambda problem: problem.line))
    faulty = any(problem.severity == "error" for problem in problems)
    return Resolution(None if faulty else plan, problems, reader.effective())


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
        transform=transform,
        levels=levels,
        output=output,
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
