"""One parameter map, from plan and images to a result."""

import time
import warnings
from collections.abc import Sequence

import torch

from elastix_impact.errors import InputError
from elastix_impact.geometry.image import Image
from elastix_impact.io.warning import InputWarning
from elastix_impact.parameters.plan import RegistrationPlan
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.composite import CompositeTransform

from .both_see import FieldsOfView
from .build_metric import FindModel, Landmarks
from .keep import Keeper, KeepsNothing
from .level import RegistrationTask
from .observe import Observer
from .repeat import run_level_unfolded
from .result import RegistrationResult, StopReason
from .start import is_searched, starting_transform
from .state import RegistrationState


def register(
    plan: RegistrationPlan,
    fixed: Image,
    moving: Image,
    *,
    fixed_mask: Image | None = None,
    moving_mask: Image | None = None,
    landmarks: Landmarks | None = None,
    initial: AbstractTransform | None = None,
    find_model: FindModel,
    device: torch.device,
    observers: Sequence[Observer] = (),
    keeper: Keeper | None = None,
    resume_from: RegistrationState | None = None,
) -> RegistrationResult:
    """Register `moving` to `fixed` as the plan says.

    Parameters
    ----------
    fixed, moving
        Images of the plan's dimension.
    fixed_mask, moving_mask
        Where the images count; a mask may lie on a grid of its own.
    landmarks
        Corresponding fixed and moving world points, for a metric that compares them.
    initial
        A transform applied before the one that is optimised (or added to it), world frame, float64.
    find_model
        Turns a model's path as the map writes it into an existing file.
    observers
        Watch and may stop the run; they can't change its numbers.
    keeper
        Keeps the state at each level's end, in the loop when it is due, and before a KeyboardInterrupt passes through.
    resume_from
        A state that a keeper was given by a registration of the same plan and inputs on the same kind of device: the
        result is that which it would have had.

    Returns
    -------
    RegistrationResult
        Look at `stop_reason.is_failure`: a run that failed comes back with the transform it had reached.

    Raises
    ------
    ElastixImpactError
        If images, models and plan don't fit together.
    """
    if not fixed.grid.dimension == moving.grid.dimension == plan.dimension:
        raise InputError(
            f"{fixed.name} has {fixed.grid.dimension} dimensions, {moving.name} {moving.grid.dimension}, "
            f"and {plan.source} is for {plan.dimension}",
            expected="the same number everywhere",
        )
    began = time.perf_counter()
    generator = torch.Generator().manual_seed(plan.random_seed)
    if not plan.use_direction_cosines:
        fixed, moving = fixed.without_direction(), moving.without_direction()
        fixed_mask = None if fixed_mask is None else fixed_mask.without_direction()
        moving_mask = None if moving_mask is None else moving_mask.without_direction()
    for observer in observers:
        observer.on_start(plan, str(device))
    keeper = keeper or KeepsNothing()
    images = fixed, moving, fixed_mask, moving_mask
    views = FieldsOfView.of(fixed, moving) if any(level.sample_where_both_see for level in plan.levels) else None
    task = RegistrationTask(plan, images, views, landmarks, initial, find_model, device, generator, observers, keeper)
    state = resume_from or _first_state(task)
    while state.level < len(plan.levels):
        state = run_level_unfolded(task, state)
        record = state.records[-1]
        for observer in observers:
            observer.on_level_end(record, state.current)
        if record.stop_reason.is_failure or record.stop_reason is StopReason.STOPPED_BY_OBSERVER:
            break
        keeper.keep(state)
    current = state.current
    whole = current if initial is None else CompositeTransform(initial, current, plan.how_to_combine_transforms)
    return RegistrationResult(
        whole, current, initial, state.records, state.records[-1].stop_reason, str(device),
        {"total": time.perf_counter() - began}, state.search,
    )  # fmt: skip


def _first_state(task: RegistrationTask) -> RegistrationState:
    """The state before the first level, told to the observers if its transform had to be searched."""
    for observer in task.observers if is_searched(task.plan, task.initial) else ():
        observer.on_phase(0, "search")
    current, found = starting_transform(task.plan, task.images, task.initial)
    if found is not None and found.word == "ambiguous" and not found.header_kept:
        warnings.warn(f"{task.plan.source}: {found.sentence}", InputWarning, stacklevel=3)
    return RegistrationState(0, current, task.generator.get_state(), search=found)
