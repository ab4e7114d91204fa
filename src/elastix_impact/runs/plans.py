"""From parameter map files to plans: all faults of all maps at once, and the models they name."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from elastix_impact.errors import InputError, ModelError, ParameterMapError
from elastix_impact.io.itk_elastix import itk_elastix_version
from elastix_impact.io.warning import InputWarning
from elastix_impact.parameters.plan import HandedOnPlan, RegistrationPlan, StagePlan
from elastix_impact.parameters.problems import Problem, raise_if_errors
from elastix_impact.parameters.raw import RawParameterMap
from elastix_impact.parameters.reader import EffectiveValue
from elastix_impact.parameters.resolve import resolve
from elastix_impact.parameters.text import read_parameter_maps
from elastix_impact.zoo.find import find_model
from elastix_impact.zoo.trial import try_model

SEEDS = 2**32
"""How many there are; the one after the last is 0."""

FindModel = Callable[[str, int], Path]


@final
@dataclass(frozen=True)
class CasePlan:
    """The plans of all stages of a case.

    Attributes
    ----------
    raw
        The maps as written.
    stages
        What they resolve to.
    finders
        Per stage, what turns a model's path in the map and its dimension into a file.
    hints
        Remarks of resolution that are worth a line in the log.
    seed
        Replaces the maps' RandomSeed unless None.
    repetition
        See `Case`.
    effective
        Per stage, every value that resolution used, and where it comes from.
    """

    raw: tuple[RawParameterMap, ...]
    stages: tuple[StagePlan, ...]
    finders: tuple[FindModel, ...]
    hints: tuple[str, ...]
    seed: int | None
    repetition: int
    effective: tuple[tuple[EffectiveValue, ...], ...]

    @property
    def result_names(self) -> set[str]:
        """First parts of the names of the result images."""
        return {stage.output.result_image_name for stage in self.stages}

    @property
    def feature_folders(self) -> set[str]:
        """Folders that feature maps are written into, as the maps name them."""
        levels = [level for stage in self.stages if isinstance(stage, RegistrationPlan) for level in stage.levels]
        named = {impact.feature_maps_directory for level in levels for impact in level.impact_metrics}
        return {name for name in named if name}


def plan_case(maps: tuple[Path, ...], seed: int | None, data_folder: Path | None, repetition: int = 0) -> CasePlan:
    """Read and resolve all maps; `data_folder` is for `find_model`, for `repetition` see `Case`.

    Raises
    ------
    ParameterMapError
        With the faults of all maps.

    Warns
    -----
    InputWarning
        For each warning of resolution.
    """
    raw, grammar = _read_all(maps)
    stages, problems, effective = _resolve_all(raw, None, seed, repetition, grammar)
    for problem in problems:
        if problem.severity == "warning":
            warnings.warn(str(problem), InputWarning, stacklevel=2)
    for stage in stages:
        if isinstance(stage, HandedOnPlan):
            _check_alone(stage, raw)
            because = ", ".join(stage.components)
            version = itk_elastix_version(stage.source, because)
            text = f"{stage.source}: handed on to itk-elastix {version}, because {because} does not run natively"
            warnings.warn(text, InputWarning, stacklevel=2)
    hints = tuple(str(problem) for problem in problems if problem.severity == "hint")
    finders = tuple(_finder(Path(one.source).parent, data_folder) for one in raw)
    return CasePlan(raw, stages, finders, hints, seed, repetition, effective)


def _check_alone(stage: HandedOnPlan, raw: tuple[RawParameterMap, ...]) -> None:
    """Refuse a map for itk-elastix that stands in a file with others: it reads the file itself."""
    if sum(one.source == stage.source for one in raw) > 1:
        raise InputError(
            "itk-elastix has to run a map of this file, and reads files of one map only",
            where=stage.source,
            remedy="Save each map in a file of its own, and give one after the other",
        )


def resolve_for(plan: CasePlan, dimension: int) -> CasePlan:
    """The plans for images of this dimension.

    Raises
    ------
    ParameterMapError
        If a map is for another dimension.
    """
    stages, _, effective = _resolve_all(plan.raw, dimension, plan.seed, plan.repetition)
    return replace(plan, stages=stages, effective=effective)


def _read_all(maps: tuple[Path, ...]) -> tuple[tuple[RawParameterMap, ...], tuple[Problem, ...]]:
    """The maps whose grammar is right, and the faults of the others."""
    raw: list[RawParameterMap] = []
    problems: list[Problem] = []
    for path in maps:
        try:
            raw += read_parameter_maps(path)
        except ParameterMapError as error:
            if not error.problems:
                raise
            problems += [problem for problem in error.problems if isinstance(problem, Problem)]
    return tuple(raw), tuple(problems)


def _resolve_all(
    raw: tuple[RawParameterMap, ...],
    dimension: int | None,
    seed: int | None,
    repetition: int,
    faults: tuple[Problem, ...] = (),
) -> tuple[tuple[StagePlan, ...], tuple[Problem, ...], tuple[tuple[EffectiveValue, ...], ...]]:
    resolutions = [resolve(one, dimension=dimension) for one in raw]
    problems = (*faults, *(problem for resolution in resolutions for problem in resolution.problems))
    raise_if_errors(problems)
    plans = [resolution.stage for resolution in resolutions if resolution.stage is not None]
    effective = tuple(resolution.effective for resolution in resolutions)
    return tuple(_with_seed(plan, seed, repetition) for plan in plans), problems, effective


def _with_seed(plan: StagePlan, seed: int | None, repetition: int) -> StagePlan:
    """The plan with its seed; of a repetition with a further one, and with its transform as only output."""
    plan = replace(plan, random_seed=((plan.random_seed if seed is None else seed) + repetition) % SEEDS)
    if repetition == 0:
        return plan
    return replace(plan, output=replace(plan.output, write_result_image=False, write_final_transform=True))


def _finder(map_folder: Path, data_folder: Path | None) -> FindModel:
    return lambda path, dimension: find_model(path, map_folder=map_folder, data_folder=data_folder, dimension=dimension)


def find_models(plan: CasePlan) -> tuple[Path, ...]:
    """The files of all models that the maps name.

    Raises
    ------
    ModelError
        Naming the models that are missing and where they were looked for.
    """
    found: dict[Path, None] = {}
    missing: dict[str, ModelError] = {}
    for stage, find in zip(plan.stages, plan.finders):
        for level in () if isinstance(stage, HandedOnPlan) else stage.levels:
            for model in level.models:
                try:
                    found[find(model.path, model.dimension)] = None
                except ModelError as error:
                    missing.setdefault(model.path, error)
    if missing:
        first, *others = missing.values()
        what = first.what if not others else f"{first.what}; missing too: {', '.join(list(missing)[1:])}"
        raise ModelError(what, where=first.where, expected=first.expected, remedy=first.remedy)
    return tuple(found)


def try_models(plan: CasePlan) -> None:
    """Try every model of every stage, each way of using it once, so that no stage runs before one that can't.

    Raises
    ------
    ModelError
        See `try_model`.
    """
    uses: dict[tuple[Path, int, int, tuple[bool, ...], tuple[int, ...] | None], None] = {}
    for stage, find in zip(plan.stages, plan.finders):
        for level in () if isinstance(stage, HandedOnPlan) else stage.levels:
            for metric in level.impact_metrics:
                for model in (*metric.fixed_models, *metric.moving_models):
                    side = model.patch_size[: model.dimension]
                    patch = side if metric.mode == "Jacobian" and all(side) else None
                    uses[
                        find(model.path, model.dimension), model.dimension, model.channels, model.layers_mask, patch
                    ] = None
    for path, dimension, channels, layers_mask, patch in uses:
        try_model(path, dimension=dimension, channels=channels, layers_mask=layers_mask, patch_size=patch)
