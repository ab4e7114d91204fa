"""Smoothing and shrinking of the images per level. Schedules list all axes of level 0, then of level 1, ..."""

from elastix_impact.parameters.entry import Parameter

_SHRINK = "Whole shrink factors in voxels, levels x axes, never rising from level to level"
_SMOOTH = "Standard deviations in mm, levels x axes, never rising from level to level. Generic pyramids only"


def _schedule(name: str, help: str) -> Parameter:
    return Parameter(name=name, kind="int", indexing="level and axis", minimum=0, component="ImagePyramid", help=help)


def _smoothing(name: str, help: str) -> Parameter:
    return Parameter(name=name, kind="float", indexing="level and axis", minimum=0, component="ImagePyramid", help=help)


PYRAMID_PARAMETERS: tuple[Parameter, ...] = (
    _schedule("ImagePyramidSchedule", f"{_SHRINK}. Default: halved from level to level down to 1."),
    _schedule("FixedImagePyramidSchedule", f"{_SHRINK}; goes before ImagePyramidSchedule for the fixed image."),
    _schedule("MovingImagePyramidSchedule", f"{_SHRINK}; goes before ImagePyramidSchedule for the moving image."),
    _schedule("FixedImagePyramid0Schedule", f"{_SHRINK}; the first fixed pyramid's own. Not for Generic pyramids."),
    _schedule("MovingImagePyramid0Schedule", f"{_SHRINK}; the first moving pyramid's own. Not for Generic pyramids."),
    _schedule("ImagePyramidRescaleSchedule", f"{_SHRINK}. Generic pyramids only; ImagePyramidSchedule goes before it."),
    _schedule("FixedImagePyramidRescaleSchedule", f"{_SHRINK}. ImagePyramidRescaleSchedule for the fixed image."),
    _schedule("MovingImagePyramidRescaleSchedule", f"{_SHRINK}. ImagePyramidRescaleSchedule for the moving image."),
    _smoothing("ImagePyramidSmoothingSchedule", f"{_SMOOTH}. Default: half the shrink factor, in voxels."),
    _smoothing("FixedImagePyramidSmoothingSchedule", f"{_SMOOTH}; the fixed image's."),
    _smoothing("MovingImagePyramidSmoothingSchedule", f"{_SMOOTH}; the moving image's."),
    Parameter(
        name="ImagePyramidUseShrinkImageFilter", kind="bool", default="false", component="ImagePyramid",
        help="Whether Generic pyramids drop voxels instead of interpolating. Native runs interpolate.",
    ),
)  # fmt: skip
