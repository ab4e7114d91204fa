"""How the selected layers' features become one number: subsets, distances, normalisation, weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from elastix_impact.errors import ModelError

from .distances import DISTANCES, NORMALISED


@final
@dataclass(frozen=True)
class LayerComparison:
    """How one selected layer is compared: `subset` channels per iteration, `pca` components (0 = off)."""

    distance: str
    weight: float
    subset: int
    pca: int


@final
class LayerSum:
    """The weighted sum of the layers' distances at one resolution level.

    L1 and L2 are divided by the value that they have at the first evaluation of the level, so that they start
    at 1 and weights compare.

    Parameters
    ----------
    layers
        One comparison per selected layer, models in order.
    generator
        Draws the channel subsets; all samples of an evaluation share one.
    """

    def __init__(self, layers: Sequence[LayerComparison], generator: torch.Generator) -> None:
        self._layers, self._generator = tuple(layers), generator
        self._first: list[Tensor] | None = None

    def evaluate(
        self, features: Sequence[tuple[Tensor, Tensor]], weights: Tensor, count: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum, a scalar, and the raw distance of each layer.

        Parameters
        ----------
        features
            Fixed and moving features (N, C) per layer.
        weights, count
            The samples' weights (N,) and their sum.
        """
        raw = [self._distance(layer, *pair, weights, count) for layer, pair in zip(self._layers, features)]
        if self._first is None:
            self._first = [
                torch.where(r.detach() > 0, r.detach(), 1.0) if layer.distance in NORMALISED else torch.ones_like(r)
                for layer, r in zip(self._layers, raw)
            ]
        terms = [layer.weight * r / first for layer, r, first in zip(self._layers, raw, self._first)]
        names = [f"{layer.distance} layer {index}" for index, layer in enumerate(self._layers)]
        return torch.stack(terms).sum(), {name: r.detach() for name, r in zip(names, raw)}

    def _distance(
        self, layer: LayerComparison, fixed: Tensor, moving: Tensor, weights: Tensor, count: Tensor
    ) -> Tensor:
        channels = fixed.shape[1]
        if layer.subset < channels:
            subset = draw_subset(channels, layer.subset, self._generator, fixed.device)
            fixed, moving = fixed.index_select(1, subset), moving.index_select(1, subset)
        return DISTANCES[layer.distance](fixed, moving, weights, count)


def draw_subset(channels: int, subset: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """Indices of `subset` of the `channels`, at least one, drawn without replacement."""
    drawn = torch.randperm(channels, generator=generator, device=generator.device)
    return drawn[: max(1, subset)].to(device)


def check_layers(fixed: Sequence[int], moving: Sequence[int], layers: Sequence[LayerComparison]) -> None:
    """Check that both sides select as many layers as are compared, with equal channels.

    Parameters
    ----------
    fixed, moving
        Channels of each selected layer.

    Raises
    ------
    ModelError
        With the numbers of both sides.
    """
    if not len(fixed) == len(moving) == len(layers):
        raise ModelError(
            f"fixed models give {len(fixed)} layers, moving models {len(moving)}, and {len(layers)} are compared",
            where="ImpactLayersMask",
            expected="as many selected layers on both sides",
        )
    for index, (f, m) in enumerate(zip(fixed, moving)):
        if f != m:
            raise ModelError(
                f"layer {index} has {f} fixed and {m} moving channels",
                where="ImpactLayersMask",
                expected="the same number of channels on both sides",
                remedy="Select layers with equal channels (elastix-impact models inspect FILE lists them)",
            )
