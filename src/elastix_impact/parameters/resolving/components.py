"""Which components a map names, and whether they run natively."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar, final

from elastix_impact.parameters import native
from elastix_impact.parameters.plan import LinearKind, PyramidKind, SamplerKind, SplineKind
from elastix_impact.parameters.problems import did_you_mean
from elastix_impact.parameters.reader import Reader

Kind = TypeVar("Kind", bound=str)
InterpolatorKind = Literal["Nearest", "Linear", "BSpline"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """The native kinds that the map names."""

    transform: LinearKind | SplineKind
    optimizer: Literal["Asgd", "GradientDescent"]
    sampler: SamplerKind
    interpolator: InterpolatorKind
    resample_interpolator: InterpolatorKind
    fixed_pyramid: PyramidKind
    moving_pyramid: PyramidKind


def resolve_components(reader: Reader) -> Components | None:
    """The components; None, with an error for each at fault, if one is missing or not native."""
    _choose(reader, "Registration", native.REGISTRATIONS)
    metric = _choose(reader, "Metric", native.METRICS)
    _choose(reader, "Resampler", native.RESAMPLERS)
    transform = _choose(reader, "Transform", native.TRANSFORMS)
    optimizer = _choose(reader, "Optimizer", native.OPTIMIZERS)
    sampler = _choose(reader, "ImageSampler", native.SAMPLERS)
    interpolator = _choose(reader, "Interpolator", native.INTERPOLATORS)
    resample = _choose(reader, "ResampleInterpolator", native.RESAMPLE_INTERPOLATORS)
    fixed = _choose(reader, "FixedImagePyramid", native.FIXED_PYRAMIDS)
    moving = _choose(reader, "MovingImagePyramid", native.MOVING_PYRAMIDS)
    if not (metric and transform and optimizer and sampler and interpolator and resample and fixed and moving):
        return None
    if any(problem.severity == "error" for problem in reader.problems):
        return None
    return Components(
        transform=transform,
        optimizer=optimizer,
        sampler=sampler,
        interpolator=interpolator,
        resample_interpolator=resample,
        fixed_pyramid=fixed,
        moving_pyramid=moving,
    )


def _choose(reader: Reader, role: str, kinds: Mapping[str, Kind]) -> Kind | None:
    """The native kind of the component in `role`, None with an error."""
    names = reader.texts(role)
    first = names[0] if names else reader.text(role)
    if not first:
        reader.note("error", role, f"no {role} is given, and elastix has no default", f"Add one of: {_listed(kinds)}")
        return None
    if len(names) > 1:
        listed = ", ".join(dict.fromkeys(names))
        reader.note("error", role, f"{len(names)} components: {listed}. {_ONE_ONLY}", _advice(reader, "Name one"))
        return None
    name = native.TWINS.get(first, first)
    kind = kinds.get(name)
    if kind is None:
        _note_foreign(reader, role, name, kinds)
    elif name != first:
        reader.note("hint", role, f"{first} runs as {name}, which does the same here")
    return kind


_ONE_ONLY = "This version runs one metric on one image pair"


def _note_foreign(reader: Reader, role: str, name: str, kinds: Mapping[str, str]) -> None:
    foreign = native.FOREIGN.get(role, ())
    if name in foreign:
        message = f"{name} is not available in this version, which runs the IMPACT metric with native components only"
        reader.note("error", role, message, _advice(reader, f"Native here: {_listed(kinds)}"))
        return
    near = did_you_mean(name, (*kinds, *foreign))
    meant = f'Did you mean "{near}"? ' if near else ""
    reader.note("error", role, f'"{name}" is no {role} of elastix', f"{meant}Native here: {_listed(kinds)}")


def _advice(reader: Reader, remedy: str) -> str:
    if "Impact" in reader.raw.values("Metric"):
        return remedy
    return f"{remedy}. A map without IMPACT runs with elastix itself or with itk-elastix"


def _listed(kinds: Mapping[str, str]) -> str:
    return ", ".join(kinds)
