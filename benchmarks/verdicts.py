"""`python -m benchmarks.verdicts DIR`: does the verdict of a run agree with a truth that the run does not see?

Half of the runs are right, half are ruined on purpose. Each is judged by landmarks, segmentations or a reference
transform with SimpleITK and numpy alone, through the ITK form of its transform. Writes DIR/verdicts.md.
"""

import argparse
import contextlib
import csv
import io
import json
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from elastix_impact.cli.main import main as command
from elastix_impact.parameters.presets import PRESETS
from elastix_impact.runs.presets import facts_of, write_preset
from elastix_impact.zoo.export.mind import export_mind

from .ct_lung import DATA as LUNG
from .verdict_trials import PAIRS, TRIALS, Pair, Trial

DATA = LUNG.parent

FRAME = """\
(FixedImagePyramid "FixedSmoothingImagePyramid")
(MovingImagePyramid "MovingSmoothingImagePyramid")
(Interpolator "LinearInterpolator")
(Resampler "DefaultResampler")
(ResampleInterpolator "FinalBSplineInterpolator")
(Optimizer "AdaptiveStochasticGradientDescent")
(ImageSampler "RandomCoordinate")
(NewSamplesEveryIteration "true")
(HowToCombineTransforms "Compose")
(RequiredRatioOfValidSamples 0.05)
(NumberOfResolutions 3)
(WriteResultImage "false")
(WriteIterationInfo "false")
(ErodeMask "false")
"""

FOR_THE_JUDGE = """\
(ITKTransformOutputFileNameExtension "tfm")
(WriteITKCompositeTransform "true")
"""

MUTUAL = '(Metric "AdvancedMattesMutualInformation")\n(NumberOfHistogramBins 32)\n'

MIND = """\
(Metric "Impact")
(ImpactMode "Static")
(ImpactModelsPath0 "mind.pt")
(ImpactNumberOfChannels0 1)
(ImpactLayersMask0 "1")
(ImpactSubsetFeatures0 12)
(ImpactLayersWeight0 1)
(ImpactDistance0 "L2")
(ImpactGPU -1)
"""


WORDS = ("good", "look", "bad", "refused")


def write_maps(trial: Trial, folder: Path) -> list[Path]:
    """The maps of a trial, in `folder`."""
    pair = PAIRS[trial.pair]
    if trial.preset:
        maps = write_preset(PRESETS[trial.preset], facts_of(DATA / pair.fixed, DATA / pair.moving), folder)
        for path in maps:
            path.write_text(path.read_text() + FOR_THE_JUDGE)
        return list(maps)
    images = [sitk.ReadImage(str(DATA / name)) for name in (pair.fixed, pair.moving)]
    dimension = images[0].GetDimension()
    sizes = [pair.voxel * factor for factor in (4, 2, 1)]

    def schedule(image: sitk.Image) -> str:
        return " ".join(str(max(1, round(size / s))) for size in sizes for s in image.GetSpacing())

    paths = []
    for number, stage in enumerate(trial.stages):
        lines = {
            "FixedImagePyramidSchedule": schedule(images[0]), "MovingImagePyramidSchedule": schedule(images[1]),
            "MaximumStepLength": f"{pair.voxel:g}",
        }  # fmt: skip
        if stage in ("rigid", "affine"):
            lines["Transform"] = '"EulerTransform"' if stage == "rigid" else '"AffineTransform"'
            lines["AutomaticScalesEstimation"] = '"true"'
            lines |= {"MaximumNumberOfIterations": "120", "NumberOfSpatialSamples": "2000"}
            if number == 0 and pair.fixed.startswith(("abdomen", "hippocampus", "brain")):
                lines["AutomaticTransformInitialization"] = '"true"'
        else:
            lines["Transform"] = '"BSplineTransform"'
            lines |= {"MaximumNumberOfIterations": "60", "NumberOfSpatialSamples": "1500"}
            lines["FinalGridSpacingInPhysicalUnits"] = f"{pair.grid:g}"
        if stage == "mind":
            lines |= {f"ImpactVoxelSize{k}": " ".join([f"{s:g}"] * dimension) for k, s in enumerate(sizes)}
            lines |= {"ImpactDimension0": str(dimension), "ImpactPatchSize0": " ".join(["0"] * dimension)}
            export_mind(folder / "mind.pt", 1, 2, dimension)
        text = FRAME + FOR_THE_JUDGE + (MIND if stage == "mind" else MUTUAL)
        own = lines | (trial.changes if stage not in ("rigid", "affine") else {})
        path = folder / f"{number}_{stage}.txt"
        path.write_text(text + "".join(f"({key} {value})\n" for key, value in own.items()))
        paths.append(path)
    return paths


def spoilt(trial: Trial, folder: Path) -> list[str]:
    """Moving image and mask of a trial as words of the command line; what is spoilt is written into `folder`."""
    pair = PAIRS[trial.pair]
    words = ["--fixed-mask", str(DATA / pair.mask)] if pair.mask else []
    if trial.spoil == "mask":
        fixed = sitk.ReadImage(str(DATA / pair.fixed))
        corner = np.zeros(fixed.GetSize()[::-1], np.uint8)
        corner[tuple(slice(0, max(4, n // 6)) for n in corner.shape)] = 1
        sitk.WriteImage(_like(corner, fixed), str(folder / "mask.nii.gz"))
        return ["-m", str(DATA / pair.moving), "--fixed-mask", str(folder / "mask.nii.gz")]
    if not trial.spoil:
        return ["-m", str(DATA / pair.moving), *words]
    moving = sitk.ReadImage(str(DATA / (PAIRS[trial.other] if trial.other else pair).moving), sitk.sitkFloat32)
    sitk.WriteImage(_spoil(moving, trial, pair), str(folder / "moving.nii.gz"))
    return ["-m", str(folder / "moving.nii.gz"), *words]


def _spoil(moving: sitk.Image, trial: Trial, pair: Pair) -> sitk.Image:
    values = sitk.GetArrayFromImage(moving)
    size = moving.GetSize()
    if trial.spoil == "noise":
        noise = np.random.default_rng(0).normal(values.mean(), values.std(), values.shape)
        return _like(noise.astype(np.float32), moving)
    if trial.spoil == "flip":
        return _like(np.flip(values, -2).copy(), moving)
    if trial.spoil == "crop":
        return sitk.RegionOfInterest(moving, [max(4, n // 3) for n in size], [2 * n // 3 - 2 for n in size])
    centre = moving.TransformContinuousIndexToPhysicalPoint([n / 2 for n in size])
    origin = np.array(moving.GetOrigin())
    if trial.spoil == "apart":
        moving.SetOrigin(tuple(origin + _shift(moving)))
        return moving
    fixed = sitk.ReadImage(str(DATA / pair.fixed))
    there = fixed.TransformContinuousIndexToPhysicalPoint([n / 2 for n in fixed.GetSize()])
    moving.SetOrigin(tuple(origin + np.array(there) - np.array(centre)))
    return moving


def _shift(moving: sitk.Image) -> np.ndarray:
    """How far an image is put aside, in mm."""
    return 0.7 * np.array(moving.GetSize()) * np.array(moving.GetSpacing())


def _like(values: np.ndarray, image: sitk.Image) -> sitk.Image:
    made = sitk.GetImageFromArray(values)
    made.CopyInformation(image)
    return made


def measure(trial: Trial, transform: sitk.Transform | None) -> float:
    """The score of a transform, see `Truth`; None = the identity. What was done to the moving image is done to it."""
    truth, image = PAIRS[trial.pair].truth, sitk.ReadImage(str(DATA / PAIRS[trial.pair].fixed))
    transform = transform or sitk.Transform(image.GetDimension(), sitk.sitkIdentity)
    shift = _shift(sitk.ReadImage(str(DATA / PAIRS[trial.pair].moving))) if trial.spoil == "apart" else 0.0
    if truth.kind == "labels":
        first, second = (sitk.ReadImage(str(DATA / name)) for name in truth.files)
        second.SetOrigin(tuple(np.array(second.GetOrigin()) + shift))
        if trial.spoil == "flip":
            second = _like(np.flip(sitk.GetArrayFromImage(second), -2).copy(), second)
        moved = sitk.GetArrayFromImage(sitk.Resample(second, first, transform, sitk.sitkNearestNeighbor))
        kept = sitk.GetArrayFromImage(first)
        both = np.intersect1d(kept, sitk.GetArrayFromImage(second))
        dice = [2 * ((kept == v) & (moved == v)).sum() / ((kept == v).sum() + (moved == v).sum()) for v in both if v]
        return float(np.mean(dice))
    if truth.kind == "points":
        scale = image.GetSpacing()[0] if truth.files[0].endswith("csv") else 1.0
        first, second = (_points(DATA / name) * scale for name in truth.files)
        count = min(len(first), len(second))
        mapped = np.array([transform.TransformPoint(point) for point in first[:count].tolist()])
        return float(np.linalg.norm(mapped - second[:count] - shift, axis=1).mean()) / scale
    reference = sitk.ReadTransform(str(DATA / truth.files[0]))
    bright = np.argwhere(sitk.GetArrayFromImage(image) > 0.2 * sitk.GetArrayFromImage(image).mean())[:, ::-1]
    chosen = np.random.default_rng(0).choice(len(bright), 500)
    points = [image.TransformContinuousIndexToPhysicalPoint(p) for p in bright[chosen].astype(float).tolist()]
    apart = [np.subtract(transform.TransformPoint(p), reference.TransformPoint(p)) - shift for p in points]
    return float(np.linalg.norm(apart, axis=1).mean())


def _points(path: Path) -> np.ndarray:
    text = path.read_text().splitlines()
    if path.suffix == ".csv":
        return np.array([[float(v) for v in row[1:]] for row in list(csv.reader(text))[1:]])
    return np.array([[float(v) for v in row.split()] for row in text[2:] if row.strip()])


def run(trial: Trial, folder: Path) -> dict:
    """Run a trial into `folder` and return what came of it."""
    pair, out = PAIRS[trial.pair], folder / "Out"
    folder.mkdir(parents=True, exist_ok=True)
    words = [
        "register",
        "-f",
        str(DATA / pair.fixed),
        *spoilt(trial, folder),
        "-o",
        str(out),
        "--quiet",
        "--seed",
        "1",
        "--threads",
        "1",
    ]
    for path in write_maps(trial, folder):
        words += ["-p", str(path)]
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        code = command(words)
    row = {"name": trial.name, "tuned": trial.tuned, "code": code, "seconds": time.perf_counter() - began}
    if code != 2:
        row["verdict"] = json.loads((out / "registration.json").read_text())["verdict"]
    if code == 0 and not trial.hopeless:
        last = sorted(out.glob("TransformParameters.*-Composite.tfm"))[-1]
        row["before"] = measure(trial, None)
        row["after"] = measure(trial, sitk.ReadTransform(str(last)))
    (folder / "row.json").write_text(json.dumps(row))
    return row


def truth_of(trial: Trial, row: dict) -> str:
    """What the judge says of a run: right, ruined, or neither of both."""
    if trial.hopeless or row["code"] != 0:
        return "ruined"
    truth, after = PAIRS[trial.pair].truth, row["after"]
    sign = -1 if truth.kind == "labels" else 1
    if sign * after <= sign * truth.fine:
        return "right"
    return "ruined" if sign * after >= sign * truth.lost else "neither"


def word_of(row: dict) -> str:
    """The verdict, or that the run was refused."""
    return "refused" if row["code"] == 2 else (row["verdict"] or {"word": "bad"})["word"]


def table(found: list[tuple[Trial, dict]]) -> str:
    """All runs, then how often truth and verdict agree, tuned runs and others apart."""
    lines = ["| run | group | before | after | truth | verdict | first reason |", "|---|---|---|---|---|---|---|"]
    counts: dict[tuple[bool, str, str], int] = {}
    for trial, row in found:
        truth, word = truth_of(trial, row), word_of(row)
        counts[trial.tuned, truth, word] = counts.get((trial.tuned, truth, word), 0) + 1
        errors = [f"{row[key]:.2f}" if key in row else "-" for key in ("before", "after")]
        reasons = (row.get("verdict") or {}).get("reasons") or [{"check": "-"}]
        group = "tuned" if trial.tuned else "held out"
        lines.append(f"| {trial.name} | {group} | {' | '.join(errors)} | {truth} | {word} | {reasons[0]['check']} |")
    lines += ["", "| group | truth | good | look | bad or refused |", "|---|---|---|---|---|"]
    for tuned in (True, False):
        for truth in ("right", "ruined", "neither"):
            good, look, bad, refused = (counts.get((tuned, truth, word), 0) for word in WORDS)
            lines.append(f"| {'tuned' if tuned else 'held out'} | {truth} | {good} | {look} | {bad + refused} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all trials, but for those that the folder has already, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verdicts", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--only", nargs="+", help="words that the names must contain, any of them")
    arguments = parser.parse_args()
    found = []
    for trial in TRIALS:
        folder = arguments.folder / trial.name.replace(" ", "_")
        if arguments.only and not any(word in trial.name for word in arguments.only):
            continue
        done = folder / "row.json"
        found.append((trial, json.loads(done.read_text()) if done.exists() else run(trial, folder)))
    text = table(found)
    (arguments.folder / "verdicts.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
