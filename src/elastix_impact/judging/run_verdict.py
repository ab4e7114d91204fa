"""The verdict at the end of a run: what its images, stages, samples, models, landmarks and labels say.

Stages are read as the record holds them, so that a run that was continued is judged as one that ran through.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from elastix_impact.evaluation.summary import EvaluationSummary
from elastix_impact.geometry.image import Image
from elastix_impact.io.warning import InputWarning
from elastix_impact.parameters.plan import RegistrationPlan, StagePlan
from elastix_impact.zoo.catalog import CATALOG

from .course import Course, image_values, truth_values
from .evaluate import EVALUATION_FAILURES, Judged
from .verdict import Verdict, reach_verdict
from .witness import Witness

AIR = -200.0
"""Hounsfield units: an image whose lowest value is above it shows no air and is hardly a CT."""


def verdict_of(
    judged: Judged,
    moving_mask: Image | None,
    course: Course,
    plans: Sequence[StagePlan],
    reports: Sequence[Mapping[str, Any]],
    evaluations: Mapping[int, EvaluationSummary],
    evaluation: EvaluationSummary | None,
) -> Verdict | None:
    """The verdict on a run that is complete.

    Parameters
    ----------
    judged, moving_mask
        The inputs as the last stage's plan sees them; both images are there.
    course
        The transforms of its stages.
    plans, reports, evaluations
        Of its stages: what was asked, what the record holds, and the measures by number where there are any.
    evaluation
        The measures of the result, None if it was not measured.

    Returns
    -------
    Verdict or None
        None if it could not be reached, which is a warning, or the last transform's kind can't be read here.
    """
    fixed, moving = judged.fixed, judged.moving
    if course.stages[-1] is None or fixed is None or moving is None:
        return None
    try:
        witness = Witness.of(fixed, moving, judged.fixed_mask, moving_mask)
        values = image_values(witness, course)
        earlier = [found for number, found in evaluations.items() if number + 1 < len(reports)]
        truth, details = truth_values(course, evaluation, judged.landmarks, earlier)
    except EVALUATION_FAILURES as error:
        warnings.warn(f"no verdict could be reached: {error}", InputWarning, stacklevel=2)
        return None
    models, rejected = foreign_models(plans, (fixed, moving)), _rejected(reports)
    values |= {"stages_rejected": float(len(rejected)), "foreign_model": float(len(models))}
    details |= {"stages_rejected": "; ".join(rejected), "foreign_model": ", ".join(models)}
    kept = [report for report in reports if "levels" in report and report.get("guard", {}).get("kept", True)]
    if kept:
        values |= level_values(kept[-1]["levels"])
    return reach_verdict(values | truth, details)


def level_values(levels: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """What the metric and the samples of a stage's levels, as in the record, say, by the names of the checks."""
    last = levels[-1]
    values = {"samples": last["samples"] * last["valid_fraction"]} if _is_finite(last["valid_fraction"]) else {}
    metrics = [level[key] for level in levels for key in ("first_metric", "final_metric")]
    if all(map(_is_finite, metrics)) and sum(level["iterations"] for level in levels) > 1:
        first, final = last["first_metric"], last["final_metric"]
        values["metric_range"] = max(metrics) - min(metrics)
        values["metric_change"] = 100 * (final - first) / max(abs(first), 1e-12)
    return values


def foreign_models(plans: Sequence[StagePlan], images: Sequence[Image]) -> list[str]:
    """Networks for CT that were given an image without Hounsfield units, with that image's name."""
    lowest = {image.name: float(image.data.min()) for image in images}
    native = [plan for plan in plans if isinstance(plan, RegistrationPlan)]
    paths = {model.path for plan in native for level in plan.levels for model in level.models}
    for_ct = [path for path in sorted(paths) if _modality(path) == "CT"]
    strange = [name for name, value in lowest.items() if value > AIR]
    return [f"{path} for {name} (lowest value {lowest[name]:g})" for path in for_ct for name in strange]


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _modality(path: str) -> str:
    """What a published model was trained on, by the end of its path; "any" of others."""
    name = "/".join(PurePosixPath(path).parts[-2:])
    return CATALOG[name].modality if name in CATALOG else "any"


def _rejected(reports: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the guard said of the stages that it did not keep."""
    return [
        f"stage {number}, because {report['guard']['reason']}"
        for number, report in enumerate(reports)
        if "guard" in report and not report["guard"]["kept"]
    ]
