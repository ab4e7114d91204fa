"""The guard of a run: a stage that made the result worse is undone, and its files say so.

The files of such a stage stay consistent with the result: `TransformParameters.<i>.txt` holds a transform that moves
nothing on top of the one before, so that the chain ends where the run goes on; what the stage had found is written as
`TransformParameters.<i>.rejected.txt`.
"""

import warnings
from dataclasses import replace

import torch

from elastix_impact.io.warning import InputWarning
from elastix_impact.judging.evaluate import EVALUATION_FAILURES
from elastix_impact.judging.guarding import GuardReport, judge_stage
from elastix_impact.judging.witness import Witness
from elastix_impact.parameters.plan import RegistrationPlan
from elastix_impact.registration.result import RegistrationResult
from elastix_impact.transforms.translation import TranslationTransform

from .stage import Stage


def guard_stage(
    stage: Stage, plan: RegistrationPlan, result: RegistrationResult
) -> tuple[RegistrationResult, GuardReport | None]:
    """The result that the run goes on with, and why; no report if the map asks for no guard, or the stage failed.

    Warns
    -----
    InputWarning
        If the stage is not kept, with its numbers; or if it could not be judged, and is kept.
    """
    if not plan.guard_stages or result.stop_reason.is_failure:
        return result, None
    inputs = stage.inputs.seen_by(plan)
    try:
        witness = Witness.of(inputs.fixed, inputs.moving, inputs.fixed_mask, inputs.moving_mask)
        report = judge_stage(witness, stage.initial, result.transform)
    except EVALUATION_FAILURES as error:
        warnings.warn(f"stage {stage.number} could not be judged and is kept: {error}", InputWarning, stacklevel=2)
        return result, None
    if report.kept:
        stage.log.info(f"Guard: {report.sentence}")
        return result, report
    warnings.warn(f"stage {stage.number} ({plan.source}): {report.sentence}", InputWarning, stacklevel=2)
    stage.write_transform(result.current, ".rejected")
    still = TranslationTransform(torch.zeros(plan.dimension, dtype=torch.float64))
    return replace(result, current=still, transform=stage.whole(still)), report
