"""What a name in a map means: a catalogue's parameter, with a level's number behind or a component's label before."""

from __future__ import annotations

import re

from .catalog import CATALOG
from .entry import Parameter
from .problems import did_you_mean

COMPONENTS = (
    "Registration", "FixedImagePyramid", "MovingImagePyramid", "Interpolator", "ImageSampler", "Metric", "Optimizer",
    "ResampleInterpolator", "Resampler", "Transform",
)  # fmt: skip

LABELLED = re.compile(rf"(?P<label>{'|'.join(COMPONENTS)})(?P<number>\d+)(?P<name>[A-Za-z]\w*)")
"""elastix's form for the parameter of one component among several, e.g. ``Metric1NumberOfHistogramBins``."""

_NUMBERED = ("impact model", "impact layer", "metric")


def parameter_of(name: str) -> tuple[Parameter | None, str]:
    """The catalogue's entry of a name, and the number that it ends in (``""`` if none belongs to it)."""
    if name in CATALOG:
        return CATALOG[name], ""
    stem = name.rstrip("0123456789")
    number = name[len(stem) :]
    entry = CATALOG.get(stem) or _BY_ALIAS.get(stem)
    if entry is not None and (not number or (entry.indexing in _NUMBERED and number == str(int(number)))):
        return entry, number
    if match := LABELLED.fullmatch(name):
        return CATALOG.get(match["name"]) or CATALOG.get(match["label"] + match["name"]), ""
    return None, ""


_BY_ALIAS = {alias: parameter for parameter in CATALOG.values() for alias in parameter.aliases}


def is_impact(parameter: Parameter) -> bool:
    """Whether the IMPACT metric reads it."""
    return parameter.component == "Impact"


def needs_level(parameter: Parameter) -> bool:
    """Whether the name must end in the number of a level."""
    return parameter.indexing in ("impact model", "impact layer")


def nearest_name(name: str) -> str | None:
    """The known name that `name` probably means, with its number, or None.

    A name that lacks only ``Impact`` means IMPACT's parameter: ``VoxelSize1``, ``Mode``.
    """
    stem = name.rstrip("0123456789")
    near = f"Impact{stem}" if f"Impact{stem}" in CATALOG else did_you_mean(stem, CATALOG)
    if near is None:
        return did_you_mean(name, CATALOG)
    return near + (name[len(stem) :].lstrip("0") or "0") if needs_level(CATALOG[near]) else near


def impact_level(name: str) -> int | None:
    """The level whose IMPACT parameter this is, None for all other names."""
    parameter, number = parameter_of(name)
    return int(number) if parameter is not None and is_impact(parameter) and number else None
