"""What a feature model is: its inputs, its layers, and where each layer's voxels lie in the image.

The place of a layer's voxels is measured, not assumed (see `probe`). Sizes, strides and offsets are in
input voxels, ordered x, y(, z).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import final

import torch
from torch import Tensor

from elastix_impact.errors import MemoryShortError, ModelError

from .abilities import Abilities, find_abilities
from .load import MAXIMUM_INPUTS, FeatureModel, LayerError, load_model
from .probe import AxisGeometry, Probe, find_probe, measure_axis, noise

Row = tuple[float, ...]

MANY_LAYERS = 999
"""Asks a model for all the layers that it has."""


@final
@dataclass(frozen=True)
class LayerGeometry:
    """Where the voxels of one layer lie: voxel k is centred on input voxel ``offset + stride * k``.

    Attributes
    ----------
    channels
        Feature channels.
    stride
        Input voxels per layer voxel, x, y(, z); 1 for a layer of `fixed_size`.
    offset
        Centre of layer voxel 0 in continuous input voxels, x, y(, z).
    receptive_field
        Input voxels that a layer voxel looks at, x, y(, z), without what global statistics add; 0 = all.
    global_context
        Whether far voxels matter as well, e.g. through an instance norm.
    measured
        False if the model is not differentiable: the offset is assumed to be (stride - 1) / 2, the field one stride.
    fixed_size
        Size of the layer if it does not depend on the input's (a class token: one voxel), else None.
    """

    channels: int
    stride: Row
    offset: Row
    receptive_field: tuple[int, ...]
    global_context: bool
    measured: bool
    fixed_size: tuple[int, ...] | None = None

    def on_tiles(self, tile_size: tuple[int, ...]) -> "LayerGeometry":
        """The geometry when the model sees tiles (or an image) of `tile_size` voxels, x, y(, z).

        It differs only for a layer of `fixed_size`, whose voxels share the tile among them.
        """
        if self.fixed_size is None:
            return self
        stride = tuple(tile / size for tile, size in zip(tile_size, self.fixed_size))
        return replace(self, stride=stride, offset=tuple((s - 1) / 2 for s in stride))


@final
@dataclass(frozen=True)
class ModelReport:
    """What `inspect_model` found.

    `dimension` is 2 or 3, `kind` is ``"script"`` or ``"trace"``, `dtype` that of the weights in the file.
    """

    path: str
    sha256: str
    file_size: int
    kind: str
    dtype: str
    number_of_parameters: int
    number_of_inputs: int
    dimension: int
    channels: int
    layers: tuple[LayerGeometry, ...]
    differentiable: bool
    deterministic: bool
    abilities: Abilities


def inspect_model(path: Path) -> ModelReport:
    """What is in a model file, found by running it on the CPU.

    Raises
    ------
    ModelError
        If it can't be loaded, or takes neither 2-D nor 3-D images of one to four channels.
    """
    model = load_model(path)
    probe = _accepted_input(model)
    layers = layer_geometry(model, probe.dimension, probe.channels, MANY_LAYERS)
    image = noise((probe.narrow,) * probe.dimension, probe.channels, seed=0)
    with torch.no_grad():
        twice = [probe.run(image) for _ in range(2)]
    return ModelReport(
        path=str(path),
        sha256=model.file.sha256,
        file_size=model.file.size,
        kind=model.file.kind,
        dtype=model.stored_dtype,
        number_of_parameters=sum(p.numel() for p in model.module.parameters()),
        number_of_inputs=model.number_of_inputs,
        dimension=probe.dimension,
        channels=probe.channels,
        layers=layers,
        differentiable=all(layer.measured for layer in layers),
        deterministic=all(torch.equal(a, b) for a, b in zip(*twice)),
        abilities=find_abilities(replace(probe, n_layers=len(layers))),
    )


def layer_geometry(
    model: FeatureModel, dimension: int, channels: int, n_layers: int, direction: Tensor | None = None
) -> tuple[LayerGeometry, ...]:
    """Where the voxels of each of the first `n_layers` layers lie, measured once per model and remembered.

    The measurement runs on the CPU in float32 whatever the model's device, on images whose sides are multiples
    of the strides.

    Parameters
    ----------
    direction
        See `FeatureModel.__call__`; None = the identity. A strided model that turns the image into an orientation
        of its own starts counting at another end, so its offsets depend on the direction.

    Raises
    ------
    ModelError
        If the model takes none of the sizes tried.
    """
    if direction is None or model.number_of_inputs < MAXIMUM_INPUTS:
        direction = torch.eye(dimension, dtype=torch.int64)
    rows = tuple(tuple(int(cosine) for cosine in row) for row in direction.tolist())
    return _measured_layers(load_model(model.path), dimension, channels, n_layers, rows)


@lru_cache(maxsize=64)
@torch.enable_grad()
def _measured_layers(
    model: FeatureModel, dimension: int, channels: int, n_layers: int, direction: tuple[tuple[int, ...], ...]
) -> tuple[LayerGeometry, ...]:
    probe = find_probe(model, dimension, channels, n_layers, torch.tensor(direction, dtype=torch.int64))
    tensor_axes = reversed(range(dimension))
    return tuple(_joined(axes) for axes in zip(*(measure_axis(probe, axis) for axis in tensor_axes)))


def _joined(axes: Sequence[AxisGeometry]) -> LayerGeometry:
    """A layer's geometry from that of its axes, ordered x, y(, z)."""
    fixed = all(axis.fixed_size is not None for axis in axes)
    return LayerGeometry(
        channels=axes[0].channels,
        stride=tuple(axis.stride for axis in axes),
        offset=tuple(axis.offset for axis in axes),
        receptive_field=tuple(axis.receptive_field for axis in axes),
        global_context=any(axis.global_context for axis in axes),
        measured=all(axis.measured for axis in axes),
        fixed_size=tuple(axis.fixed_size or 1 for axis in axes) if fixed else None,
    )


def _accepted_input(model: FeatureModel) -> Probe:
    """A probe of the dimension and number of channels that the model takes."""
    for dimension in (3, 2):
        for channels in (1, 3, 2, 4):
            try:
                return find_probe(model, dimension, channels, MANY_LAYERS, torch.eye(dimension, dtype=torch.int64))
            except (MemoryShortError, LayerError):
                raise
            except ModelError:
                continue
    raise ModelError(
        "the model takes neither 2-D nor 3-D images of 1 to 4 channels",
        where=str(model.path),
        expected="an input (N, C, H, W) or (N, C, D, H, W)",
    )
