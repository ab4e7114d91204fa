"""Image pyramids per level: shrink factors and smoothing as elastix derives them."""

from __future__ import annotations

from typing import Literal

from elastix_impact.parameters.plan import PyramidKind, PyramidLevelPlan
from elastix_impact.parameters.problems import counted
from elastix_impact.parameters.reader import Reader

Image = Literal["Fixed", "Moving"]
Schedule = tuple[tuple[float, ...], ...]
"""Numbers per level and axis."""


def resolve_pyramid(
    reader: Reader, image: Image, kind: PyramidKind, levels: int, dimension: int
) -> tuple[PyramidLevelPlan, ...]:
    """One image's pyramid, a plan per level.

    Factors default to 2 ** (levels - 1 - level). Generic pyramids smooth by the schedule in mm, else by half the
    factor in voxels, but not at all where the last level does not shrink; smoothing pyramids by half the factor in
    voxels. Numbers that rise from level to level are lowered to the level before, as in elastix.
    """
    factors = _factors(reader, image, kind, levels, dimension)
    explicit = _explicit_sigmas(reader, image, levels, dimension) if kind == "Generic" else None
    sigmas = explicit or _default_sigmas(kind, factors)
    return tuple(
        PyramidLevelPlan(
            kind=kind,
            shrink_factor=tuple(max(one, 1.0) for one in factor),
            smoothing_sigma=sigma,
            sigma_unit="mm" if explicit else "voxels",
        )
        for factor, sigma in zip(factors, sigmas)
    )


def _factors(reader: Reader, image: Image, kind: PyramidKind, levels: int, dimension: int) -> Schedule:
    generic = (f"{image}ImagePyramidSchedule", f"{image}ImagePyramidRescaleSchedule", "ImagePyramidSchedule",
               "ImagePyramidRescaleSchedule")  # fmt: skip
    others = (f"{image}ImagePyramid0Schedule", f"{image}ImagePyramidSchedule", "ImagePyramidSchedule")
    name = _given(reader, generic if kind == "Generic" else others)
    default = tuple((2.0 ** (levels - 1 - level),) * dimension for level in range(levels))
    if name is None:
        return default
    values = tuple(float(value) for value in reader.integers(name))
    schedule = read_schedule(reader, name, values, levels, dimension)
    if schedule is None:
        return default
    return schedule if kind == "Smoothing" else _never_rising(reader, name, schedule, least=1.0)


def _explicit_sigmas(reader: Reader, image: Image, levels: int, dimension: int) -> Schedule | None:
    name = _given(reader, (f"{image}ImagePyramidSmoothingSchedule", "ImagePyramidSmoothingSchedule"))
    if name is None:
        return None
    schedule = read_schedule(reader, name, reader.numbers(name), levels, dimension)
    return None if schedule is None else _never_rising(reader, name, schedule, least=0.0)


def _default_sigmas(kind: PyramidKind, factors: Schedule) -> Schedule:
    if kind in ("Recursive", "Shrinking"):
        return tuple((0.0,) * len(factor) for factor in factors)
    last = len(factors) - 1
    return tuple(
        tuple(0.0 if kind == "Generic" and one == 1 and level == last else 0.5 * one for one in factor)
        for level, factor in enumerate(factors)
    )


def _given(reader: Reader, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if reader.has(name)), None)


def read_schedule(reader: Reader, name: str, values: tuple[float, ...], levels: int, dimension: int) -> Schedule | None:
    """`values` by level and axis; None, with an error, if there are too few; a warning if there are too many."""
    needed = levels * dimension
    if len(values) < needed:
        message = f"needs {needed} numbers for {counted(levels, 'level')} of {dimension}-D images, got {len(values)}"
        reader.note("error", name, message, "Give all axes of level 0, then of level 1 ...")
        return None
    if len(values) > needed:
        message = (
            f"{needed} numbers are enough for {counted(levels, 'level')} of {dimension}-D images, got {len(values)}"
        )
        reader.note("warning", name, message, "The last ones are ignored; delete them, or correct NumberOfResolutions")
    return tuple(values[level * dimension : (level + 1) * dimension] for level in range(levels))


def _never_rising(reader: Reader, name: str, schedule: Schedule, least: float) -> Schedule:
    """The schedule with each number at least `least` and at most the one of the level before."""
    result: list[tuple[float, ...]] = []
    for row in schedule:
        before = result[-1] if result else row
        result.append(tuple(max(min(one, earlier), least) for one, earlier in zip(row, before)))
    if tuple(result) != schedule:
        lowered = " ".join(f"{one:g}" for row in result for one in row)
        reader.note("warning", name, f"rises from level to level or is below {least:g}; elastix makes it {lowered}")
    return tuple(result)
