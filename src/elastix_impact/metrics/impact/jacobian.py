"""IMPACT in Jacobian mode: the network sees a patch around every sample, at every iteration.

Boussot et al., arXiv 2503.24121. The gradient flows through the network to the moving patch's intensities and
from there to the transform: at every patch point (``Exact``), or, as in the reference, as if the whole patch moved
like its centre (``Center``).
"""

import math
from collections.abc import Sequence
from typing import Literal, final

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint, set_checkpoint_early_stop

from elastix_impact.geometry.domain import Domain
from elastix_impact.geometry.field import ScalarField
from elastix_impact.geometry.image import Image
from elastix_impact.metrics.base import AbstractMetric, MetricValue
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.typing import Points

from .features import ModelInput
from .layers import LayerComparison, LayerSum, check_layers
from .patches import PatchPlan, centre_features

JacobianGradient = Literal["Exact", "Center"]

FIXED_ORDER = 3
"""Interpolation order of the fixed patches, as in the reference; moving ones follow the map."""

PATCH_VOXELS = 1 << 17
"""Patch voxels that go through a network at once. More are taken piece by piece and computed again for the gradient."""


@final
class JacobianImpact(AbstractMetric):
    """The IMPACT metric of one level in Jacobian mode.

    Parameters
    ----------
    fixed, moving
        The level's images, in the loop's frame and on its device.
    moving_mask
        Where the moving image counts, or None. A sample counts only if its whole mapped patch is inside.
    fixed_models, moving_models
        The models in pairs; both sides select the same layers and have the same patch size.
    layers
        One comparison per selected layer, models in order; PCA is not used in this mode.
    image_order
        Interpolation order of the moving image.
    gradient
        See above.
    generator
        Draws channel subsets and the planes of 2-D models.

    Raises
    ------
    ModelError
        If the two sides don't fit together or a model can't run.
    """

    def __init__(
        self,
        fixed: Image,
        moving: Image,
        moving_mask: Image | None,
        *,
        fixed_models: Sequence[ModelInput],
        moving_models: Sequence[ModelInput],
        layers: Sequence[LayerComparison],
        image_order: int,
        gradient: JacobianGradient,
        generator: torch.Generator,
    ) -> None:
        device = fixed.data.device
        self._fixed = ScalarField.from_volume(fixed.data, fixed.grid, FIXED_ORDER)
        self._moving = ScalarField.from_volume(moving.data, moving.grid, image_order)
        self._stats = fixed.statistics().cpu(), moving.statistics().cpu()
        self._direction = torch.tensor(fixed.grid.direction, dtype=torch.float64).round().long()
        self._domain = Domain.of(moving.grid, moving_mask, device)
        self._models = list(zip(fixed_models, moving_models))
        self._plans = [PatchPlan(model, fixed.grid, generator, device) for model in fixed_models]
        self._sum, self._layers, self._gradient = LayerSum(layers, generator), tuple(layers), gradient
        self._checked = False

    def evaluate(self, transform: AbstractTransform, world_points: Points) -> MetricValue:
        """Sum over layers of weight times normalised distance, at the samples whose mapped patches are inside."""
        centres = transform.map_points(world_points)
        weights = torch.ones_like(world_points[:, 0])
        features: list[tuple[Tensor, Tensor]] = []
        for index in range(len(self._models)):
            inside, pairs = self._features(index, transform, world_points, centres)
            weights = weights * inside
            features += pairs
        if not self._checked:
            check_layers([f.shape[1] for f, _ in features], [m.shape[1] for _, m in features], self._layers)
            self._checked = True
        total = weights.sum()
        value, parts = self._sum.evaluate(features, weights, total.clamp_min(1.0))
        return MetricValue(value, total / len(world_points), parts)

    def _features(
        self, index: int, transform: AbstractTransform, world_points: Tensor, centres: Tensor
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """For one pair of models: which samples count (N,), and fixed and moving features (N, C) of each layer."""
        plan, (fixed_model, moving_model) = self._plans[index], self._models[index]
        size = max(1, PATCH_VOXELS // math.prod(plan.shape))
        fixed: list[list[Tensor]] = []
        moving: list[list[Tensor]] = []

        def of_moving(patch_points: Tensor, middles: Tensor) -> list[Tensor]:
            mapped = self._mapped(transform, patch_points, middles)
            inside = self._domain.weights(mapped.flatten(0, 1)).view(len(middles), -1).amin(1)
            stats, direction = self._stats[1], self._direction
            return [inside, *centre_features(moving_model, self._moving, mapped, plan.shape, stats, direction)]

        for points, middles in zip(world_points.split(size), centres.split(size)):
            patch_points = plan.points(points)
            with torch.no_grad():
                stats, direction = self._stats[0], self._direction
                fixed.append(centre_features(fixed_model, self._fixed, patch_points, plan.shape, stats, direction))
            if len(world_points) <= size or not middles.requires_grad:
                moving.append(of_moving(patch_points, middles))
                continue
            # Stopping a recomputation early works by an exception, which TorchScript would take for a failure.
            with set_checkpoint_early_stop(False):
                moving.append(checkpoint(of_moving, patch_points, middles, use_reentrant=False))
        inside, *of_layers = (torch.cat(parts) for parts in zip(*moving))
        return inside, list(zip((torch.cat(parts) for parts in zip(*fixed)), of_layers))

    def _mapped(self, transform: AbstractTransform, patch_points: Tensor, centres: Tensor) -> Tensor:
        """Moving points (N, K, D) of fixed patch points; `centres` (N, D) are those of the samples."""
        flat = patch_points.flatten(0, 1)
        if self._gradient == "Exact":
            return transform.map_points(flat).view_as(patch_points)
        with torch.no_grad():
            mapped = transform.map_points(flat).view_as(patch_points)
        return mapped + (centres - centres.detach())[:, None]
