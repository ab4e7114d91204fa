"""`python -m benchmarks.pairs DIR`: every real pair of the shared folder by one command each, with its report.

Prints the commands and a table of what they reached; look at the pages DIR/<pair>/report.html.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from elastix_impact.cli.main import main as command

from .ct_lung import DATA as LUNG

DATA = LUNG.parent
MS, KIDNEY = "ms-brain-multimodal/p01_", "histology-rat-kidney/Rat-Kidney_"


@dataclass(frozen=True)
class Pair:
    """Two images and what they are judged by: labels or landmarks."""

    fixed: str
    moving: str
    preset: str = "general"
    labels: tuple[str, str] | None = None
    points: tuple[str, str] | None = None
    mask: str | None = None

    def words(self, out: Path) -> list[str]:
        """The command line behind `elastix-impact`."""
        words = ["register", "-f", str(DATA / self.fixed), "-m", str(DATA / self.moving), "--preset", self.preset]
        for what, files in (("labels", self.labels), ("points", self.points)):
            for role, file in zip(("fixed", "moving"), files or ()):
                words += [f"--{role}-{what}", str(DATA / file)]
        if self.mask:
            words += ["--fixed-mask", str(DATA / self.mask)]
        return [*words, "--report", "-o", str(out)]


def _of(folder: str, names: tuple[str, str]) -> tuple[str, str]:
    return f"{folder}/{names[0]}", f"{folder}/{names[1]}"


def _thigh(patient: str) -> Pair:
    """CT and T1 MR that are cropped differently; the four patients whose truth is good to 2 mm."""
    folder = f"sts-ct-mr/STS_{patient}"
    return Pair(
        f"{folder}/fixed_ct.nii.gz", f"{folder}/moving_t1.nii.gz",
        points=_of(folder, ("fixed_points.txt", "moving_points.txt")),
    )  # fmt: skip


PAIRS = {
    "lung": Pair(
        "ct_lung/fixed.mha", "ct_lung/moving_mono.mha", mask="ct_lung/fixed_mask.mha",
        points=_of("ct_lung", ("fixed_points.txt", "moving_points.txt")),
    ),
    "abdomen": Pair(
        "abdomen-ct-mr/ct_slab.nii.gz", "abdomen-ct-mr/mr_slab.nii.gz",
        labels=_of("abdomen-ct-mr", ("ct_slab_labels_common.nii.gz", "mr_slab_labels_common.nii.gz")),
    ),
    "brain": Pair(
        "brain-t1-labels/subjA_t1.nii.gz", "brain-t1-labels/subjB_t1.nii.gz",
        labels=_of("brain-t1-labels", ("subjA_labels13.nii.gz", "subjB_labels13.nii.gz")),
    ),
    "cord": Pair(
        "cord-t1-t2/t1w.nii.gz", "cord-t1-t2/t2.nii.gz",
        labels=_of("cord-t1-t2", ("t1w_seg-manual.nii.gz", "t2_seg-manual.nii.gz")),
    ),
    "hippocampus": Pair(
        "hippocampus-mr/hippocampus_001_mr.nii.gz", "hippocampus-mr/hippocampus_004_mr.nii.gz",
        labels=_of("hippocampus-mr", ("hippocampus_001_labels.nii.gz", "hippocampus_004_labels.nii.gz")),
    ),
    "MS T1": Pair(f"{MS}study1_T1W.nii.gz", f"{MS}study2_T1W.nii.gz", "rigid"),
    "MS T2": Pair(f"{MS}study1_T1W.nii.gz", f"{MS}study1_T2W.nii.gz", "rigid"),
    "MS FLAIR": Pair(f"{MS}study1_T1W.nii.gz", f"{MS}study1_FLAIR.nii.gz", "rigid"),
    "EPI": Pair("epi-t1/highres.nii.gz", "epi-t1/example_func.nii.gz", "rigid"),
    "histology": Pair(
        f"{KIDNEY}HE.jpg", f"{KIDNEY}PanCytokeratin.jpg",
        points=(f"{KIDNEY}HE_landmarks.csv", f"{KIDNEY}PanCytokeratin_landmarks.csv"),
    ),
    **{f"thigh {patient}": _thigh(patient) for patient in ("035", "018", "041", "002")},
    "slices": Pair("brain-2d-slices/r16slice.jpg", "brain-2d-slices/r64slice.jpg"),
}  # fmt: skip


def main() -> None:
    """Register all pairs, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pairs", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--only", nargs="+", choices=PAIRS, default=list(PAIRS))
    arguments = parser.parse_args()
    rows = []
    for name in arguments.only:
        out = arguments.folder / name.replace(" ", "-")
        words = PAIRS[name].words(out)
        sys.stdout.write(f"\nelastix-impact {' '.join(words)}\n")
        began = time.perf_counter()
        code = command([*words, "--quiet"])
        rows.append(_row(name, code, time.perf_counter() - began, out))
    sys.stdout.write("\n" + "\n".join(rows) + "\n")


def _row(name: str, code: int, seconds: float, out: Path) -> str:
    """What a pair reached."""
    head = f"{name:<12} exit {code} {seconds:6.1f} s "
    if code != 0:
        return head
    found = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    words = []
    if found["landmarks_mm"]:
        words.append("TRE {:.2f} -> {:.2f} mm".format(*(found["landmarks_mm"][k]["mean"] for k in ("before", "after"))))
    if found["labels"]:
        words.append("Dice {:.3f} -> {:.3f}".format(*(found["labels"][k]["mean_dice"] for k in ("before", "after"))))
    nmi = [found["intensity"].get(k, {}).get("normalized_mutual_information", 1.0) for k in ("before", "after")]
    words.append("NMI {:.3f} -> {:.3f}".format(*nmi))
    words.append(f"folded {found['transform']['share_folded']:.3%}")
    words.append(f"report {(out / 'report.html').stat().st_size / 1e6:.1f} MB")
    return head + ", ".join(words)


if __name__ == "__main__":
    main()
