"""The dimension of the images, from the images or from the map."""

from __future__ import annotations

from elastix_impact.parameters.reader import Reader

_SCHEDULES = (
    "ImagePyramidSchedule", "ImagePyramidRescaleSchedule", "ImagePyramidSmoothingSchedule", "FixedImagePyramidSchedule",
    "FixedImagePyramidRescaleSchedule", "FixedImagePyramidSmoothingSchedule", "GridSpacingSchedule",
)  # fmt: skip

_BY_AXIS = ("FinalGridSpacingInPhysicalUnits", "FinalGridSpacingInVoxels")


def resolve_dimension(reader: Reader, known: int | None, levels: int) -> int:
    """2 or 3: `known` from images if not None, else what the map says, else what its lists suggest, else 3."""
    names = [name for name in ("FixedImageDimension", "MovingImageDimension") if _is_read(reader, name)]
    stated = {name: value for name in names if (value := reader.integer(name)) in (2, 3)}
    for name, value in stated.items():
        expected = known or stated.get("FixedImageDimension", value)
        if value != expected:
            other = "the images have" if known else "FixedImageDimension is"
            reader.note(
                "error", name, f"is {value}, but {other} {expected}", f"Write ({name} {expected}), or delete it"
            )
    if known is not None:
        return known
    return next(iter(stated.values()), None) or _suggested(reader, levels)


def _is_read(reader: Reader, name: str) -> bool:
    """Whether the map gives the dimension; an error if it is that of time series and groups of volumes."""
    if reader.raw.values(name)[:1] != ("4",):
        return reader.has(name)
    message = "is 4, and images of four dimensions (time series, groups) are not read here"
    reader.note("error", name, message, "Use elastix itself for this map")
    return False


def _suggested(reader: Reader, levels: int) -> int:
    counts = {len(reader.raw.values(name)) for name in _SCHEDULES}
    models = len(reader.raw.values("ImpactModelsPath0"))
    if reader.raw.values("ImpactMode")[:1] == ("Static",) and models:
        counts.add(len(reader.raw.values("ImpactVoxelSize0")) * levels // models)
    by_axis = {len(reader.raw.values(name)) for name in _BY_AXIS}
    possible = [dimension for dimension in (3, 2) if levels * dimension in counts or dimension in by_axis]
    if possible or "3" in reader.raw.values("ImpactDimension0"):
        return possible[0] if possible else 3
    reader.note("hint", "", "no FixedImageDimension is given: checked for 3-D images")
    return 3
