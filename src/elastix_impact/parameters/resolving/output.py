"""What the run writes."""

from __future__ import annotations

from typing import Literal, cast

from elastix_impact.parameters.plan import OutputPlan
from elastix_impact.parameters.reader import Reader

from .components import InterpolatorKind

Order = Literal[0, 1, 2, 3]

_FLAT_FORMATS = ("png", "jpg", "jpeg")


def resolve_output(reader: Reader, resample_interpolator: InterpolatorKind, dimension: int) -> OutputPlan:
    """What is written, and how the result image is resampled."""
    image_format = reader.text("ResultImageFormat")
    if dimension == 3 and image_format in _FLAT_FORMATS:
        message = f'"{image_format}" can\'t hold a volume'
        reader.note("error", "ResultImageFormat", message, 'Write (ResultImageFormat "mha") or "nii.gz"')
    return OutputPlan(
        write_result_image=reader.boolean("WriteResultImage"),
        write_final_transform=reader.boolean("WriteFinalTransformParameters"),
        write_iteration_info=reader.boolean("WriteIterationInfo"),
        result_image_name=reader.text("ResultImageName"),
        result_image_format=image_format,
        result_image_pixel_type=reader.text("ResultImagePixelType").replace("ushort", "unsigned short"),
        compress_result_image=reader.boolean("CompressResultImage"),
        resample_interpolation_order=interpolation_order(
            reader, resample_interpolator, "FinalBSplineInterpolationOrder"
        ),
        default_pixel_value=reader.number("DefaultPixelValue"),
        itk_transform_extension=reader.text("ITKTransformOutputFileNameExtension") or None,
        write_itk_composite=reader.boolean("WriteITKCompositeTransform"),
        transform_file_format="toml" if reader.text("OutputTransformParameterFileFormat") == "TOML" else "txt",
    )


def interpolation_order(reader: Reader, kind: InterpolatorKind, name: str, level: int = 0) -> Order:
    """The spline order of an interpolator; `name` is the parameter that B-splines read."""
    if kind == "BSpline":
        return cast(Order, reader.integer(name, level))
    return 0 if kind == "Nearest" else 1
