"""The runs of `benchmarks.verdicts`: which images, which maps, what is ruined on purpose, and what the truth is."""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["labels", "points", "reference"]

MS, EPI, KIDNEY = "ms-brain-multimodal/p01_", "epi-t1/", "histology-rat-kidney/Rat-Kidney_"


@dataclass(frozen=True)
class Truth:
    """Files that say where things truly are, which the run is not given.

    `labels`: segmentations, scored by mean Dice; `points`: landmarks, mean error in mm (pixels of histology);
    `reference`: an ITK transform, mean distance in mm over the fixed image's foreground. A result is right at `fine`
    or better, and ruined at `lost` or worse.
    """

    kind: Kind
    files: tuple[str, ...]
    fine: float
    lost: float


@dataclass(frozen=True)
class Pair:
    """Two images; voxel size of the finest level and distance of control points in mm; no truth: for ruins only."""

    fixed: str
    moving: str
    voxel: float
    grid: float
    truth: Truth | None
    mask: str | None = None


@dataclass(frozen=True)
class Trial:
    """One run: `stages` of a pair, or the one preset named instead, `spoil` = what is done to the inputs.

    `changes` are made to all the maps. `tuned` runs served to set the thresholds, the others to check them. Where the
    inputs are spoilt beyond repair nothing needs to be measured: `hopeless`.
    """

    pair: str
    stages: tuple[str, ...]
    spoil: str = ""
    changes: dict[str, str] = field(default_factory=dict)
    tuned: bool = True
    hopeless: bool = False
    other: str | None = None

    @property
    def preset(self) -> str | None:
        """The preset of the trial, None if it has stages of its own."""
        return self.stages[0] if self.stages in (PRESET, MONO) else None

    @property
    def name(self) -> str:
        """A name for folder and table."""
        changed = [f"{key}={value.split()[0]}" for key, value in self.changes.items()]
        return " ".join([self.pair, "+".join(self.stages), *changed, *([self.spoil] if self.spoil else [])])


def _hippocampus(fixed: str, moving: str) -> Pair:
    stem = "hippocampus-mr/hippocampus_"
    return Pair(
        f"{stem}{fixed}_mr.nii.gz", f"{stem}{moving}_mr.nii.gz", 1, 10,
        Truth("labels", (f"{stem}{fixed}_labels.nii.gz", f"{stem}{moving}_labels.nii.gz"), 0.62, 0.5),
    )  # fmt: skip


def _thigh(patient: str) -> Pair:
    stem = f"sts-ct-mr/STS_{patient}/"
    return Pair(
        f"{stem}fixed_ct.nii.gz", f"{stem}moving_t1.nii.gz", 3, 40,
        Truth("points", (f"{stem}fixed_points.txt", f"{stem}moving_points.txt"), 8.0, 10.0),
    )  # fmt: skip


def _lung(moving: str, points: str, lost: float) -> Pair:
    return Pair(
        "ct_lung/fixed.mha", moving, 3, 30, Truth("points", (f"{points}fixed_points.txt", f"{points}moving_points.txt"),
        2.5, lost), mask="ct_lung/fixed_mask.mha",
    )  # fmt: skip


def _ms(moving: str, reference: str, lost: float) -> Pair:
    return Pair(
        f"{MS}study1_T1W.nii.gz", f"{MS}{moving}.nii.gz", 2, 40,
        Truth("reference", (f"{MS}ref_study1T1_points_to_{reference}.tfm",), 2.5, lost),
    )  # fmt: skip


PAIRS = {
    "hippo-001-004": _hippocampus("001", "004"),
    "hippo-007-011": _hippocampus("007", "011"),
    "hippo-015-023": _hippocampus("015", "023"),
    "hippo-019-025": _hippocampus("019", "025"),
    "hippo-011-001": _hippocampus("011", "001"),
    "slices": Pair("brain-2d-slices/r16slice.jpg", "brain-2d-slices/r85slice.jpg", 1, 20, None),
    "cord": Pair(
        "cord-t1-t2/t1w.nii.gz", "cord-t1-t2/t2.nii.gz", 1, 8,
        Truth("labels", ("cord-t1-t2/t1w_seg-manual.nii.gz", "cord-t1-t2/t2_seg-manual.nii.gz"), 0.7, 0.68),
    ),
    "ms-t1": _ms("study2_T1W", "study2T1", 6.0),
    "ms-t2": _ms("study1_T2W", "study1T2", 4.0),
    "ms-flair": _ms("study1_FLAIR", "study1FLAIR", 4.0),
    "epi": Pair(
        f"{EPI}highres.nii.gz", f"{EPI}example_func.nii.gz", 2, 50,
        Truth("reference", (f"{EPI}reference_highres_points_to_func.tfm",), 4.0, 8.0),
    ),
    "histology": Pair(
        f"{KIDNEY}HE.jpg", f"{KIDNEY}PanCytokeratin.jpg", 0.8, 12,
        Truth("points", (f"{KIDNEY}HE_landmarks.csv", f"{KIDNEY}PanCytokeratin_landmarks.csv"), 12.0, 20.0),
    ),
    "lung-mono": _lung("ct_lung/moving_mono.mha", "ct_lung/", 4.2),
    "lung-multi": _lung("ct_lung/moving_multi.mha", "ct_lung/", 4.2),
    "lung-06": _lung("lung-large-motion/case06/moving.nii.gz", "lung-large-motion/case06/", 10.0),
    "lung-08": _lung("lung-large-motion/case08/moving.nii.gz", "lung-large-motion/case08/", 10.0),
    "thigh-035": _thigh("035"),
    "thigh-018": _thigh("018"),
    "abdomen": Pair(
        "abdomen-ct-mr/ct_slab.nii.gz", "abdomen-ct-mr/mr_slab.nii.gz", 3, 40,
        Truth("labels", ("abdomen-ct-mr/ct_slab_labels_common.nii.gz", "abdomen-ct-mr/mr_slab_labels_common.nii.gz"),
              0.38, 0.25),
    ),
}  # fmt: skip

R, RA, RS, RAS, S = ("rigid",), ("rigid", "affine"), ("rigid", "spline"), ("rigid", "affine", "spline"), ("spline",)
M, RAM, PRESET, MONO = ("mind",), ("rigid", "affine", "mind"), ("general",), ("mono",)

_STEP = {"hippo": {"MaximumStepLength": "6"}, "cord": {"MaximumStepLength": "6"}, "large": {"MaximumStepLength": "25"}}
_FINE_GRID = {"FinalGridSpacingInPhysicalUnits": "3"}

GOOD = (
    Trial("hippo-001-004", RA), Trial("hippo-001-004", RAM), Trial("hippo-007-011", RAM), Trial("cord", R),
    Trial("ms-t1", R), Trial("ms-t2", R), Trial("epi", R), Trial("histology", RA), Trial("lung-mono", S),
    Trial("lung-multi", S), Trial("lung-06", M),
    Trial("thigh-035", R),
    Trial("hippo-019-025", RAM, tuned=False),
    Trial("ms-flair", R, tuned=False), Trial("ms-t1", RS, tuned=False), Trial("hippo-011-001", RAM, tuned=False),
    Trial("lung-08", M, tuned=False), Trial("histology", RAS, tuned=False), Trial("lung-multi", M, tuned=False),
    Trial("abdomen", R, tuned=False),
    Trial("thigh-035", PRESET, tuned=False), Trial("thigh-018", PRESET, tuned=False),
    Trial("cord", PRESET, tuned=False), Trial("histology", PRESET, tuned=False),
    Trial("abdomen", PRESET, tuned=False), Trial("lung-06", PRESET, tuned=False),
    Trial("hippo-015-023", MONO, tuned=False), Trial("lung-mono", MONO, tuned=False),
)  # fmt: skip

RUINED = (
    Trial("hippo-001-004", S, changes=_STEP["hippo"]), Trial("cord", S, changes=_STEP["cord"]),
    Trial("thigh-035", RA), Trial("thigh-018", RA),
    Trial("hippo-007-011", RAM, "noise", hopeless=True), Trial("cord", RS, "noise", hopeless=True),
    Trial("hippo-001-004", RAM, "flip"), Trial("ms-t1", R, "flip", hopeless=True), Trial("lung-mono", S, "crop"),
    Trial("lung-mono", RS, "other", other="abdomen", hopeless=True),
    Trial("hippo-001-004", RAM, "other", other="cord", hopeless=True), Trial("epi", R, "apart"),
    Trial("ms-t1", RA, "mask"), Trial("lung-mono", S, "mask"),
    Trial("hippo-015-023", S, changes=_STEP["hippo"], tuned=False), Trial("histology", RAS, changes=_STEP["large"],
    tuned=False),  Trial("ms-t1", RA, "noise", tuned=False, hopeless=True),
    Trial("lung-mono", S, "noise", tuned=False, hopeless=True), Trial("hippo-019-025", RAM, "flip", tuned=False),
    Trial("epi", R, "flip", tuned=False, hopeless=True),
    Trial("ms-t1", RA, "apart", tuned=False),
    Trial("hippo-007-011", RA, "mask", tuned=False), Trial("cord", S, changes=_FINE_GRID, tuned=False),
    Trial("slices", RAS, "flip", tuned=False, hopeless=True),
    Trial("abdomen", PRESET, "noise", tuned=False, hopeless=True),
    Trial("cord", PRESET, "other", other="hippo-001-004", tuned=False, hopeless=True),
    Trial("hippo-007-011", MONO, "noise", tuned=False, hopeless=True),
    Trial("thigh-035", PRESET, "other", other="abdomen", tuned=False, hopeless=True),
)  # fmt: skip

TRIALS = (*GOOD, *RUINED)
