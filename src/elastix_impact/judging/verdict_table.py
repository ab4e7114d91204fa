"""The one table of what a verdict looks at: names, units, thresholds, sentences, remedies; docs/verdict.md shows it.

Thresholds were set on one half of the runs of `benchmarks.verdicts` and checked on the other.
"""

from dataclasses import dataclass
from typing import Literal, final

Word = Literal["good", "look", "bad"]


@final
@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a verdict looks at.

    Attributes
    ----------
    worse
        Whether values above or below the thresholds are worse.
    look, bad
        From where on it takes a look, and from where on the result is bad; None = never.
    digits
        Decimals of the numbers in `sentence`.
    sentence
        With ``{value}``, ``{threshold}`` and, where the caller knows more, ``{detail}``; no full stop.
    """

    name: str
    unit: str
    worse: Literal["above", "below"]
    look: float | None
    bad: float | None
    digits: int
    sentence: str
    remedy: str

    def word(self, value: float) -> Word:
        """The word for a value; one that is no number is bad."""
        if value != value:
            return "bad"
        if self.bad is not None and self._is_beyond(value, self.bad):
            return "bad"
        return "look" if self.look is not None and self._is_beyond(value, self.look) else "good"

    def number(self, value: float | None) -> str:
        """A value as the sentence says it."""
        return "-" if value is None else f"{value:.{self.digits}f}"

    def _is_beyond(self, value: float, threshold: float) -> bool:
        return value > threshold if self.worse == "above" else value < threshold


_START = "Give an initial transform, masks of what both images show, or a first map with a rigid transform"
_STIFFER = (
    "Add a bending energy (Metric TransformBendingEnergyPenalty) or raise its weight, widen "
    "FinalGridSpacingInPhysicalUnits, or lower MaximumStepLength"
)
_SEEDS = (
    "Raise NumberOfSpatialSamples or MaximumNumberOfIterations, make the transform stiffer, or give a better start: "
    "chance decides more here than the images"
)
_FEWER = "Take the result of the stage before, or make this stage stiffer, and keep samples to where both images see"

CHECKS: tuple[Check, ...] = (
    Check("folded", "%", "above", 0.1, 0.5, 2, "{value} % of the volume is folded (at most {threshold} %)", _STIFFER),
    Check(
        "determinant_low", "", "below", 0.2, 0.05, 2,
        "one place in a hundred shrinks to {value} of its volume or less (at least {threshold})", _STIFFER,
    ),
    Check(
        "determinant_high", "", "above", 5.0, 10.0, 1,
        "one place in a hundred grows {value} times or more (at most {threshold} times)", _STIFFER,
    ),
    Check(
        "volume_scale", "", "above", 1.7, 2.0, 2,
        "the image as a whole is scaled in volume by a factor of {value} (at most {threshold})",
        "Leave out the affine stage: images of one person need none; keep samples to where both images see",
    ),
    Check(
        "bending", "%", "above", 12.0, 20.0, 1,
        "the deformation reaches {value} % of the image's longest side (at most {threshold} %)", _STIFFER,
    ),
    Check(
        "overlap", "%", "below", 15.0, 3.0, 0,
        "the moving image shows only {value} % of what the fixed image shows (at least {threshold} %)", _START,
    ),
    Check(
        "overlap_kept", "%", "below", 60.0, 30.0, 0,
        "only {value} % of the overlap at the start is left (at least {threshold} %)", _START,
    ),
    Check(
        "places", "", "below", 1000.0, 200.0, 0,
        "only {value} places are seen by both images (at least {threshold}): too few to tell", _START,
    ),
    Check(
        "nmi_lead", "", "below", 0.01, 0.003, 4,
        "the images match hardly better here than a little beside: mutual information leads by {value} (at least "
        "{threshold})", _START,
    ),
    Check(
        "gradient_lead", "", "below", 0.08, 0.04, 3,
        "edges match hardly better here than a little beside: their agreement leads by {value} (at least {threshold})",
        _START,
    ),
    Check(
        "nmi_gain", "", "below", 1.0, 0.9, 2,
        "mutual information is {value} times that at the start (at least {threshold})", _START,
    ),
    Check(
        "gradient_gain", "", "below", -0.02, -0.05, 3,
        "the agreement of edges has changed by {value} since the start (at least {threshold})", _START,
    ),
    Check(
        "stage_nmi", "", "below", 1.0, 0.9, 2,
        "mutual information is {value} times that after an earlier stage (at least {threshold})", _FEWER,
    ),
    Check(
        "stage_gradients", "", "below", -0.02, -0.05, 3,
        "the agreement of edges has changed by {value} since an earlier stage (at least {threshold})", _FEWER,
    ),
    Check(
        "stages_rejected", "", "above", 0.0, None, 0,
        "{value} stage(s) were not kept: {detail}",
        "Look at that stage's map, or leave the stage out",
    ),
    Check(
        "metric_change", "%", "above", 10.0, None, 0,
        "the metric ended {value} % worse than it began (at most {threshold} %)",
        "Lower MaximumStepLength or raise MaximumNumberOfIterations",
    ),
    Check(
        "metric_range", "", "below", None, 1e-9, 1,
        "the metric did not change at all: the features or the images are constant",
        "Look at the features (ImpactWriteFeatureMaps) and choose another model or layer",
    ),
    Check(
        "samples", "", "below", 300.0, 50.0, 0,
        "only {value} samples per iteration were seen by both images (at least {threshold})",
        "Raise NumberOfSpatialSamples, or enlarge the masks",
    ),
    Check(
        "foreign_model", "", "above", 0.0, None, 0,
        "a network for CT was given images that are not in Hounsfield units: {detail}",
        "Take a model for MR, or MIND; `elastix-impact models list` says what each was trained on",
    ),
    Check(
        "tre_change", "mm", "above", 0.5, 1.0, 2,
        "the landmark error is {value} mm larger than before (at most {threshold} mm): {detail}", _START,
    ),
    Check(
        "dice_change", "", "below", -0.02, -0.05, 3,
        "the mean Dice has changed by {value} (at least {threshold}): {detail}", _START,
    ),
    Check(
        "hd95_change", "mm", "above", 2.0, 5.0, 1,
        "the mean HD95 is {value} mm larger than before (at most {threshold} mm)", _START,
    ),
    Check(
        "seeds_disagree", "%", "above", 1.0, 5.0, 1,
        "with another seed the result lies {value} % of the image's longest side beside (at most {threshold} %): "
        "{detail}", _SEEDS,
    ),
    Check(
        "seeds_failed", "", "above", 0.0, None, 0,
        "with {value} other seed(s) the registration failed: {detail}", _SEEDS,
    ),
)  # fmt: skip
