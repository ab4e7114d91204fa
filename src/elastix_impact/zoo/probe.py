"""Where a layer's voxels lie along one axis of the input, measured by gradients.

The gradient of one output voxel with respect to a random input shows its receptive field; the field's middle
is the voxel's place. Probes are long along the axis concerned and narrow along the others, so that wide
fields fit at little cost.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from elastix_impact.errors import ModelError

from .load import FeatureModel

PROBES = ((16, 64), (32, 64), (32, 128), (56, 112), (64, 128), (96, 192), (112, 224), (128, 256))
"""(narrow, long) sizes to try until the model takes both the long size and its double."""

LONGEST = {2: 1024, 3: 256}
"""Where a probe stops growing, per dimension."""

SEEDS = 3
"""Random inputs whose median gradient counts: what depends on a single voxel's value drops out."""

LOCAL_OVER_BACKGROUND = 5.0
"""A voxel belongs to the receptive field if its gradient is this many times that of far voxels."""

LEVEL_WITHIN = 2.0
"""Far voxels are background if the gradient changes by no more than this factor there."""

NEGLIGIBLE = 1e-6
"""Gradients below this share of the largest one are rounding."""


@final
@dataclass(frozen=True)
class AxisGeometry:
    """One axis of one layer, in input voxels; the fields are those of `LayerGeometry`."""

    channels: int
    stride: float
    offset: float
    receptive_field: int
    global_context: bool
    measured: bool
    fixed_size: int | None


@final
@dataclass(frozen=True, eq=False)
class Probe:
    """A model with sizes that it accepts: `narrow` on every axis, and `long` and its double on one.

    `direction` is what the model is told about the image's axes, integer (D, D).
    """

    model: FeatureModel
    dimension: int
    channels: int
    n_layers: int
    direction: Tensor
    narrow: int
    long: int

    def run(self, image: Tensor) -> list[Tensor]:
        """The layers for `image` (1, C, *spatial), told its own statistics as constants."""
        values = image.detach()
        stats = torch.stack([values.min(), values.max(), values.mean(), values.std()])
        return self.model(image, self.n_layers, stats, self.direction)

    def image(self, axis: int, length: int, seed: int) -> Tensor:
        """Noise that is `length` voxels long on one axis of the tensor and narrow on the others."""
        shape = [length if k == axis else self.narrow for k in range(self.dimension)]
        return noise(shape, self.channels, seed)

    def layer_sizes(self, axis: int, length: int) -> list[int]:
        """Voxels of every layer along `axis` if the input has `length`."""
        with torch.no_grad():
            return [layer.shape[axis + 2] for layer in self.run(self.image(axis, length, seed=0))]


def noise(shape: Sequence[int], channels: int, seed: int) -> Tensor:
    """An image (1, channels, *shape) of white noise, standard deviation 1: no activation saturates."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, channels, *shape, generator=generator)


def find_probe(model: FeatureModel, dimension: int, channels: int, n_layers: int, direction: Tensor) -> Probe:
    """A probe with the smallest sizes that the model takes and that are multiples of its strides.

    Raises
    ------
    ModelError
        If it takes none of the sizes; the error of the first one.
    """
    first_error: ModelError | None = None
    accepted: Probe | None = None
    for narrow, long in PROBES:
        probe = Probe(model, dimension, channels, n_layers, direction, narrow, long)
        try:
            if _is_exact(probe):
                return probe
        except ModelError as error:
            first_error = first_error or error
            continue
        accepted = accepted or probe
    if accepted is None:
        assert first_error is not None
        raise first_error
    return accepted


def _is_exact(probe: Probe) -> bool:
    """Whether every layer grows in whole steps when the probe's length doubles."""
    with torch.no_grad():
        short, double = (probe.run(probe.image(0, n, seed=0)) for n in (probe.long, 2 * probe.long))
    if any(layer.dim() != probe.dimension + 2 for layer in short):
        raise ModelError(
            f"a layer of the model has {[layer.dim() for layer in short]} axes for a {probe.dimension}-D image",
            where=str(probe.model.path),
            expected=f"{probe.dimension + 2} axes: batch, channels, spatial",
        )
    growth = [b.shape[2] - a.shape[2] for a, b in zip(short, double)]
    return all(g == 0 or probe.long % g == 0 or g % probe.long == 0 for g in growth)


def measure_axis(probe: Probe, axis: int) -> list[AxisGeometry]:
    """The geometry of every layer along one axis of the tensor.

    The probe grows until the receptive fields fit, up to `LONGEST`.
    """
    sizes, doubled = (probe.layer_sizes(axis, n) for n in (probe.long, 2 * probe.long))
    strides = [probe.long / (d - s) if d > s else None for s, d in zip(sizes, doubled)]
    found: dict[int, AxisGeometry] = {}
    length = probe.long
    while len(found) < len(strides):
        last = 2 * length > LONGEST[probe.dimension]
        wanted = [k for k in range(len(strides)) if k not in found]
        for layer, seen in _gradients(probe, axis, length, wanted).items():
            geometry, complete = _geometry(seen, strides[layer], length)
            if complete or last:
                found[layer] = geometry
        length *= 2
    return [found[k] for k in range(len(strides))]


@final
@dataclass(frozen=True, eq=False)
class _Seen:
    """What was seen of a layer along an axis.

    `gradients` are magnitudes for its middle voxel, summed over the channels, (SEEDS, length, voxels of the other
    axes), or None if the layer is not differentiable; `of_next` (1, length, ...) are those of the voxel after it.
    """

    channels: int
    size: int
    gradients: Tensor | None
    of_next: Tensor | None


def _gradients(probe: Probe, axis: int, length: int, wanted: Sequence[int]) -> dict[int, _Seen]:
    """What is seen of each wanted layer on probes of this length."""
    gradients: dict[int, list[Tensor]] = {k: [] for k in wanted}
    of_next: dict[int, Tensor | None] = {}
    sizes: dict[int, tuple[int, int]] = {}
    for seed in range(SEEDS):
        image = probe.image(axis, length, seed).requires_grad_()
        layers = probe.run(image)
        for k in wanted:
            sizes[k] = layers[k].shape[1], layers[k].shape[axis + 2]
            gradient = _middle_gradient(layers[k], image, axis, 0)
            if gradient is not None:
                gradients[k].append(gradient)
            if seed == 0:
                of_next[k] = _middle_gradient(layers[k], image, axis, 1)
    return {
        k: _Seen(*sizes[k], torch.stack(gradients[k]) if len(gradients[k]) == SEEDS else None, of_next[k])
        for k in wanted
    }


def _middle_gradient(layer: Tensor, image: Tensor, axis: int, shift: int) -> Tensor | None:
    """Magnitudes (length, voxels of the other axes) of the gradient of a random mixture of a voxel's channels.

    The voxel is the middle one, or `shift` voxels after it along `axis`.
    """
    if not layer.requires_grad:
        return None
    voxel = [n // 2 for n in layer.shape[2:]]
    voxel[axis] = min(voxel[axis] + shift, layer.shape[axis + 2] - 1)
    features = layer[(0, slice(None), *voxel)]
    mixture = torch.linspace(-1, 1, features.shape[0] + 2)[1:-1].cos() * features
    try:
        (gradient,) = torch.autograd.grad(mixture.sum(), image, retain_graph=True, allow_unused=True)
    except (RuntimeError, NotImplementedError):
        return None
    return None if gradient is None else gradient[0].abs().sum(0).movedim(axis, 0).flatten(1)


def _geometry(seen: _Seen, stride: float | None, length: int) -> tuple[AxisGeometry, bool]:
    """The geometry, and whether the probe was long enough to see the whole receptive field."""
    channels, size, gradients = seen.channels, seen.size, seen.gradients
    differentiable = gradients is not None and bool(gradients.max() > 0) and bool(torch.isfinite(gradients).all())
    if stride is None:
        return AxisGeometry(channels, 1.0, 0.0, 0, True, differentiable, fixed_size=size), True
    if gradients is None or not differentiable:
        return AxisGeometry(channels, stride, (stride - 1) / 2, math.ceil(stride), False, False, None), True
    first, last, centre, complete = local_support(gradients.median(0).values.sum(1))
    offset = centre - stride * (size // 2)
    if size == math.ceil(length / stride) and not (complete and _moves_along(seen, stride)):
        offset = _nearest_place(offset, stride)
    outside = gradients.sum(2) / gradients.sum(2).max()
    outside[:, first : last + 1] = 0
    reaches_far = bool(outside.max() > NEGLIGIBLE)
    return AxisGeometry(channels, stride, offset, last - first + 1, reaches_far, True, None), complete


def _moves_along(seen: _Seen, stride: float) -> bool:
    """Whether the next voxel's field lies one stride further, as behind a chain of convolutions.

    In a decoder the fields of neighbours share the deep layers' voxels: their middles jump from one to the next.
    """
    if seen.gradients is None or seen.of_next is None or stride != int(stride):
        return True
    here, there = (local_support(profile.sum(1)) for profile in (seen.gradients[0], seen.of_next))
    return there[2] - here[2] == stride


def _nearest_place(offset: float, stride: float) -> float:
    """The place of a layer that covers the image in whole strides, of those there are, nearest to an estimate.

    Convolutions with a stride keep the first voxel of each stride (in an image that the model flips the last one),
    pooling takes the middle.
    """
    return min((0.0, (stride - 1) / 2, stride - 1), key=lambda place: abs(place - offset))


def local_support(profile: Tensor) -> tuple[int, int, float, bool]:
    """First and last voxel of a receptive field, its middle, and whether it is complete.

    `profile` (L,) is a gradient's magnitude along an axis. Global statistics (an instance norm) give every
    voxel a small gradient; the field is what stands out from it. It is complete if the profile vanishes
    towards its ends, or is level there and far wider than the field. An incomplete field is centred by its
    squared weight, to half a voxel.
    """
    eighth = len(profile) // 8
    ends, inner = (
        torch.cat([profile[start : start + eighth], profile.flip(0)[start : start + eighth]]).mean()
        for start in (0, eighth)
    )
    floor = NEGLIGIBLE * profile.max()
    inside = profile > torch.maximum(LOCAL_OVER_BACKGROUND * ends, floor)
    places = inside.nonzero().flatten().tolist() or [0, len(profile) - 1]
    first, last = places[0], places[-1]
    level = bool(inner <= torch.maximum(LEVEL_WITHIN * ends, floor))
    if level and (bool(ends <= floor) or 4 * (last - first + 1) < len(profile)):
        return first, last, (first + last) / 2, True
    weight = profile.square()
    centre = (weight * torch.arange(len(profile))).sum() / weight.sum()
    return first, last, round(2 * float(centre)) / 2, False
