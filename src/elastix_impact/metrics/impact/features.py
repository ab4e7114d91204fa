"""From an image to feature maps in physical space."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from elastix_impact.errors import ModelError
from elastix_impact.geometry.grid import Grid, Row
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.interpolate import resize
from elastix_impact.typing import FeatureVolume
from elastix_impact.zoo.inspect import LayerGeometry, layer_geometry
from elastix_impact.zoo.load import FeatureModel
from elastix_impact.zoo.run import extract_features

FeatureSink = Callable[[str, Tensor, Grid], None]
"""Called with (file stem, map (C, *spatial), its grid) for every map that is to be written."""

KeptVolume = Float[Tensor, "K *spatial"]
"""A feature map after PCA."""

CoarseVolume = Float[Tensor, "C *coarse"]
"""A feature map whose voxels are blocks of another one's."""


@final
@dataclass(frozen=True, eq=False)
class ModelInput:
    """A model and how it is to see an image. `patch_size` voxels, `voxel_size` mm, both x, y(, z)."""

    model: FeatureModel
    dimension: int
    channels: int
    patch_size: tuple[int, ...]
    voxel_size: Row
    layers_mask: tuple[bool, ...]

    @property
    def number_of_layers(self) -> int:
        """Layers selected."""
        return sum(self.layers_mask)


@final
@dataclass(frozen=True, eq=False)
class FeatureMap:
    """One layer's features (C, (z, )y, x) and where its voxels lie."""

    features: FeatureVolume
    grid: Grid


def voxel_grid(grid: Grid, voxel_size: Row) -> Grid:
    """The grid of `voxel_size` mm from the first voxel of `grid` along its axes, covering its extent."""
    size = tuple(max(1, int(extent / voxel + 0.5)) for extent, voxel in zip(grid.extent, voxel_size))
    return replace(grid, size=size, spacing=tuple(float(v) for v in voxel_size))


def on_voxel_grid(image: Image, voxel_size: Row, order: int) -> Image:
    """`image` resampled to `voxel_size` mm along its own axes, interpolated with splines of `order`."""
    grid = voxel_grid(image.grid, voxel_size)
    step = tuple(v / s for v, s in zip(voxel_size, image.grid.spacing))
    return Image(resize(image.data, grid.size, step, order), grid, image.name)


def feature_maps(
    image: Image, model_input: ModelInput, stats: Float[Tensor, "4"], *, role: str, sink: FeatureSink | None
) -> list[FeatureMap]:
    """The selected layers of one model for an image that already lies on the model's voxel grid.

    Parameters
    ----------
    image
        Intensities on the grid of `model_input.voxel_size`.
    stats
        Minimum, maximum, mean and standard deviation of the *whole* image that the features belong to.
    role
        ``"Fixed_<level>"`` or ``"Moving_<level>"``: how written files begin.
    sink
        Receives the model's input; None = nothing is written.

    Raises
    ------
    ModelError
        If the model can't take the input, returns other layers than the mask says, or the same features everywhere.
    """
    if sink is not None:
        voxels = "_".join(f"{v:.2f}" for v in model_input.voxel_size)
        sink(f"{role}_{voxels}mm", image.data.unsqueeze(0), image.grid)
    direction = torch.tensor(image.grid.direction, dtype=torch.float64).round().long()
    maps = extract_features(
        model_input.model,
        image.data,
        model_dimension=model_input.dimension,
        channels=model_input.channels,
        patch_size=model_input.patch_size,
        layers_mask=model_input.layers_mask,
        stats=stats,
        direction=direction,
    )
    _check_varied(maps, image, model_input)
    layers = layer_geometry(
        model_input.model, model_input.dimension, model_input.channels, len(model_input.layers_mask), direction
    )
    tile = tuple(size or whole for size, whole in zip(model_input.patch_size, image.grid.size))[: model_input.dimension]
    selected = [layer.on_tiles(tile) for layer, wanted in zip(layers, model_input.layers_mask) if wanted]
    return [FeatureMap(features, layer_grid(image.grid, features, layer)) for features, layer in zip(maps, selected)]


def _check_varied(maps: list[Tensor], image: Image, model_input: ModelInput) -> None:
    """Refuse a layer that is the same at all voxels of an image that is not: nothing can be registered by it."""
    for number, features in enumerate(maps):
        table = features.flatten(1)
        varied = (table != table[:, :1]).any() | (image.data == image.data.flatten()[0]).all().to(table.device)
        if table.shape[1] > 1 and not bool(varied):
            raise ModelError(
                f"selected layer {number} has the same features at all {table.shape[1]} voxels",
                where=str(model_input.model.path),
                remedy="Take the layer out of ImpactLayersMask, or check what the model was exported with",
            )


def layer_grid(grid: Grid, features: FeatureVolume, layer: LayerGeometry) -> Grid:
    """Where a layer's voxels lie: stride times the voxel, shifted to the receptive field's centre.

    A 2-D model's layer on a 3-D image keeps the slices as they are. A layer of one voxel sees everything.
    """
    size = tuple(features.shape[1:][::-1])
    slices = (1.0,) * (grid.dimension - len(layer.stride))
    stride = tuple(float(s) for s in layer.stride) + slices
    offset = tuple(float(o) for o in layer.offset) + (0.0,) * len(slices)
    first = grid.to_world(torch.tensor([offset], dtype=torch.float64))[0]
    spacing = tuple(v * s for v, s in zip(grid.spacing, stride))
    return Grid(size, spacing, tuple(first.tolist()), grid.direction)


def averaged(features: FeatureVolume, grid: Grid, spacing: Row) -> tuple[CoarseVolume, Grid]:
    """Features averaged over blocks of voxels whose sides are about `spacing` mm, and the blocks' grid.

    What is left over at the far ends is dropped, so that every block is whole.
    """
    blocks = [min(n, max(1, int(s / step + 0.5))) for n, s, step in zip(grid.size, spacing, grid.spacing)]
    if max(blocks) == 1:
        return features, grid
    pool = F.avg_pool3d if grid.dimension == 3 else F.avg_pool2d
    first = grid.to_world(torch.tensor([[(block - 1) / 2 for block in blocks]], dtype=torch.float64))[0]
    coarse = pool(features, blocks[::-1])
    size = tuple(coarse.shape[1:][::-1])
    return coarse, Grid(size, tuple(s * b for s, b in zip(grid.spacing, blocks)), tuple(first.tolist()), grid.direction)


def principal_axes(features: FeatureVolume, components: int) -> Float[Tensor, "C K"]:
    """The leading eigenvectors of the channels' covariance, as columns; at most C of them."""
    table = features.flatten(1).double()
    covariance = torch.cov(table)
    _, vectors = torch.linalg.eigh(covariance.reshape(table.shape[0], table.shape[0]).cpu())
    return vectors[:, -min(components, table.shape[0]) :].to(features)


def project(features: FeatureVolume, axes: Float[Tensor, "C K"]) -> KeptVolume:
    """`features` centred on their own channel means, in the coordinates of `axes`."""
    table = features.flatten(1)
    return (axes.T @ (table - table.mean(1, keepdim=True))).reshape(-1, *features.shape[1:])
