"""A folder of DICOM slices as one image."""

import warnings
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from elastix_impact.errors import ImageError

from .formats import library_chatter_off
from .warning import InputWarning

_NOT_UNIFORM = "ITK_non_uniform_sampling_deviation"
_POSITION = "0020|0032"


def read_series(folder: Path) -> sitk.Image:
    """The DICOM series with the most slices in a folder.

    Raises
    ------
    ImageError
        If the folder holds none, or the slices make no volume.

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
    if image.HasMetaDataKey(_NOT_UNIFORM):
        _warn_of_gaps(reader, len(files), folder, image.GetSpacing()[2])
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


def _warn_of_gaps(reader: sitk.ImageSeriesReader, count: int, folder: Path, spacing_mm: float) -> None:
    positions = [[float(n) for n in reader.GetMetaData(k, _POSITION).split("\\")] for k in range(count)]
    gaps = np.linalg.norm(np.diff(np.asarray(positions), axis=0), axis=1)
    warnings.warn(
        f"{folder}: its slices are {gaps.min():.4g} to {gaps.max():.4g} mm apart, as if some were missing; "
        f"they are taken as {spacing_mm:.4g} mm apart, and so lie in wrong places",
        InputWarning,
        stacklevel=5,
    )
