"""What is compared: ours by its command line, the others by one script each in `workers`."""

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from elastix_impact import __file__ as package_file
from elastix_impact import __version__

from .pairs import DATA, Pair
from .process import Cost, FailedError, measured, python_with, version_of

WORKERS = Path(__file__).parent / "workers"
OURS = [sys.executable, "-m", "elastix_impact"]
SMALL_VOXELS = 1_000_000


@dataclass(frozen=True)
class Rival:
    """A program of others: its package, a module of it, how its field's file ends, whether it does pictures."""

    package: str
    module: str
    suffix: str = ".mha"
    pictures: bool = True
    deforms_only: bool = False


RIVALS = {
    "elastix": Rival("itk-elastix", "itk"),
    "ants": Rival("antspyx", "ants", suffix=".nii.gz"),
    "greedy": Rival("picsl_greedy", "picsl_greedy"),
    "convexadam": Rival("convexAdam scipy", "convexAdam", pictures=False, deforms_only=True),
}
ENGINES = ("ours", *RIVALS)


@dataclass(frozen=True)
class Settings:
    """One run: its seed, CPU threads, the preset of ours, CPU seconds at most, where environments are."""

    seed: int
    threads: int
    preset: str
    limit: int
    environments: Path


def version(engine: str, settings: Settings) -> str:
    """What the result of an engine depends on: a version, and a hash of our source or of the script.

    Raises
    ------
    FailedError
        If the rival cannot be installed.
    """
    if engine == "ours":
        root = Path(package_file).parent
        content = b"".join(path.read_bytes() for path in sorted(root.rglob("*.py")))
        return f"{__version__}-{_digest(content)}-{settings.preset}"
    rival = RIVALS[engine]
    python = python_with(rival.package, rival.module, settings.environments / engine)
    return f"{version_of(python, rival.package)}-{_digest((WORKERS / f'{engine}.py').read_bytes())}"


def register(engine: str, pair: Pair, settings: Settings, folder: Path) -> tuple[Cost, Path]:
    """Register a pair in `folder`.

    Returns
    -------
    cost : Cost
        Of the registration; of a rival's also the writing of its field.
    field : Path
        Displacements on the fixed grid.

    Raises
    ------
    FailedError
        If the engine cannot be installed, does not do such pairs, or fails; with its reason.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if engine == "ours":
        return _ours(pair, settings, folder)
    rival, job = RIVALS[engine], _job(pair, settings, folder)
    if job["dimension"] == 2 and not rival.pictures:
        raise FailedError("3-D images only")
    if pair.rigid and rival.deforms_only:
        raise FailedError("no rigid registration")
    start = Cost()
    if rival.deforms_only:
        job["start"], start = _linear_start(pair, settings, folder)
    field = folder / f"field{rival.suffix}"
    job["field"] = str(field)
    (folder / "job.json").write_text(json.dumps(job, indent=1), encoding="utf-8")
    python = python_with(rival.package, rival.module, settings.environments / engine)
    command = [str(python), "-P", str(WORKERS / f"{engine}.py"), str(folder / "job.json")]
    return start + measured(command, folder / "log.txt", settings.threads, settings.limit), field


def _ours(pair: Pair, settings: Settings, folder: Path) -> tuple[Cost, Path]:
    preset, cost = settings.preset, Cost()
    if pair.rigid and preset in ("default", "auto"):
        preset = "rigid"
    elif preset == "auto":
        preset, cost = _recommended(pair, settings, folder)
    maps = [] if preset == "default" else ["--preset", preset]
    cost += _command(pair, maps, settings, folder)
    field = folder / "field.mha"
    last = max(folder.glob("TransformParameters.*.txt"), key=lambda path: int(path.name.split(".")[1]))
    words = ["transform", "-t", str(last), "--field", "--reference", str(DATA / pair.fixed), "-o", str(field)]
    measured([*OURS, *words], folder / "field.log", settings.threads, settings.limit)
    return cost, field


def _command(pair: Pair, maps: list[str], settings: Settings, folder: Path) -> Cost:
    """Our `register`."""
    words = ["register", "-f", str(DATA / pair.fixed), "-m", str(DATA / pair.moving), *maps, "-o", str(folder)]
    if pair.mask:
        words += ["--fixed-mask", str(DATA / pair.mask)]
    words += ["--seed", str(settings.seed), "--threads", str(settings.threads), "--no-evaluation", "--quiet"]
    return measured([*OURS, *words], folder / "log.txt", settings.threads, settings.limit)


def _recommended(pair: Pair, settings: Settings, folder: Path) -> tuple[str, Cost]:
    """The first word that `presets recommend` prints."""
    log = folder / "recommended.txt"
    words = ["presets", "recommend", "-f", str(DATA / pair.fixed), "-m", str(DATA / pair.moving)]
    cost = measured([*OURS, *words], log, settings.threads, settings.limit)
    return log.read_text(encoding="utf-8").split()[0].rstrip(":,"), cost


def _linear_start(pair: Pair, settings: Settings, folder: Path) -> tuple[str, Cost]:
    """Our rigid stage, between people also the affine one, as an ITK file."""
    shown = folder / "maps.txt"
    words = ["presets", "show", "general", "-f", str(DATA / pair.fixed), "-m", str(DATA / pair.moving)]
    measured([*OURS, *words], shown, settings.threads, settings.limit)
    maps = []
    for number, text in enumerate(shown.read_text(encoding="utf-8").split("// ---- ")[1 : 3 if pair.affine else 2]):
        path = folder / f"start.{number}.txt"
        path.write_text(text.partition("\n")[2], encoding="utf-8")
        maps += ["-p", str(path)]
    cost = _command(pair, maps, settings, folder)
    last, start = folder / f"TransformParameters.{len(maps) // 2 - 1}.txt", folder / "start.tfm"
    words = ["transform", "-t", str(last), "--export", str(start)]
    measured([*OURS, *words], folder / "start.log", settings.threads, settings.limit)
    return str(start), cost


def _job(pair: Pair, settings: Settings, folder: Path) -> dict[str, object]:
    """What a worker is told; pictures in colour become grey."""
    files = {role: _grey(DATA / name, folder) for role, name in (("fixed", pair.fixed), ("moving", pair.moving))}
    image = sitk.ReadImage(files["fixed"])
    return files | {
        "mask": str(DATA / pair.mask) if pair.mask else None, "start": None, "dimension": image.GetDimension(),
        "rigid": pair.rigid, "same": pair.same, "centres": pair.centres,
        "small": image.GetNumberOfPixels() < SMALL_VOXELS, "seed": settings.seed, "threads": settings.threads,
    }  # fmt: skip


def _grey(path: Path, folder: Path) -> str:
    """The file itself, or of a picture its mean over the colours as NIfTI."""
    if path.suffix != ".jpg":
        return str(path)
    image = sitk.ReadImage(str(path), sitk.sitkVectorFloat32)
    grey = sitk.GetImageFromArray(sitk.GetArrayFromImage(image).reshape(*image.GetSize()[::-1], -1).mean(axis=-1))
    grey.CopyInformation(image)
    target = folder / f"{path.stem}.nii.gz"
    sitk.WriteImage(grey, str(target))
    return str(target)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:8]
