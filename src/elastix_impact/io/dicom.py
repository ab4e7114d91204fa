"""A folder of DICOM slices as one image."""

import math
import warnings
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from elastix_impact.errors import ImageError

from .formats import library_chatter_off
from .warning import InputWarning

LARGEST_TILT_DEGREES = 0.1
"""Stacks that lean by more, as a tilted gantry makes them, are refused: half a millimetre off after 300 mm."""
SMALLEST_STEP_MM = 1e-3
"""Slices closer than this lie at one place."""

LARGEST_TURN = 1e-3
"""Difference of direction cosines between slices of one volume: scanners write six digits, or four."""
LARGEST_ASIDE_MM = 0.05
"""How far a slice may lie beside the stack's axis, where the tilt allows no more."""
MOST_STEPS = 5.0
"""A slice so many times farther off than usual belongs to no volume."""
LARGEST_UNEVENNESS = 0.02
"""Share of the usual distance by which the distances of slices may differ: positions are rounded to four decimals."""

_POSITION, _ORIENTATION = "0020|0032", "0020|0037"


def read_series(folder: Path) -> sitk.Image:
    """The DICOM series with the most slices in a folder.

    Raises
    ------
    ImageError
        If the folder holds none, or the slices make no volume: of several sizes or orientations, at one place, far off,
        or leaning.

    Warns
    -----
    InputWarning
        If there are several series, or the slices are not equally far apart.
    """
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    files = chosen_files(folder)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(files)
    reader.MetaDataDictionaryArrayUpdateOn()
    try:
        with library_chatter_off():
            image = reader.Execute()
    except RuntimeError as error:
        raise ImageError(
            f"the {len(files)} slices of its DICOM series can't be read as a volume",
            where=str(folder),
            expected="slices of one size and type",
            remedy="Export the series again, or convert it to NIfTI first",
        ) from error
    _check_turns(_numbers(reader, len(files), _ORIENTATION, 6), folder)
    _check_stack(_numbers(reader, len(files), _POSITION, 3), image, folder)
    return image


def chosen_files(folder: Path) -> tuple[str, ...]:
    """The files of the series with the most slices; see `read_series`."""
    series = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    files = {name: sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), name) for name in series}
    if not files:
        raise ImageError(
            "a folder without DICOM slices",
            where=str(folder),
            expected="an image file or a folder with one DICOM series",
            remedy="Give the folder that the slices themselves lie in",
        )
    chosen = max(files, key=lambda name: len(files[name]))
    if len(files) > 1:
        others = ", ".join(f"{name} ({len(files[name])})" for name in files if name != chosen)
        warnings.warn(
            f"{folder}: {len(files)} DICOM series; {chosen} with {len(files[chosen])} slices is used, not {others}",
            InputWarning,
            stacklevel=5,
        )
    return files[chosen]


def _numbers(reader: sitk.ImageSeriesReader, count: int, tag: str, width: int) -> np.ndarray:
    """The numbers (N, width) of a tag of the slices, of those that have it."""
    said = [reader.GetMetaData(k, tag) for k in range(count) if reader.HasMetaDataKey(k, tag)]
    return np.asarray([[float(number) for number in words.split("\\")] for words in said]).reshape(-1, width)


def _check_turns(cosines: np.ndarray, folder: Path) -> None:
    """Refuse slices (N, 6) of which some are turned against the others: ITK takes the first one's axes for all."""
    if len(cosines) < 2:
        return
    usual = np.median(cosines, axis=0)
    turned = np.abs(cosines - usual).max(axis=1) > LARGEST_TURN
    if turned.any():
        raise ImageError(
            f"{int(turned.sum())} of the {len(cosines)} slices of its DICOM series are turned against the others",
            where=str(folder),
            expected="slices with one ImageOrientationPatient",
            remedy="Put slices of other orientations (a localiser, a second plane) into a folder of their own",
        )


def _check_stack(world_points: np.ndarray, image: sitk.Image, folder: Path) -> None:
    """Refuse slices that are not stacked along their normal, which ITK would push straight; warn of gaps."""
    if len(world_points) < 2:
        return
    lengths = np.linalg.norm(np.diff(world_points, axis=0), axis=1)
    if lengths.min() < SMALLEST_STEP_MM:
        raise ImageError(
            "several slices of its DICOM series lie at one place, as if it had several phases or echoes",
            where=str(folder),
            expected="one slice at every place",
            remedy="Sort the phases into folders of their own",
        )
    usual = float(np.median(lengths))
    if lengths.max() > MOST_STEPS * usual:
        raise ImageError(
            f"one of its slices lies {lengths.max():.4g} mm from the next, the others {usual:.4g} mm",
            where=str(folder),
            expected="slices that are equally far apart",
            remedy="Take slices that belong to no volume, such as a localiser, out of the folder",
        )
    _check_tilt(world_points, image, folder)
    if np.ptp(lengths) > LARGEST_UNEVENNESS * usual:
        warnings.warn(
            f"{folder}: its slices are {lengths.min():.4g} to {lengths.max():.4g} mm apart, as if some were missing; "
            f"they are taken as {image.GetSpacing()[2]:.4g} mm apart, and so lie in wrong places",
            InputWarning,
            stacklevel=5,
        )


def _check_tilt(world_points: np.ndarray, image: sitk.Image, folder: Path) -> None:
    """Refuse slices that lie beside the line along their normal through the first one."""
    normal = np.asarray(image.GetDirection()).reshape(3, 3)[:, 2]
    offsets = world_points - world_points[0]
    along = offsets @ normal
    beside = np.linalg.norm(offsets - along[:, None] * normal, axis=1)
    tilt = math.degrees(math.atan2(beside[-1], abs(along[-1])))
    if tilt > LARGEST_TILT_DEGREES:
        raise ImageError(
            f"its slices are stacked at {tilt:.1f} degrees to their normal: the volume is sheared (a tilted gantry)",
            where=str(folder),
            expected="slices stacked along their normal",
            remedy="Convert the series with a tool that corrects the tilt, e.g. dcm2niix",
        )
    if beside.max() > max(LARGEST_ASIDE_MM, math.radians(LARGEST_TILT_DEGREES) * np.abs(along).max()):
        raise ImageError(
            f"slice {int(beside.argmax()) + 1} of its DICOM series lies {beside.max():.4g} mm beside the others",
            where=str(folder),
            expected="slices stacked along one line",
            remedy="Take slices that belong to no volume out of the folder, or export the series again",
        )
