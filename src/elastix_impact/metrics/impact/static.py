"""IMPACT in Static mode: features are extracted once and compared where the samples fall.

Boussot et al., arXiv 2503.24121. Moving features are extracted on the moving image in its own space, with the axes that
the level's first transform makes of the fixed image's, and read at T(x). At an update interval they are extracted from
the warped image m(T0(x)) on the fixed grid and read at x + J0^-1 (T(x) - T0(x)), with T0 the transform at the update
and J0 its spatial Jacobian.
"""

import math
from collections.abc import Mapping, Sequence
from copy import copy
from itertools import product
from typing import final

import torch
from torch import Tensor

from elastix_impact.geometry.domain import Domain
from elastix_impact.geometry.field import Field, ScalarField
from elastix_impact.geometry.grid import Grid, Row
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.interpolate import grid_chunks
from elastix_impact.geometry.turn import nearest_rotation, with_axes_like
from elastix_impact.metrics.base import AbstractMetric, MetricValue
from elastix_impact.metrics.lattice_samples import LatticeSamples
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.typing import Points

from .features import (
    FeatureMap,
    FeatureSink,
    ModelInput,
    averaged,
    feature_maps,
    on_voxel_grid,
    principal_axes,
    project,
    voxel_grid,
)
from .inputs import ImpactInputs
from .layers import LayerSum, check_layers


@final
class StaticImpact(AbstractMetric):
    """The IMPACT metric of one level in Static mode.

    Parameters
    ----------
    inputs
        Images, models and layers; the images are interpolated onto the models' voxel grids.
    start
        The transform at the level's start, in the loop's frame.
    feature_order
        Interpolation order of the feature maps.
    update_interval
        Iterations after which the moving features are extracted anew, -1 = never.
    level, sink
        For written feature maps.
    lattice
        The points at which features are compared at every iteration, instead of at samples, or None. The features are
        averaged over as many of their voxels as lie between two of its points.
    margin
        Voxels of the models' grids by which the moving image is surrounded with its lowest value. Its end is then a
        feature that nothing of the fixed image has, so that it costs to push the fixed image out of the moving one.

    Raises
    ------
    ModelError
        If the two sides don't fit together or a model can't run.
    """

    def __init__(
        self,
        inputs: ImpactInputs,
        *,
        start: AbstractTransform,
        feature_order: int,
        update_interval: int,
        level: int,
        sink: FeatureSink | None,
        lattice: LatticeSamples | None = None,
        margin: int = 0,
    ) -> None:
        fixed, layers, image_order = inputs.fixed, inputs.layers, inputs.image_order
        moving = _with_margin(inputs.moving, margin, inputs.moving_models)
        self._fixed_grid, self._moving, self._moving_models = fixed.grid, moving, tuple(inputs.moving_models)
        seen = with_axes_like(moving, _axes_after(start, fixed.grid), image_order)
        self._sum = LayerSum(layers, inputs.generator)
        self._image_order, self._feature_order = image_order, feature_order
        self._update_interval = update_interval
        self._role, self._sink, self._lattice = f"Moving_{level}", sink, lattice
        self._moving_stats = inputs.moving.statistics()
        self._domain = Domain.of(inputs.moving.grid, inputs.moving_mask, moving.data.device)

        fixed_maps = _maps_of_image(fixed, inputs.fixed_models, image_order, f"Fixed_{level}", sink, fixed.statistics())
        moving_maps = _maps_of_image(seen, inputs.moving_models, image_order, self._role, sink, self._moving_stats)
        check_layers([m.features.shape[0] for m in fixed_maps], [m.features.shape[0] for m in moving_maps], layers)
        self._bases = [
            principal_axes(m.features, layer.pca) if layer.pca else None for m, layer in zip(fixed_maps, layers)
        ]
        self._write_maps(f"Fixed_{level}", fixed_maps, sink)
        self._fixed = self._fields(fixed_maps)
        self._write_maps(self._role, moving_maps, sink)
        self._moving_fields = self._fields(moving_maps)
        self._warp: AbstractTransform | None = None
        self._on_lattice = None if lattice is None else [field.values(lattice.places) for field in self._fixed]

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels compared per layer, after PCA and before the subset."""
        return tuple(field.channels for field in self._fixed)

    def _fields(self, maps: list[FeatureMap]) -> list[Field]:
        fields = []
        for index, basis in enumerate(self._bases):
            feature_map = maps[index]
            features = feature_map.features if basis is None else project(feature_map.features, basis)
            if self._lattice is not None:
                features, grid = averaged(features, feature_map.grid, self._lattice.lattice.grid.spacing)
            else:
                grid = feature_map.grid
            fields.append(Field.from_volume(features, grid, self._feature_order))
        return fields

    def _write_maps(self, role: str, maps: list[FeatureMap], sink: FeatureSink | None) -> None:
        if sink is None:
            return
        for index, (feature_map, basis) in enumerate(zip(maps, self._bases)):
            features = feature_map.features if basis is None else project(feature_map.features, basis)
            sink(f"{role}_{index}", features, feature_map.grid)

    def begin_iteration(self, iteration: int, transform: AbstractTransform) -> "StaticImpact":
        """The metric with moving features of the warped image where the update interval asks for them."""
        if self._update_interval <= 0 or iteration == 0 or iteration % self._update_interval:
            return self
        return self._updated(transform, self._sink)

    def carried(self) -> dict[str, Tensor]:
        """The parameters of the transform at the last update."""
        return {} if self._warp is None else {"warp": self._warp.parameters}

    def with_carried(self, carried: Mapping[str, Tensor], transform: AbstractTransform) -> "StaticImpact":
        """The metric with the features of that update, which are not written again."""
        return self._updated(transform.with_parameters(carried["warp"]), None) if "warp" in carried else self

    def _updated(self, transform: AbstractTransform, sink: FeatureSink | None) -> "StaticImpact":
        """The metric with moving features of the image warped by `transform`."""
        new = copy(self)
        with torch.no_grad():
            new._warp = transform.with_parameters(transform.parameters.detach().clone())
            maps = _maps_of_warped_image(
                self._moving, new._warp, self._fixed_grid, self._moving_models, self._image_order,
                self._moving_stats, self._role, sink,
            )  # fmt: skip
            self._write_maps(self._role, maps, sink)
            new._moving_fields = self._fields(maps)
        return new

    def evaluate(self, transform: AbstractTransform, world_points: Points) -> MetricValue:
        """Sum over layers of weight times normalised distance, at the samples inside the moving domain."""
        lattice = self._lattice
        places = world_points if lattice is None else lattice.places
        moving_points = transform.map_points(places) if lattice is None else lattice.mapped(transform)
        weights = self._domain.weights(moving_points)
        if lattice is not None:
            weights = weights * lattice.weights
        total = weights.sum()
        count = total.clamp_min(1.0)
        query = moving_points if self._warp is None else _pull_back(self._warp, places, moving_points)
        fixed = self._on_lattice or [field.values(places) for field in self._fixed]
        features = [(f, m.values(query)) for f, m in zip(fixed, self._moving_fields)]
        value, parts = self._sum.evaluate(features, weights, count)
        possible = places.shape[0] if lattice is None else lattice.weights.sum().clamp_min(1.0)
        return MetricValue(value, total / possible, parts)


def _with_margin(moving: Image, margin: int, models: Sequence[ModelInput]) -> Image:
    """The image surrounded with its lowest value, by so many voxels of the model that sees the largest ones."""
    if margin == 0:
        return moving
    sizes = [max(column) for column in zip(*(model.voxel_size for model in models))]
    added = [math.ceil(margin * size / spacing) for size, spacing in zip(sizes, moving.grid.spacing)]
    return moving.padded(added, float(moving.data.min()))


def _axes_after(transform: AbstractTransform, grid: Grid) -> tuple[Row, ...]:
    """The axes of `grid` as the transform turns them, on average over the grid."""
    shares = torch.tensor(list(product(*((0.25, 0.5, 0.75),) * grid.dimension)), dtype=torch.float64)
    points = grid.to_world(shares * (torch.tensor(grid.size) - 1))
    with torch.no_grad():
        matrix = transform.spatial_jacobian(points.to(transform.parameters)).mean(0)
    axes = nearest_rotation(matrix) @ torch.tensor(grid.direction, dtype=torch.float64)
    return tuple(tuple(row) for row in axes.tolist())


def _maps_of_image(
    image: Image, models: Sequence[ModelInput], order: int, role: str, sink: FeatureSink | None, stats: Tensor
) -> list[FeatureMap]:
    maps: list[FeatureMap] = []
    for model in models:
        maps += feature_maps(on_voxel_grid(image, model.voxel_size, order), model, stats, role=role, sink=sink)
    return maps


def _maps_of_warped_image(
    moving: Image,
    warp: AbstractTransform,
    fixed_grid: Grid,
    models: Sequence[ModelInput],
    order: int,
    stats: Tensor,
    role: str,
    sink: FeatureSink | None,
) -> list[FeatureMap]:
    """Feature maps of m(T0(x)) on the fixed image's grid, each model at its voxel size."""
    field = ScalarField.from_volume(moving.data, moving.grid, order)
    maps: list[FeatureMap] = []
    for model in models:
        grid = voxel_grid(fixed_grid, model.voxel_size)
        values = [field.values(warp.map_points(p))[:, 0] for p in grid_chunks(grid, moving.data.device)]
        warped = Image(torch.cat(values).reshape(grid.shape), grid, moving.name)
        maps += feature_maps(warped, model, stats, role=role, sink=sink)
    return maps


def _pull_back(warp: AbstractTransform, world_points: Tensor, moving_points: Tensor) -> Tensor:
    """Where, in the warped image's space, the moving points lie to first order."""
    with torch.no_grad():
        start = warp.map_points(world_points)
        inverse = torch.linalg.inv(warp.spatial_jacobian(world_points))
    return world_points + torch.einsum("nij,nj->ni", inverse, moving_points - start)
