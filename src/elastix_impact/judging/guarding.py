"""Whether a stage is kept: the evidence of the images, which no stage optimises, before and after it."""

from dataclasses import dataclass
from typing import Any, final

from elastix_impact.transforms.base import AbstractTransform

from .course import nmi_ratio
from .verdict import reach_verdict
from .witness import Testimony, Witness

EVIDENCE = ("stage_nmi", "stage_gradients")


@final
@dataclass(frozen=True, eq=False)
class GuardReport:
    """What became of a stage.

    Attributes
    ----------
    kept
        Whether the run goes on from it.
    reason
        What speaks most against the stage, empty if it is kept.
    """

    kept: bool
    testimony: Testimony
    reason: str = ""

    @property
    def sentence(self) -> str:
        """What became of it and why, with the numbers, in one sentence without a full stop."""
        words = "the stage is kept" if self.kept else f"the stage is not kept, because {self.reason}"
        before, after = self.testimony.before, self.testimony.after
        if before is None or after is None:
            return f"{words}; before and after it the images see no common place"
        return (
            f"{words}; mutual information {before.nmi:.4f} before and {after.nmi:.4f} after it, agreement of edges "
            f"{before.gradients:.3f} and {after.gradients:.3f}"
        )

    def to_json(self) -> dict[str, Any]:
        """As `registration.json` holds it."""
        return {
            "kept": self.kept,
            **self.testimony.to_json(),
            "reason": self.reason,
            "sentence": self.sentence,
        }


def judge_stage(witness: Witness, before: AbstractTransform | None, after: AbstractTransform) -> GuardReport:
    """Judge a stage by the transforms before (None = the identity) and after it.

    It is not kept if folding, determinants, scale or bending are bad by the thresholds of the verdict and became worse,
    or if the evidence is clearly worse than before.
    """
    testimony = witness.testimony(before, after)
    found = reach_verdict(_values(testimony, witness.scene.extent))
    if found.word == "bad":
        return GuardReport(False, testimony, found.reasons[0].sentence)
    doubts = [reason.sentence for reason in found.reasons if reason.check in EVIDENCE]
    if len(doubts) == len(EVIDENCE):
        return GuardReport(False, testimony, " and ".join(doubts))
    return GuardReport(True, testimony)


def _values(testimony: Testimony, extent: float) -> dict[str, float]:
    """The values of what the stage made worse, by the names of the checks."""
    old, new = testimony.space_before, testimony.space_after
    values: dict[str, float] = {}
    if new.share_folded > old.share_folded:
        values["folded"] = 100 * new.share_folded
    if new.determinant_low < old.determinant_low:
        values["determinant_low"] = new.determinant_low
    if new.determinant_high > old.determinant_high:
        values["determinant_high"] = new.determinant_high
    if new.bending_mm > old.bending_mm:
        values["bending"] = 100 * new.bending_mm / extent
    change = abs(new.volume_scale / old.volume_scale) if old.volume_scale else 1.0
    values["volume_scale"] = max(change, 1 / max(change, 1e-9))
    if testimony.before is not None and testimony.after is not None:
        values["stage_nmi"] = nmi_ratio(testimony.before, testimony.after)
        values["stage_gradients"] = testimony.after.gradients - testimony.before.gradients
    return values
