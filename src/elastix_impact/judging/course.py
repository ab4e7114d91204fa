"""What the course of a registration, stage after stage, says about its end: the values that a verdict is made of."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch

from elastix_impact.evaluation.evidence import Evidence
from elastix_impact.evaluation.labels import LabelSummary
from elastix_impact.evaluation.landmarks import landmark_distance, target_registration_error
from elastix_impact.evaluation.scene import Look
from elastix_impact.evaluation.summary import EvaluationSummary
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.typing import Points

from .witness import Witness

LEAST_COMMON = 0.05
"""Share of the places that two transforms must both see for their evidence to be compared."""


@final
@dataclass(frozen=True, eq=False)
class Course:
    """The transforms of a run: where it started (None = the identity), and what its stages reached.

    `stages` are in order, the last one is the result. A stage that itk-elastix ran and whose transform can't be read
    here is None; that can only be the last one.
    """

    start: AbstractTransform | None
    stages: list[AbstractTransform | None]


def image_values(witness: Witness, course: Course) -> dict[str, float]:
    """What the images alone say, by the names of the checks."""
    places = len(witness.scene.points)
    if places == 0:
        return {"places": 0.0}
    start, *earlier, last = (witness.look(one) for one in (course.start, *course.stages))
    starts, rivals = (
        [look for one, look in pairs if not _are_one(witness, course, one, look, last)]
        for pairs in ([(course.start, start)], zip(course.stages, earlier))
    )
    values = _space_values(witness, start, last) | {"places": float(last.seen.sum())}
    peak = witness.peak(last)
    if peak is not None:
        values |= {"nmi_lead": peak.nmi_near, "gradient_lead": peak.gradients_near}
    values |= _gains(witness, starts, last, "nmi_gain", "gradient_gain")
    return values | _gains(witness, rivals, last, "stage_nmi", "stage_gradients")


def _are_one(witness: Witness, course: Course, one: AbstractTransform | None, look: Look, last: Look) -> bool:
    """Whether `one` and the last transform are linear and nowhere a voxel apart: too near for the evidence to choose.

    Its own best place lies some tenths of a voxel from the true one: smoothing and interpolation favour a pose.
    """
    if not all(each is None or each.is_linear for each in (one, course.stages[-1])):
        return False
    return float(torch.linalg.vector_norm(look.mapped - last.mapped, dim=1).amax()) < witness.scene.spacing


def _space_values(witness: Witness, start: Look, last: Look) -> dict[str, float]:
    space, share_before = witness.space(last), float(start.seen.double().mean())
    scale = abs(space.volume_scale)
    values = {
        "folded": 100 * space.share_folded,
        "determinant_low": space.determinant_low,
        "determinant_high": space.determinant_high,
        "volume_scale": max(scale, 1 / scale) if scale > 0 else math.inf,
        "bending": 100 * space.bending_mm / witness.scene.extent,
        "overlap": 100 * space.share_seen,
    }
    return values | ({"overlap_kept": 100 * space.share_seen / share_before} if share_before > LEAST_COMMON else {})


def _gains(witness: Witness, looks: Sequence[Look], last: Look, nmi: str, gradients: str) -> dict[str, float]:
    """The evidence for the last transform against the worst rival among `looks`, by these names."""
    ratios, differences = [], []
    for look in looks:
        if float((look.seen & last.seen).double().mean()) < LEAST_COMMON:
            continue
        found = witness.both(look, last)
        if found is not None:
            ratios.append(nmi_ratio(*found))
            differences.append(found[1].gradients - found[0].gradients)
    return {nmi: min(ratios), gradients: min(differences)} if ratios else {}


def nmi_ratio(before: Evidence, after: Evidence) -> float:
    """How many times what the images tell about each other, (H(A) + H(B)) / H(A, B) - 1, has grown."""
    return (after.nmi - 1) / max(before.nmi - 1, 1e-6)


def truth_values(
    course: Course,
    summary: EvaluationSummary | None,
    landmarks: tuple[Points, Points] | None,
    earlier: Sequence[EvaluationSummary] = (),
) -> tuple[dict[str, float], dict[str, str]]:
    """What landmarks and labels say, as far as they were given: values by check, and words for the sentences.

    `summary` is that of the result, `earlier` those after stages before the last.
    """
    values: dict[str, float] = {}
    details: dict[str, str] = {}
    if landmarks is not None:
        errors = [_mean_error(one, landmarks) for one in (course.start, *course.stages)]
        best = min(range(len(errors) - 1), key=errors.__getitem__)
        values["tre_change"] = errors[-1] - errors[best]
        when = "at the start" if best == 0 else f"after stage {best - 1}"
        details["tre_change"] = f"{errors[best]:.2f} mm {when}, {errors[-1]:.2f} mm now"
    labels = {} if summary is None else summary.labels
    start = labels.get("initial", labels.get("before"))
    if start is not None and "after" in labels:
        after = labels["after"]
        before = max([start, *(one.labels["after"] for one in earlier if "after" in one.labels)], key=_dice)
        values |= _changes({"dice_change": (before.mean_dice, after.mean_dice)})
        values |= _changes({"hd95_change": (before.mean_hd95_mm, after.mean_hd95_mm)})
        when = "at the start" if before is start else "after an earlier stage"
        details["dice_change"] = f"{before.mean_dice:.3f} {when}, {after.mean_dice:.3f} now"
    return values, details


def _dice(labels: LabelSummary) -> float:
    return labels.mean_dice


def _changes(pairs: Mapping[str, tuple[float | None, float | None]]) -> dict[str, float]:
    return {name: after - before for name, (before, after) in pairs.items() if before is not None and after is not None}


def _mean_error(transform: AbstractTransform | None, landmarks: tuple[Points, Points]) -> float:
    fixed, moving = landmarks
    errors = (
        landmark_distance(fixed, moving) if transform is None else target_registration_error(transform, fixed, moving)
    )
    return float(errors.mean())
