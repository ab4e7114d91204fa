"""RepeatWhileFolding: how much bending energy a deformation needs is found by trying.

A weight of the bending energy that suits all images does not exist: it depends on the control points' distance, on the
metric's scale and noise, and on how much anatomy moves. What can be seen is whether it was too small: the deformation
folds. Then the level is repeated from its start with a larger weight, which later levels keep.
"""

from dataclasses import replace

from elastix_impact.parameters.metric_plan import PenaltyPlan
from elastix_impact.parameters.plan import LevelPlan, RegistrationPlan

from .level import RegistrationTask, run_level
from .result import StopReason
from .state import RegistrationState

FACTOR = 4.0
"""By which the weight grows."""

MOST_STIFFNESS = FACTOR**4
"""How much larger than the plan's it may become; the level that reaches this counts even if it folds."""

MOST_FOLDED = 0.0005
"""Share of the places where samples are drawn that may fold."""


def run_level_unfolded(task: RegistrationTask, state: RegistrationState) -> RegistrationState:
    """`run_level`, repeated as the module says; the state that comes back has the weights' factor that was found."""
    while True:
        after = run_level(replace(task, plan=stiffened(task.plan, state.stiffness)), state)
        *earlier, record = after.records
        folded, stopped = record.share_folded or 0.0, record.stop_reason
        goes_on = not (stopped.is_failure or stopped is StopReason.STOPPED_BY_OBSERVER)
        if folded <= MOST_FOLDED or state.stiffness >= MOST_STIFFNESS or not goes_on:
            break
        state = replace(state, stiffness=state.stiffness * FACTOR, generator=after.generator, loop=None)
    if state.stiffness == 1.0:
        return after
    note = f"The bending energy weighs {state.stiffness:g} times what the map says; {folded:.2%} folded."
    return replace(after, records=(*earlier, replace(record, notes=(*record.notes, note))))


def stiffened(plan: RegistrationPlan, factor: float) -> RegistrationPlan:
    """The plan with weights of the bending energy that are larger by `factor`."""
    if factor == 1.0:
        return plan
    return replace(plan, levels=tuple(_stiffened_level(step, factor) for step in plan.levels))


def _stiffened_level(step: LevelPlan, factor: float) -> LevelPlan:
    terms = tuple(
        replace(term, weight=term.weight * factor)
        if isinstance(term.metric, PenaltyPlan) and term.metric.kind == "BendingEnergy"
        else term
        for term in step.terms
    )
    return replace(step, terms=terms)
