"""IMPACT in Jacobian mode: the network sees a patch around every sample, at every iteration.

Boussot et al., arXiv 2503.24121. The gradient flows through the network to the moving patch's intensities and
from there to the transform: at every patch point (``Exact``), or, as in the reference, as if the whole patch moved
like its centre (``Center``).
"""

import math
import warnings
from collections.abc import Sequence
from typing import Literal, final

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint, set_checkpoint_early_stop

from elastix_impact.geometry.domain import Domain
from elastix_impact.geometry.field import ScalarField
from elastix_impact.geometry.patches import Patches
from elastix_impact.metrics.base import AbstractMetric, MetricValue
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.typing import Points
from elastix_impact.zoo.memory import bytes_per_voxel, free_memory

from .features import ModelInput
from .inputs import ImpactInputs
from .layers import LayerSum, check_layers
from .patches import PatchPlan, centre_features

JacobianGradient = Literal["Exact", "Center"]

FIXED_ORDER = 3
"""Interpolation order of the fixed patches, as in the reference; moving ones follow the map."""

CPU_PIECE_VOXELS = 1 << 15
"""Patch voxels that go through a network at once on a CPU: what it computes on the way then stays in the caches,
which was measured 10 % faster than larger pieces."""

GPU_PIECE_VOXELS = 1 << 21
"""The most on other devices; less where their free memory is short."""

CPU_KEPT_VOXELS = 1 << 17
"""Patch voxels above which a CPU computes again for the gradient what the network computed on the way."""

KEPT_OPERATIONS = 16
"""Operations of a network whose results are assumed to be kept for the gradient, when sizing pieces by memory."""


@final
class JacobianImpact(AbstractMetric):
    """The IMPACT metric of one level in Jacobian mode.

    Parameters
    ----------
    inputs
        Images, models and layers. A sample counts only if its whole mapped patch is inside the moving image and mask.
        The models are in pairs: both sides select the same layers and have the same patch size. PCA is not used in
        this mode.
    gradient
        See above.

    Raises
    ------
    ModelError
        If the two sides don't fit together or a model can't run.
    """

    def __init__(self, inputs: ImpactInputs, *, gradient: JacobianGradient) -> None:
        fixed, moving, generator, device = inputs.fixed, inputs.moving, inputs.generator, inputs.fixed.data.device
        self._fixed = ScalarField.from_volume(fixed.data, fixed.grid, FIXED_ORDER)
        self._moving = ScalarField.from_volume(moving.data, moving.grid, inputs.image_order)
        self._stats = fixed.statistics().cpu(), moving.statistics().cpu()
        self._direction = torch.tensor(fixed.grid.direction, dtype=torch.float64).round().long()
        self._domain = Domain.of(moving.grid, inputs.moving_mask, device)
        self._models = list(zip(inputs.fixed_models, inputs.moving_models))
        self._plans = [PatchPlan(model, fixed.grid, generator, device) for model in inputs.fixed_models]
        self._sum, self._layers, self._gradient = LayerSum(inputs.layers, generator), tuple(inputs.layers), gradient
        self._generator, self._generator_state = generator, generator.get_state()
        self._piece_voxels, self._kept_voxels = _memory_plan(inputs.moving_models, device)
        self._checked = False

    def evaluate(self, transform: AbstractTransform, world_points: Points) -> MetricValue:
        """Sum over layers of weight times normalised distance, at the samples whose mapped patches are inside."""
        self._generator_state = self._generator.get_state()
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

    def use_less_memory(self) -> bool:
        """Halve the pieces, keep nothing for the gradient, and take the random numbers back."""
        largest = max(math.prod(plan.shape) for plan in self._plans)
        if self._piece_voxels < 2 * largest:
            return False
        if self._kept_voxels:
            warnings.warn(
                f"memory on {self._fixed.table.device} is short: patches go through the models in smaller pieces, "
                "which changes the time and not the result",
                stacklevel=2,
            )
        self._piece_voxels, self._kept_voxels = self._piece_voxels // 2, 0
        self._generator.set_state(self._generator_state)
        return True

    def _features(
        self, index: int, transform: AbstractTransform, world_points: Tensor, centres: Tensor
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """For one pair of models: which samples count (N,), and fixed and moving features (N, C) of each layer."""
        plan, (fixed_model, moving_model) = self._plans[index], self._models[index]
        voxels = math.prod(plan.shape)
        size = max(1, self._piece_voxels // voxels)
        keep = len(world_points) * voxels <= self._kept_voxels or not centres.requires_grad
        patches = plan.patches(world_points)
        fixed: list[list[Tensor]] = []
        moving: list[list[Tensor]] = []

        def of_moving(piece: Patches, middles: Tensor) -> list[Tensor]:
            mapped = self._mapped(transform, piece, middles).flatten(0, 1)
            inside = self._domain.weights(mapped).view(len(middles), -1).amin(1)
            values = self._moving.values(mapped).view(len(middles), -1, 1)
            return [inside, *centre_features(moving_model, values, plan.shape, self._stats[1], self._direction)]

        for piece, middles in zip(patches.split(size), centres.split(size)):
            with torch.no_grad():
                values = self._fixed.patch_values(piece)
                fixed.append(centre_features(fixed_model, values, plan.shape, self._stats[0], self._direction))
            if keep:
                moving.append(of_moving(piece, middles))
                continue
            # Stopping a recomputation early works by an exception, which TorchScript would take for a failure.
            with set_checkpoint_early_stop(False):
                moving.append(checkpoint(of_moving, piece, middles, use_reentrant=False))
        inside, *of_layers = (torch.cat(parts) for parts in zip(*moving))
        return inside, list(zip((torch.cat(parts) for parts in zip(*fixed)), of_layers))

    def _mapped(self, transform: AbstractTransform, patches: Patches, centres: Tensor) -> Tensor:
        """Moving points (N, K, D) of the patches' points; `centres` (N, D) are those of the samples."""
        if self._gradient == "Exact":
            return transform.map_patches(patches)
        with torch.no_grad():
            mapped = transform.map_patches(patches)
        return mapped + (centres - centres.detach())[:, None]


def _memory_plan(models: Sequence[ModelInput], device: torch.device) -> tuple[int, int]:
    """Patch voxels in a piece, and patch voxels of all samples up to which nothing is computed twice."""
    if device.type == "cpu":
        return CPU_PIECE_VOXELS, CPU_KEPT_VOXELS
    free = free_memory(device)
    if free is None:
        return GPU_PIECE_VOXELS, GPU_PIECE_VOXELS
    per_voxel = max(bytes_per_voxel(m.model, m.dimension, m.channels, len(m.layers_mask)) for m in models)
    piece = min(GPU_PIECE_VOXELS, int(free / (KEPT_OPERATIONS * per_voxel)))
    return piece, piece
