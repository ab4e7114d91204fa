"""Whether a feature model is fit for Static and for Jacobian mode, found by trying it out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

import torch
from torch import Tensor

from elastix_impact.errors import ModelError

from .abilities import takes_side
from .inspect import ModelReport, inspect_model
from .load import FeatureModel, load_model
from .probe import Probe, noise

Mode = Literal["Static", "Jacobian"]

COARSEST_STRIDE = 8
"""Layers of larger strides say little about where an edge lies; they are left out of suggested masks."""

LARGEST_PATCH = {2: 33, 3: 13}
"""Side in voxels of the largest patch that is suggested for Jacobian mode, per dimension: the network sees one per
sample and iteration, so that time grows with its volume."""

LARGEST_ERROR = 0.05
"""Of features under mixed precision, relative to their standard deviation, before it is advised against."""

PATCHES = 3
"""In the batch on which Jacobian mode is tried."""


@final
@dataclass(frozen=True)
class ModeVerdict:
    """How fit a model is for one mode.

    Attributes
    ----------
    mode
        ``"Static"`` or ``"Jacobian"``.
    faults
        Why it can't be used, sentences; none = fit.
    patch_size
        ImpactPatchSize suggested, one number per axis of the model; 0 = the whole image.
    layers_mask
        ImpactLayersMask suggested.
    """

    mode: Mode
    faults: tuple[str, ...]
    patch_size: tuple[int, ...]
    layers_mask: tuple[bool, ...]

    @property
    def fit(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.faults


@final
@dataclass(frozen=True)
class Verification:
    """What `verify_model` found: the report of the inspection, a verdict per mode, and remarks for both."""

    report: ModelReport
    static: ModeVerdict
    jacobian: ModeVerdict
    remarks: tuple[str, ...]


def verify_model(path: Path) -> Verification:
    """Whether the model in a file is fit for registration, found by running it on the CPU.

    Raises
    ------
    ModelError
        If it can't be inspected (see `inspect_model`).
    """
    report = inspect_model(path)
    model = load_model(path)
    probe = Probe(model, report.dimension, report.channels, len(report.layers), _identity(report.dimension), 0, 0)
    static = ModeVerdict(
        "Static",
        tuple(_static_faults(report, probe)),
        (0,) * report.dimension,
        _mask([layer.fixed_size is None and max(layer.stride) <= COARSEST_STRIDE for layer in report.layers]),
    )
    side = suggested_patch(report)
    jacobian = ModeVerdict(
        "Jacobian",
        tuple(_jacobian_faults(report, model, side)),
        (side,) * report.dimension,
        _mask([0 < max(layer.receptive_field) <= LARGEST_PATCH[report.dimension] for layer in report.layers]),
    )
    return Verification(report, static, jacobian, tuple(_remarks(report)))


def _identity(dimension: int) -> Tensor:
    return torch.eye(dimension, dtype=torch.int64)


def _mask(wanted: Sequence[bool]) -> tuple[bool, ...]:
    """The layers wanted, or the first one if none is."""
    return tuple(wanted) if any(wanted) else (True, *(False,) * (len(wanted) - 1))


def suggested_patch(report: ModelReport) -> int:
    """A side in voxels for the patches of Jacobian mode: the field of the layers suggested, as the model takes it.

    If every field is too large to be practical, the largest side that is not.
    """
    fields, largest = [max(layer.receptive_field) for layer in report.layers], LARGEST_PATCH[report.dimension]
    field = max([one for one in fields if 0 < one <= largest], default=min(*fields, largest))
    smallest, step = report.abilities.smallest_side or 1, report.abilities.side_step or 1
    return smallest + -(-max(0, field - smallest) // step) * step


def useful_patch(report: ModelReport, layers_mask: Sequence[bool], axis: int) -> int:
    """The smallest side that holds the receptive field of every selected layer; 0 if one sees everything."""
    fields = [layer.receptive_field[axis] for layer, wanted in zip(report.layers, layers_mask) if wanted]
    return 0 if 0 in fields else max(fields)


def _static_faults(report: ModelReport, probe: Probe) -> Iterator[str]:
    if not report.deterministic:
        yield "two runs on the same image differ: export it in evaluation mode (model.eval())"
    if all(layer.fixed_size is not None for layer in report.layers):
        yield "every layer has the same few voxels whatever the image's size: nothing changes when the image moves"
    if report.abilities.smallest_side is None:
        yield "it takes no image of equal sides up to 128 voxels"
    elif not takes_side(probe, report.abilities.smallest_side + 3 * (report.abilities.side_step or 1)):
        yield "it takes some sizes only"
    yield from _constant_faults(report, probe)
    yield from _direction_faults(report, probe)


def _constant_faults(report: ModelReport, probe: Probe) -> Iterator[str]:
    """An empty slice is a constant image."""
    side = _comfortable_side(report)
    image = torch.full((1, report.channels, *(side,) * report.dimension), -1000.0)
    stats = torch.tensor([-1000.0, 2000.0, 0.0, 300.0])
    with torch.no_grad():
        try:
            layers = probe.model(image, len(report.layers), stats, probe.direction)
        except ModelError as error:
            yield f"it fails on a constant image: {error.what}"
            return
    if not all(bool(torch.isfinite(layer).all()) for layer in layers):
        yield "features of a constant image are not finite: guard its divisions"


def _direction_faults(report: ModelReport, probe: Probe) -> Iterator[str]:
    """A flipped and a permuted image must work, and give layers of the same sizes."""
    side = _comfortable_side(report)
    image = noise((side,) * report.dimension, report.channels, seed=0)
    stats = torch.tensor([-3.0, 3.0, 0.0, 1.0])
    for name, direction in (("flipped", -probe.direction), ("permuted", probe.direction.roll(1, 0))):
        with torch.no_grad():
            try:
                turned = probe.model(image, len(report.layers), stats, direction)
                straight = probe.run(image)
            except ModelError as error:
                yield f"it fails on a {name} image: {error.what}"
                continue
        if [layer.shape for layer in turned] != [layer.shape for layer in straight]:
            yield f"the layers of a {name} image have other sizes"


def _comfortable_side(report: ModelReport) -> int:
    smallest, step = report.abilities.smallest_side or 32, report.abilities.side_step or 32
    return smallest + -(-max(0, 16 - smallest) // step) * step


def _jacobian_faults(report: ModelReport, model: FeatureModel, side: int) -> Iterator[str]:
    if not report.deterministic:
        yield "two runs on the same patch differ: export it in evaluation mode (model.eval())"
    if not report.differentiable:
        yield "it is not differentiable by the image: Jacobian mode moves a patch along its gradient"
        return
    patches = torch.cat([noise((side,) * report.dimension, report.channels, seed) for seed in range(PATCHES)])
    patches.requires_grad_()
    try:
        layers = model(patches, len(report.layers), torch.tensor([-3.0, 3.0, 0.0, 1.0]), _identity(report.dimension))
        middle = sum(layer[(slice(None), slice(None), *(n // 2 for n in layer.shape[2:]))].sum() for layer in layers)
        (gradient,) = torch.autograd.grad(torch.as_tensor(middle), patches)
    except (ModelError, RuntimeError) as error:
        what = error.what if isinstance(error, ModelError) else str(error).splitlines()[0]
        yield f"it fails on patches of {side} voxels: {what}"
        return
    if any(layer.shape[0] != PATCHES for layer in layers):
        yield f"it mixes the images of a batch: {PATCHES} patches give {layers[0].shape[0]} results"
    if not bool(torch.isfinite(gradient).all()):
        yield "the gradient by the image is not finite"


def _remarks(report: ModelReport) -> Iterator[str]:
    abilities = report.abilities
    if abilities.device_fault:
        yield f"on a GPU it would fail: {abilities.device_fault}. Make it there (device=x.device) or a buffer"
    for name, error in (("bfloat16", abilities.bfloat16_error), ("float16", abilities.float16_error)):
        if error is None or error > LARGEST_ERROR:
            found = "fails" if error is None else f"is off by {error:.0%}" if error < 1e6 else "overflows"
            yield f"in {name} it {found}: leave ImpactUseMixedPrecision at false"
    for number, layer in enumerate(report.layers):
        if layer.fixed_size is not None:
            yield f"layer {number} has always {'x'.join(map(str, layer.fixed_size))} voxels: leave it out of the mask"
    field, largest = min(max(layer.receptive_field) for layer in report.layers), LARGEST_PATCH[report.dimension]
    if field > largest:
        yield f"a voxel sees {field} voxels; patches of {largest} in Jacobian mode show it less than Static mode does"
    if any(layer.global_context for layer in report.layers):
        yield "a voxel's features depend on the whole image or patch (an instance norm, for example)"
