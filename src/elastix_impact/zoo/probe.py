"""Where a layer's voxels lie along one axis of the input, measured by gradients.

The gradient of one output voxel with respect to a random input shows its receptive field; the field's middle
is the voxel's place. Probes are long along the axis concerned and narrow along the others, so that wide
fields fit at little cost.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from elastix_impact.errors import ModelError

from .field import NEGLIGIBLE, SeenLayer, local_support, middle_gradient, moves_along
from .load import FeatureModel

PROBES = ((16, 64), (32, 64), (32, 128), (56, 112), (64, 128), (96, 192), (112, 224), (128, 256))
"""(narrow, long) sizes to try until the model takes both the long size and its double."""

LONGEST = {2: 1024, 3: 256}
"""Where a probe stops growing, per dimension."""

SEEDS = 3
"""Random inputs whose median gradient counts: what depends on a single voxel's value drops out."""

PLACES = (0.0, 0.5, 1.0)
"""Where a layer that covers the image in whole strides may lie in its stride: convolutions keep the first voxel (in an
image that the model flips the last one), pooling takes the middle."""


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

    The probe grows until the receptive fields fit, up to `LONGEST`. Layers whose fields tell their place too badly get
    the place that the others of the model have in their strides.
    """
    sizes, doubled = (probe.layer_sizes(axis, n) for n in (probe.long, 2 * probe.long))
    strides = [probe.long / (d - s) if d > s else None for s, d in zip(sizes, doubled)]
    found: dict[int, _Measured] = {}
    length = probe.long
    while len(found) < len(strides):
        last = 2 * length > LONGEST[probe.dimension]
        wanted = [k for k in range(len(strides)) if k not in found]
        for layer, seen in _gradients(probe, axis, length, wanted).items():
            measured = _geometry(seen, strides[layer], length)
            if measured.complete or last:
                found[layer] = measured
        length *= 2
    kind = _kind_of_place([found[k].geometry for k in range(len(strides)) if found[k].placed])
    return [found[k].geometry if found[k].placed else _placed(found[k].geometry, kind) for k in range(len(strides))]


def _kind_of_place(placed: Sequence[AxisGeometry]) -> float | None:
    """Where in their strides layers lie, 0 to 1, if those whose place is known agree; else None."""
    kinds = {layer.offset / (layer.stride - 1) for layer in placed if layer.measured and layer.stride > 1}
    (kind,) = kinds if len(kinds) == 1 else (None,)
    return kind if kind in PLACES else None


def _placed(layer: AxisGeometry, kind: float | None) -> AxisGeometry:
    """The layer at the place of this kind in its stride; None: at that nearest to what was measured."""
    extent = layer.stride - 1
    nearest = min(PLACES, key=lambda place: abs(place * extent - layer.offset))
    return replace(layer, offset=(nearest if kind is None else kind) * extent)


def _gradients(probe: Probe, axis: int, length: int, wanted: Sequence[int]) -> dict[int, SeenLayer]:
    """What is seen of each wanted layer on probes of this length."""
    gradients: dict[int, list[Tensor]] = {k: [] for k in wanted}
    of_next: dict[int, Tensor | None] = {}
    sizes: dict[int, tuple[int, int]] = {}
    for seed in range(SEEDS):
        image = probe.image(axis, length, seed).requires_grad_()
        layers = probe.run(image)
        for k in wanted:
            sizes[k] = layers[k].shape[1], layers[k].shape[axis + 2]
            gradient = middle_gradient(layers[k], image, axis, 0)
            if gradient is not None:
                gradients[k].append(gradient)
            if seed == 0:
                of_next[k] = middle_gradient(layers[k], image, axis, 1)
    return {
        k: SeenLayer(*sizes[k], torch.stack(gradients[k]) if len(gradients[k]) == SEEDS else None, of_next[k])
        for k in wanted
    }


@final
@dataclass(frozen=True)
class _Measured:
    """A layer's geometry, whether its whole field fitted into the probe, and whether the field tells its place."""

    geometry: AxisGeometry
    complete: bool = True
    placed: bool = True


def _geometry(seen: SeenLayer, stride: float | None, length: int) -> _Measured:
    """The geometry of a layer on a probe of `length` voxels."""
    channels, size, gradients = seen.channels, seen.size, seen.gradients
    differentiable = gradients is not None and bool(gradients.max() > 0) and bool(torch.isfinite(gradients).all())
    if stride is None:
        return _Measured(AxisGeometry(channels, 1.0, 0.0, 0, True, differentiable, fixed_size=size))
    if gradients is None or not differentiable:
        return _Measured(AxisGeometry(channels, stride, (stride - 1) / 2, math.ceil(stride), False, False, None))
    first, last, centre, complete = local_support(gradients.median(0).values.sum(1))
    outside = gradients.sum(2) / gradients.sum(2).max()
    outside[:, first : last + 1] = 0
    reaches_far = bool(outside.max() > NEGLIGIBLE)
    offset = centre - stride * (size // 2)
    covers_image = size == math.ceil(length / stride)
    placed = not covers_image or (complete and moves_along(seen, stride, first, last))
    return _Measured(
        AxisGeometry(channels, stride, offset, last - first + 1, reaches_far, True, None), complete, placed
    )
