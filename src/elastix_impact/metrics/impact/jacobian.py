"""IMPACT in Jacobian mode: the network sees a patch around every sample, at every iteration.

Boussot et al., arXiv 2503.24121. The gradient flows through the network to the moving patch's intensities and
from there to the transform: at every patch point (``Exact``), or, as in the reference, as if the whole patch moved
like its centre (``Center``).
"""

from collections.abc import Iterator, Sequence
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
        patches: list[tuple[Tensor, Tensor]] = []
        for plan in self._plans:
            fixed_points = plan.points(world_points)
            mapped = self._mapped(transform, fixed_points, centres)
            weights = weights * self._domain.weights(mapped.flatten(0, 1)).view(len(world_points), -1).amin(1)
            patches.append((fixed_points, mapped))
        features = [pair for index, points in enumerate(patches) for pair in self._features(index, *points)]
        if not self._checked:
            check_layers([f.shape[1] for f, _ in features], [m.shape[1] for _, m in features], self._layers)
            self._checked = True
        total = weights.sum()
        value, parts = self._sum.evaluate(features, weights, total.clamp_min(1.0))
        return MetricValue(value, total / len(world_points), parts)

    def _mapped(self, transform: AbstractTransform, patch_points: Tensor, centres: Tensor) -> Tensor:
        """Moving points (N, K, D) of fixed patch points."""
        flat = patch_points.flatten(0, 1)
        if self._gradient == "Exact":
            return transform.map_points(flat).view_as(patch_points)
        with torch.no_grad():
            mapped = transform.map_points(flat).view_as(patch_points)
        return mapped + (centres - centres.detach())[:, None]

    def _features(self, index: int, fixed_points: Tensor, moving_points: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Fixed and moving features (N, C) of each selected layer of one pair of models."""
        fixed_model, moving_model = self._models[index]
        shape = self._plans[index].shape
        pieces = fixed_points.split(max(1, PATCH_VOXELS // fixed_points.shape[1]))
        with torch.no_grad():
            fixed = [
                centre_features(fixed_model, self._fixed, piece, shape, self._stats[0], self._direction)
                for piece in pieces
            ]

        def of_moving(piece: Tensor) -> list[Tensor]:
            return centre_features(moving_model, self._moving, piece, shape, self._stats[1], self._direction)

        split = moving_points.split(len(pieces[0]))
        if len(split) == 1 or not moving_points.requires_grad:
            moving = [of_moving(piece) for piece in split]
        else:
            # Stopping a recomputation early works by an exception, which TorchScript would take for a failure.
            with set_checkpoint_early_stop(False):
                moving = [checkpoint(of_moving, piece, use_reentrant=False) for piece in split]
        for of_fixed, of_layer in zip(zip(*fixed), zip(*moving)):
            yield torch.cat(of_fixed), torch.cat(of_layer)
