"""The pairs of `../shared/data` whose truth is known well enough, and what a sensible user knows of each."""

from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Literal

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@dataclass(frozen=True)
class Truth:
    """What a result is judged by.

    `labels`: segmentations, mean Dice; `points`: landmarks, mean error; `reference`: a transform that maps fixed
    points, mean distance over `region` (a mask, then transforms that bring its points to the fixed image).
    """

    kind: Literal["labels", "points", "reference"]
    files: tuple[str, ...]
    unit: Literal["Dice", "mm", "px"]
    region: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pair:
    """Two images and what their user knows.

    `same`: both have the same contrast; `centres`: the headers say nothing, so centres are laid together first;
    `rigid`: one rigid body, so programs stop there; `affine`: the start of convexAdam may scale and shear;
    `body`: values above it are body, where folds are counted (None: everywhere).
    """

    fixed: str
    moving: str
    truth: Truth
    mask: str | None = None
    same: bool = True
    centres: bool = False
    rigid: bool = False
    affine: bool = False
    body: float | None = None


def _hippocampus(fixed: str, moving: str) -> Pair:
    stem = "hippocampus-mr/hippocampus_"
    labels = Truth("labels", (f"{stem}{fixed}_labels.nii.gz", f"{stem}{moving}_labels.nii.gz"), "Dice")
    return Pair(f"{stem}{fixed}_mr.nii.gz", f"{stem}{moving}_mr.nii.gz", labels, centres=True, affine=True)


def _lung(moving: str, masked: bool, points: str = "ct_lung", same: bool = True) -> Pair:
    truth = Truth("points", (f"{points}/fixed_points.txt", f"{points}/moving_points.txt"), "mm")
    return Pair("ct_lung/fixed.mha", moving, truth, "ct_lung/fixed_mask.mha" if masked else None, same, body=-500)


def _thigh(patient: str) -> Pair:
    stem = f"sts-ct-mr/STS_{patient}"
    truth = Truth("points", (f"{stem}/fixed_points.txt", f"{stem}/moving_points.txt"), "mm")
    return Pair(f"{stem}/fixed_ct.nii.gz", f"{stem}/moving_t1.nii.gz", truth, same=False, body=-500)


def _ms(moving: str, same: bool) -> Pair:
    stem = "ms-brain-multimodal/p01_"
    short = moving.replace("_", "").removesuffix("W")
    region = ("common_brainmask.nii.gz", "study1_FLAIR_to_common_space.txt", "study1_T1W_intrastudy_to_FLAIR.txt")
    truth = Truth(
        "reference", (f"{stem}ref_study1T1_points_to_{short}.tfm",), "mm", tuple(f"{stem}{name}" for name in region)
    )
    return Pair(f"{stem}study1_T1W.nii.gz", f"{stem}{moving}.nii.gz", truth, same=same, rigid=True)


def _named(pairs: tuple[tuple[str, str], ...]) -> dict[str, Pair]:
    return {f"hippocampus_{fixed}_{moving}": _hippocampus(fixed, moving) for fixed, moving in pairs}


_VOLUMES = ("001", "004", "007", "011", "015", "019", "023", "025", "033", "035")
_FIVE = (("001", "004"), ("007", "011"), ("015", "019"), ("023", "025"), ("033", "035"))
_ABDOMEN, _BRAIN, _CORD, _EPI = "abdomen-ct-mr/", "brain-t1-labels/", "cord-t1-t2/", "epi-t1/"
_KIDNEY = "histology-rat-kidney/Rat-Kidney_"

STANDARD: dict[str, Pair] = {
    **_named(_FIVE),
    "brain": Pair(
        f"{_BRAIN}subjA_t1.nii.gz", f"{_BRAIN}subjB_t1.nii.gz",
        Truth("labels", (f"{_BRAIN}subjA_labels13.nii.gz", f"{_BRAIN}subjB_labels13.nii.gz"), "Dice"),
        centres=True, affine=True, body=0,
    ),
    "abdomen": Pair(
        f"{_ABDOMEN}ct_slab.nii.gz", f"{_ABDOMEN}mr_slab.nii.gz",
        Truth("labels", (f"{_ABDOMEN}ct_slab_labels_common.nii.gz", f"{_ABDOMEN}mr_slab_labels_common.nii.gz"), "Dice"),
        same=False, centres=True, body=-500,
    ),
    "cord": Pair(
        f"{_CORD}t1w.nii.gz", f"{_CORD}t2.nii.gz",
        Truth("labels", (f"{_CORD}t1w_seg-manual.nii.gz", f"{_CORD}t2_seg-manual.nii.gz"), "Dice"), same=False,
    ),
    "lung_mono": _lung("ct_lung/moving_mono.mha", masked=False),
    "lung_mono_mask": _lung("ct_lung/moving_mono.mha", masked=True),
    "lung_multi": _lung("ct_lung/moving_multi.mha", masked=False, same=False),
    "lung_multi_mask": _lung("ct_lung/moving_multi.mha", masked=True, same=False),
    **{f"thigh_{patient}": _thigh(patient) for patient in ("035", "018", "041", "002")},
    **{
        f"breath_{case}": _lung(f"lung-large-motion/case{case}/moving.nii.gz", True, f"lung-large-motion/case{case}")
        for case in ("04", "06", "08", "10")
    },
    "kidney": Pair(
        f"{_KIDNEY}HE.jpg", f"{_KIDNEY}PanCytokeratin.jpg",
        Truth("points", (f"{_KIDNEY}HE_landmarks.csv", f"{_KIDNEY}PanCytokeratin_landmarks.csv"), "px"), same=False,
    ),
    "ms_t1": _ms("study2_T1W", same=True),
    "ms_t2": _ms("study1_T2W", same=False),
    "ms_flair": _ms("study1_FLAIR", same=False),
    "epi": Pair(
        f"{_EPI}highres.nii.gz", f"{_EPI}example_func.nii.gz",
        Truth("reference", (f"{_EPI}reference_highres_points_to_func.tfm",), "mm", (f"{_EPI}highres.nii.gz",)),
        same=False, rigid=True,
    ),
}  # fmt: skip
"""What is run when no pairs are named."""

PAIRS: dict[str, Pair] = {**STANDARD, **_named(tuple(permutations(_VOLUMES, 2)))}
"""All pairs: the standard ones and the other ordered pairs of hippocampi."""
