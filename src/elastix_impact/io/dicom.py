"""A folder of DICOM slices as one image."""

import warnings
from pathlib import Path

import SimpleITK as sitk

from elastix_impact.errors import ImageError

from .warning import InputWarning


def read_series(folder: Path) -> sitk.Image:
    """The DICOM series with the most slices in a folder.

    Raises
    ------
    ImageError
        If the folder holds none, or the slices make no volume.

    Warns
    -----
    InputWarning
        If there are several series.
    """
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    series = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    files = {name: sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), name) for name in series}
    if not files:
        raise ImageError(
            "a folder without DICOM slices",
            where=str(folder),
            expected="an image file or a folder with one DICOM series",
        )
    chosen = max(files, key=lambda name: len(files[name]))
    if len(files) > 1:
        others = ", ".join(f"{name} ({len(files[name])})" for name in files if name != chosen)
        warnings.warn(
            f"{folder}: {len(files)} DICOM series; {chosen} with {len(files[chosen])} slices is used, not {others}",
            InputWarning,
            stacklevel=4,
        )
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(files[chosen])
    try:
        return reader.Execute()
    except RuntimeError as error:
        raise ImageError(f"the DICOM series {chosen} can't be read as a volume", where=str(folder)) from error
