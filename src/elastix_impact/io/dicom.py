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

_NOT_UNIFORM = "ITK_non_uniform_sampling_deviation"
_POSITION = "0020|0032"


def read_series(folder: Path) -> sitk.Image:
    """The DICOM series with the most slices in a folder.

    Raises
    ------
    ImageError
        If the folder holds none, or the slices make no volume: of several sizes, at one place, or leaning.

    Warns
    -----
    InputWarning
        If there are several series, or the slices are not equally far apart.
    """
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    files = _chosen_files(folder)
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
    _check_stack(_positions(reader, len(files)), image, folder)
    return image


def _chosen_files(folder: Path) -> tuple[str, ...]:
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


def _positions(reader: sitk.ImageSeriesReader, count: int) -> np.ndarray:
    """World points (N, 3) in mm of the slices' first voxels, those that say where they lie."""
    said = [reader.GetMetaData(k, _POSITION) for k in range(count) if reader.HasMetaDataKey(k, _POSITION)]
    return np.asarray([[float(number) for number in position.split("\\")] for position in said]).reshape(-1, 3)


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
    normal = np.asarray(image.GetDirection()).reshape(3, 3)[:, 2]
    whole = world_points[-1] - world_points[0]
    tilt = math.degrees(math.acos(min(1.0, abs(float(whole @ normal)) / float(np.linalg.norm(whole)))))
    if tilt > LARGEST_TILT_DEGREES:
        raise ImageError(
            f"its slices are stacked at {tilt:.1f} degrees to their normal: the volume is sheared (a tilted gantry)",
            where=str(folder),
            expected="slices stacked along their normal",
            remedy="Convert the series with a tool that corrects the tilt, e.g. dcm2niix",
        )
    if image.HasMetaDataKey(_NOT_UNIFORM):
        warnings.warn(
            f"{folder}: its slices are {lengths.min():.4g} to {lengths.max():.4g} mm apart, as if some were missing; "
            f"they are taken as {image.GetSpacing()[2]:.4g} mm apart, and so lie in wrong places",
            InputWarning,
            stacklevel=5,
        )
