"""The folder contract: which files of a data folder are the images, masks, landmarks and maps of a case."""

import difflib
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import final

from elastix_impact.errors import InputError
from elastix_impact.io.passed_over import passed_over
from elastix_impact.io.warning import InputWarning

IMAGE_SUFFIXES = (".mha", ".mhd", ".nii.gz", ".nii", ".nrrd", "")
"""In order of precedence; the empty one is a folder with a DICOM series."""

LANDMARK_SUFFIXES = (".txt", ".fcsv", ".mrk.json")

NAMES_SUFFIXES = (".json", ".txt", ".ctbl", ".label", ".csv")

STEMS = {
    "fixed image": ("FixedImage", "Fixed_image"),
    "moving image": ("MovingImage", "Moving_image"),
    "fixed mask": ("Fixed_mask", "FixedMask"),
    "moving mask": ("Moving_mask", "MovingMask"),
    "fixed landmarks": ("Fixed_landmarks", "FixedLandmarks"),
    "moving landmarks": ("Moving_landmarks", "MovingLandmarks"),
    "fixed labels": ("Fixed_labels", "FixedLabels"),
    "moving labels": ("Moving_labels", "MovingLabels"),
    "label names": ("Label_names", "LabelNames"),
}
"""Names without suffix by role, in order of precedence."""

_MAP_NAME = re.compile(r"ParameterMap(?:\.(\d+))?\.(txt|toml)")


@final
@dataclass(frozen=True)
class FoundInputs:
    """The files of one case in a data folder; None where an optional one is absent."""

    fixed: Path
    moving: Path
    maps: tuple[Path, ...]
    fixed_mask: Path | None
    moving_mask: Path | None
    fixed_points: Path | None
    moving_points: Path | None
    fixed_labels: Path | None
    moving_labels: Path | None
    label_names: Path | None


def find_inputs(folder: Path) -> FoundInputs:
    """The inputs of the case in `folder`; see `STEMS` for the names.

    Raises
    ------
    InputError
        If the folder, an image or the parameter map is missing: says which names were looked for and which files
        have similar ones.

    Warns
    -----
    InputWarning
        If several files could play one role, if there are fixed labels alone (landmarks and moving labels alone are
        carried to the other image), or if a file that is not read is called nearly like what is missing.
    """
    if not folder.is_dir():
        raise InputError(
            "there is no such folder" if not folder.exists() else "this is not a folder",
            where=str(folder),
            expected="a folder with FixedImage, MovingImage and ParameterMap.txt",
            remedy="Give it with --data, or mount it: docker run -v /path/to/case:/Data ...",
        )
    fixed_points, moving_points = _partners(folder, "landmarks", LANDMARK_SUFFIXES, "the landmark errors")
    fixed_labels, moving_labels = _partners(folder, "labels", IMAGE_SUFFIXES[:-1], "the overlap of structures")
    found = FoundInputs(
        fixed=_image(folder, "fixed image"),
        moving=_image(folder, "moving image"),
        maps=_parameter_maps(folder),
        fixed_mask=_optional(folder, "fixed mask", IMAGE_SUFFIXES[:-1]),
        moving_mask=_optional(folder, "moving mask", IMAGE_SUFFIXES[:-1]),
        fixed_points=fixed_points,
        moving_points=moving_points,
        fixed_labels=fixed_labels,
        moving_labels=moving_labels,
        label_names=_optional(folder, "label names", NAMES_SUFFIXES),
    )
    _tell_passed_over(folder, found)
    return found


def _tell_passed_over(folder: Path, found: FoundInputs) -> None:
    """Warn of files that are not read, and whose names are nearly those of what is missing."""
    missing = {
        "fixed mask": found.fixed_mask, "moving mask": found.moving_mask,
        "fixed landmarks": found.fixed_points, "moving landmarks": found.moving_points,
        "fixed labels": found.fixed_labels, "moving labels": found.moving_labels, "label names": found.label_names,
    }  # fmt: skip
    wanted = {role: (STEMS[role], _suffixes_of(role)) for role, path in missing.items() if path is None}
    files = [path.name for path in folder.iterdir() if path.is_file()]
    used = [name for name in files if _plays_a_role(name)]
    for name, hint in passed_over(files, used, wanted).items():
        warnings.warn(f"{folder / name} is not read: {hint}", InputWarning, stacklevel=3)


def _suffixes_of(role: str) -> tuple[str, ...]:
    if role == "label names":
        return NAMES_SUFFIXES
    return LANDMARK_SUFFIXES if role.endswith("landmarks") else IMAGE_SUFFIXES[:-1]


def _plays_a_role(name: str) -> bool:
    """Whether a file is read, or told of if another of its role is."""
    return _MAP_NAME.fullmatch(name) is not None or any(
        name == f"{stem}{suffix}" for role, stems in STEMS.items() for stem in stems for suffix in _suffixes_of(role)
    )


def _partners(folder: Path, what: str, suffixes: tuple[str, ...], why: str) -> tuple[Path | None, Path | None]:
    """The files of both images as far as they are there and of use, with a warning if one is missed."""
    fixed, moving = (_optional(folder, f"{which} {what}", suffixes) for which in ("fixed", "moving"))
    alone = fixed or moving
    if (fixed is None) == (moving is None) or alone is None:
        return fixed, moving
    is_of_no_use = what == "labels" and moving is None
    if is_of_no_use:
        warnings.warn(
            f"{alone} has no partner: put Moving_{what}{suffixes[0]} beside it to get {why}",
            InputWarning,
            stacklevel=3,
        )
    return (None, None) if is_of_no_use else (fixed, moving)


def _image(folder: Path, role: str) -> Path:
    found = _optional(folder, role, IMAGE_SUFFIXES)
    if found is None:
        names = " or ".join(STEMS[role])
        suffixes = ", ".join(s for s in IMAGE_SUFFIXES if s)
        raise _missing(folder, role, f"{names} with one of {suffixes}, or a DICOM folder of that name", STEMS[role])
    return found


def _optional(folder: Path, role: str, suffixes: tuple[str, ...]) -> Path | None:
    """The file of this role with the first suffix in order of precedence, or None."""
    candidates = [folder / f"{stem}{suffix}" for suffix in suffixes for stem in STEMS[role]]
    present = [path for path in candidates if (path.is_dir() if path.name in STEMS[role] else path.is_file())]
    if len(present) > 1:
        others = ", ".join(path.name for path in present[1:])
        warnings.warn(
            f"{folder}: several files could be the {role}: {present[0].name} is used, {others} not",
            InputWarning,
            stacklevel=3,
        )
    return present[0] if present else None


def _parameter_maps(folder: Path) -> tuple[Path, ...]:
    """ParameterMap.txt, then ParameterMap.1.txt, ParameterMap.2.txt ...; a .txt goes before a .toml."""
    by_number: dict[int, Path] = {}
    for path in sorted(folder.iterdir(), key=lambda path: (path.suffix != ".txt", path.name)):
        match = _MAP_NAME.fullmatch(path.name)
        if match is None or not path.is_file():
            continue
        taken = by_number.setdefault(int(match[1] or 0), path)
        if taken is not path:
            warnings.warn(f"{folder}: {taken.name} is used, {path.name} not", InputWarning, stacklevel=3)
    if not by_number:
        wanted = "ParameterMap.txt (further stages: ParameterMap.1.txt, ParameterMap.2.txt ...) or ParameterMap.toml"
        raise _missing(folder, "parameter map", wanted, ("ParameterMap.txt",))
    return tuple(by_number[number] for number in sorted(by_number))


def _plays_another_role(path: Path, role: str) -> bool:
    return any(path.name.startswith(f"{stem}.") for other in STEMS if other != role for stem in STEMS[other])


def _near(folder: Path, role: str, stems: tuple[str, ...], likeness: float) -> list[str]:
    """Names in the folder that look like those of a role and are of no other."""
    names = {path.name.lower(): path.name for path in folder.iterdir() if not _plays_another_role(path, role)}
    near = {n for stem in stems for n in difflib.get_close_matches(stem.lower(), names, n=3, cutoff=likeness)}
    return sorted(names[n] for n in near)


def _missing(folder: Path, role: str, wanted: str, stems: tuple[str, ...]) -> InputError:
    near = _near(folder, role, stems, 0.5)
    names = sorted(path.name for path in folder.iterdir())
    if near:
        hint = f"similar names there: {', '.join(near)}"
    else:
        hint = (
            f"the folder holds {', '.join(names[:8])}{', ...' * (len(names) > 8)}" if names else "the folder is empty"
        )
    return InputError(
        f"no {role} in this folder; {hint}",
        where=str(folder),
        expected=wanted,
        remedy="Rename the file, or use `elastix-impact register` with -f, -m and -p",
    )
