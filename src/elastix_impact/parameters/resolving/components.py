"""Which components a map names, and whether they run natively."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar, final

from elastix_impact.parameters import native
from elastix_impact.parameters.metric_plan import MetricKind
from elastix_impact.parameters.names import COMPONENTS
from elastix_impact.parameters.optimizer_plan import OptimizerKind
from elastix_impact.parameters.plan import LinearKind, PyramidKind, SamplerKind, SplineKind
from elastix_impact.parameters.problems import counted, did_you_mean
from elastix_impact.parameters.reader import Reader

Kind = TypeVar("Kind", bound=str)
InterpolatorKind = Literal["Nearest", "Linear", "BSpline"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TermComponents:
    """What belongs to one metric; `number` is its place, and that of its labels, in the map's lists."""

    number: int
    metric: MetricKind
    sampler: SamplerKind
    interpolator: InterpolatorKind
    fixed_pyramid: PyramidKind
    moving_pyramid: PyramidKind


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """The native kinds that the map names."""

    transform: LinearKind | SplineKind
    optimizer: OptimizerKind
    resample_interpolator: InterpolatorKind
    terms: tuple[TermComponents, ...]


def resolve_components(reader: Reader) -> Components | None:
    """The components; None, with an error for each at fault, if one is missing or not native."""
    registration = _choose(reader, "Registration", native.REGISTRATIONS)
    _choose(reader, "Resampler", native.RESAMPLERS)
    transform = _choose(reader, "Transform", native.TRANSFORMS)
    optimizer = _choose(reader, "Optimizer", native.OPTIMIZERS)
    resample = _choose(reader, "ResampleInterpolator", native.RESAMPLE_INTERPOLATORS)
    terms = _terms(reader, several=registration == "MultiMetric")
    if not (registration and transform and optimizer and resample and terms):
        return None
    if any(problem.severity == "error" for problem in reader.problems):
        return None
    return Components(transform=transform, optimizer=optimizer, resample_interpolator=resample, terms=terms)


def _terms(reader: Reader, *, several: bool) -> tuple[TermComponents, ...] | None:
    """The metrics with what belongs to them: the component at the same place of its list, or the first."""
    metrics = _choose_each(reader, "Metric", native.METRICS)
    samplers = _choose_each(reader, "ImageSampler", native.SAMPLERS, needed=_needs_sampler(metrics))
    interpolators = _choose_each(reader, "Interpolator", native.INTERPOLATORS)
    fixed = _choose_each(reader, "FixedImagePyramid", native.FIXED_PYRAMIDS)
    moving = _choose_each(reader, "MovingImagePyramid", native.MOVING_PYRAMIDS)
    if not (metrics and samplers and interpolators and fixed and moving):
        return None
    if len(metrics) > 1 and not several:
        remedy = 'Write (Registration "MultiMetricMultiResolutionRegistration")'
        reader.note("error", "Metric", f"{len(metrics)} metrics need another Registration", remedy)
    for role, listed in (("ImageSampler", samplers), ("Interpolator", interpolators), ("FixedImagePyramid", fixed),
                         ("MovingImagePyramid", moving)):  # fmt: skip
        if len(listed) not in (1, len(metrics)):
            message = f"{counted(len(listed), 'component')} for {counted(len(metrics), 'metric')}"
            reader.note("error", role, message, "Name one for all metrics, or one for each")
            return None
    return tuple(
        TermComponents(
            number=number,
            metric=metric,
            sampler=_of(samplers, number),
            interpolator=_of(interpolators, number),
            fixed_pyramid=_of(fixed, number),
            moving_pyramid=_of(moving, number),
        )
        for number, metric in enumerate(metrics)
    )


def _of(kinds: tuple[Kind, ...], number: int) -> Kind:
    return kinds[number if len(kinds) > 1 else 0]


def _needs_sampler(metrics: tuple[MetricKind, ...] | None) -> bool:
    return metrics is None or set(metrics) != {"CorrespondingPoints"}


def _choose(reader: Reader, role: str, kinds: Mapping[str, Kind]) -> Kind | None:
    """The native kind of the first component in `role`, None with an error."""
    chosen = _choose_each(reader, role, kinds)
    if chosen is not None and len(chosen) > 1:
        message = f"{len(chosen)} components are named, only the first, {reader.texts(role)[0]}, is used, as in elastix"
        reader.note("warning", role, message, "Name one")
    return chosen[0] if chosen else None


def _choose_each(
    reader: Reader, role: str, kinds: Mapping[str, Kind], *, needed: bool = True
) -> tuple[Kind, ...] | None:
    """The native kinds of all components in `role`, None with an error; the first of all kinds if none is needed."""
    names = reader.texts(role) or tuple(one for one in (reader.text(role),) if one)
    if not names:
        if not needed:
            return (next(iter(kinds.values())),)
        reader.note("error", role, f"no {role} is given, and elastix has no default", f"Add one of: {_listed(kinds)}")
        return None
    chosen = [_native(reader, role, name, kinds) for name in names]
    native_ones = tuple(kind for kind in chosen if kind is not None)
    return native_ones if len(native_ones) == len(chosen) else None


def _native(reader: Reader, role: str, given: str, kinds: Mapping[str, Kind]) -> Kind | None:
    name = native.TWINS.get(given, given)
    kind = kinds.get(name)
    if kind is None:
        _note_foreign(reader, role, name, kinds)
    elif name != given:
        reader.note("hint", role, f"{given} runs as {name}, which does the same here")
    return kind


def _note_foreign(reader: Reader, role: str, name: str, kinds: Mapping[str, str]) -> None:
    foreign = native.FOREIGN.get(role, ())
    if name in foreign:
        message = f"{name} does not run natively"
        if "Impact" in reader.raw.values("Metric"):
            reader.note("error", role, f"{message}, and IMPACT runs nowhere else", f"Native here: {_listed(kinds)}")
        else:
            reader.note("hint", role, f"{message}: the map is handed on to itk-elastix", f"Native: {_listed(kinds)}")
            reader.foreign.append(name)
        return
    not_built = native.NOT_BUILT.get(role, ())
    if name in not_built:
        message = f"{name} runs neither natively nor in itk-elastix, which is built without it"
        reader.note("error", role, message, f"Native here: {_listed(kinds)}")
        return
    near = did_you_mean(name, (*kinds, *foreign, *not_built))
    meant = f'Did you mean "{near}"? ' if near else ""
    reader.note("error", role, f'"{name}" is no {role} of elastix', f"{meant}Native here: {_listed(kinds)}")


def check_handed_on(reader: Reader) -> None:
    """Note an error for each component that itk-elastix lacks in a map that is handed on to it, and for a search."""
    for role in COMPONENTS:
        for name in reader.raw.values(role):
            if name in native.NATIVE_ONLY:
                because = ", ".join(dict.fromkeys(reader.foreign))
                message = f"{name} is not in itk-elastix, to which the map is handed on because of {because}"
                twin = native.TWINS.get(name)
                reader.note("error", role, message, f"Write {twin}" if twin else f"Use one of elastix's own {role}s")
    _check_search(reader)


def _check_search(reader: Reader) -> None:
    """Note an error where a map that is handed on to itk-elastix asks for a start that only native runs can find."""
    name = "AutomaticTransformInitializationMethod"
    if "FeatureSearch" in reader.raw.values(name):
        because = ", ".join(dict.fromkeys(reader.foreign))
        message = f'"FeatureSearch" is not in itk-elastix, to which the map is handed on because of {because}'
        reader.note("error", name, message, "Write GeometricalCenter, or put a native rigid map before this one")


def _listed(kinds: Mapping[str, str]) -> str:
    return ", ".join(kinds)
