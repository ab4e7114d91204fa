"""The IMPACT metric as a loss for training networks. Boussot et al., arXiv 2503.24121."""

import difflib
import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastix_impact.errors import ImageError, InputError, ModelError
from elastix_impact.typing import Scalar
from elastix_impact.zoo.load import FeatureModel

from .distances import DISTANCES, NORMALISED
from .frozen import FrozenNetwork, ModelSource
from .layers import LayerComparison, draw_subset

DEFAULT_SEED = 121212
"""Of the channel subsets, as a parameter map's RandomSeed."""

ALL_CHANNELS = 1 << 31


@final
class ImpactLoss(nn.Module):
    """How differently pretrained networks see two images: the sum over layers of weight times distance.

    The distances are those of the IMPACT metric, between feature maps voxel by voxel. The loss of a batch is the mean
    of the losses of its images, each compared by itself and with its own statistics.

    The networks are frozen copies in evaluation mode. They move with the loss (`to`, `cuda`, `double`), but are in
    neither its parameters nor its `state_dict`. Images are raw intensities (HU for CT), axes as the model was trained;
    a model that takes a direction gets the identity.

    Parameters
    ----------
    model
        A TorchScript file, a loaded `FeatureModel`, or a module that takes images (N, C, *spatial) and returns a list
        of feature maps; or a sequence of them.
    layers
        Which layers of the model are compared: a 0 or 1 for each that it returns, as ImpactLayersMask, e.g. ``"01"``;
        one such string per model.
    distance
        ``"L1"``, ``"L2"``, ``"Cosine"``, ``"L1Cosine"``, ``"Dice"``, ``"NCC"``, ``"DotProduct"`` or ``"GaussianMI"``;
        one for all selected layers, or one for each, models in order.
    weights
        Of the selected layers, at least 0; one for all or one for each.
    dimension
        Of the model's input, one for all models or one for each; None = the images'. A 2-D model sees a 3-D image
        slice by slice along its first spatial axis.
    channels
        Of the model's input, one for all models or one for each; images of one channel are repeated to so many.
    subset
        Channels that are drawn anew at each call, at least 1, one for all selected layers or one for each; None = all.
    generator
        Draws the channels; None = one of its own, seeded with 121212.
    normalise
        Whether L1 and L2 are divided by the value that they have at the first call, as at each level of a registration,
        so that layers of different scale compare. These values are in the `state_dict`.

    Raises
    ------
    ModelError
        If a model can't be read, or `layers` is no mask.
    InputError
        If a distance is unknown, or there are more or fewer values than models or layers.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Softplus())
    >>> class Features(nn.Module):
    ...     def forward(self, images):
    ...         return [network(images)]
    >>> loss = ImpactLoss(Features(), "1", "Cosine")
    >>> image = torch.rand(2, 1, 16, 16)
    >>> round(loss(image, image).item(), 3)
    -1.0
    """

    first_values: Tensor | None

    def __init__(
        self,
        model: ModelSource | Sequence[ModelSource],
        layers: str | Sequence[str],
        distance: str | Sequence[str] = "L2",
        weights: int | float | Sequence[int | float] = 1.0,
        *,
        dimension: int | Sequence[int] | None = None,
        channels: int | Sequence[int] = 1,
        subset: int | Sequence[int] | None = None,
        generator: torch.Generator | None = None,
        normalise: bool = False,
    ) -> None:
        super().__init__()
        models = [model] if isinstance(model, str | Path | FeatureModel | nn.Module) else list(model)
        masks = [_mask(text) for text in _one_each(layers, len(models), "layers", "model")]
        dimensions = _one_each(dimension, len(models), "dimension", "model")
        numbers = _one_each(channels, len(models), "channels", "model")
        self._networks = tuple(FrozenNetwork(*row) for row in zip(models, masks, dimensions, numbers))
        self._layers = _comparisons(sum(mask.count("1") for mask in masks), distance, weights, subset)
        self._generator = torch.Generator().manual_seed(DEFAULT_SEED) if generator is None else generator
        unset = torch.full((len(self._layers),), math.nan) if normalise else None
        self.register_buffer("first_values", unset)

    def forward(self, output: Tensor, target: Tensor, mask: Tensor | None = None) -> Scalar:
        """The loss, differentiable by `output`, and by `target` if that requires a gradient.

        Parameters
        ----------
        output, target
            Images of one shape (N, C, H, W) or (N, C, D, H, W).
        mask
            How much each voxel counts, (N, 1, *spatial), 0 to 1 or bool; None = all count. A layer's voxel counts as
            much as the image's voxels that it covers do on average. An image of which nothing counts has the loss 0.

        Raises
        ------
        ImageError
            If the shapes do not fit together or the model.
        ModelError
            If a model fails or returns other layers than `layers` says.
        DeviceError
            If images and loss are not on one device.
        """
        _check_shapes(output, target, mask)
        pairs = [pair for network in self._networks for pair in zip(network.features(target), network.features(output))]
        device = output.device.type
        exact = torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()
        with exact:
            raw = torch.stack([self._distance(layer, *pair, mask) for layer, pair in zip(self._layers, pairs)])
            weights = raw.new_tensor([layer.weight for layer in self._layers])
            return torch.dot(self._normalised(raw), weights)

    def _distance(self, layer: LayerComparison, target: Tensor, output: Tensor, mask: Tensor | None) -> Tensor:
        """A layer's distance, the mean over the images, between features (N, channels, *spatial)."""
        weights = _layer_weights(mask, target)
        if layer.subset < target.shape[1]:
            drawn = draw_subset(target.shape[1], layer.subset, self._generator, target.device)
            target, output = target.index_select(1, drawn), output.index_select(1, drawn)
        fixed, moving = (features.flatten(2).transpose(1, 2) for features in (target, output))
        total = weights.sum(1)
        return torch.vmap(DISTANCES[layer.distance])(fixed, moving, weights, total.where(total > 0, 1.0)).mean()

    def _normalised(self, raw: Tensor) -> Tensor:
        """The layers' distances (L,), divided by those of the first call where that is asked for."""
        if self.first_values is None:
            return raw
        scaled = torch.tensor([layer.distance in NORMALISED for layer in self._layers], device=raw.device)
        now = torch.where(scaled & (raw.detach() > 0), raw.detach(), 1.0).to(self.first_values)
        self.first_values.copy_(torch.where(self.first_values.isnan(), now, self.first_values))
        return raw / self.first_values.clone()

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> "ImpactLoss":
        """What `to`, `cuda` and `double` do, done to the networks as well."""
        for network in self._networks:
            network.module._apply(fn, recurse)
        return super()._apply(fn, recurse)

    def extra_repr(self) -> str:
        """The models and how their layers are compared, for `print`."""
        models = ", ".join(f"{network.name} {network.layers_mask}" for network in self._networks)
        return f"{models}; " + ", ".join(f"{layer.weight:g} {layer.distance}" for layer in self._layers)


def _one_each(value: Any, count: int, name: str, owner: str) -> list[Any]:
    """One value for all, or one for each of `count` models or layers."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return [value] * count
    if len(value) != count:
        raise InputError(
            f"{len(value)} values for {count} {owner}{'' if count == 1 else 's'}",
            where=f"ImpactLoss `{name}`",
            expected=f"one value, or one per {owner}",
        )
    return list(value)


def _mask(text: str) -> str:
    if not text or set(text) - {"0", "1"} or "1" not in text:
        raise ModelError(
            f"{text!r} is no layers mask",
            where="ImpactLoss `layers`",
            expected='a 0 or 1 for each layer that the model returns and at least one 1, such as "01"',
        )
    return text


def _comparisons(count: int, distance: Any, weights: Any, subset: Any) -> tuple[LayerComparison, ...]:
    """How each of `count` selected layers is compared."""
    if count == 0:
        raise ModelError("no model is given", where="ImpactLoss `model`", expected="at least one")
    names = [_distance_name(name) for name in _one_each(distance, count, "distance", "selected layer")]
    factors = [float(weight) for weight in _one_each(weights, count, "weights", "selected layer")]
    subsets = _one_each(ALL_CHANNELS if subset is None else subset, count, "subset", "selected layer")
    for name, values, low in (("weights", factors, 0), ("subset", subsets, 1)):
        if not all(math.isfinite(value) and value >= low for value in values):
            raise InputError(f"got {values}", where=f"ImpactLoss `{name}`", expected=f"numbers of at least {low}")
    return tuple(LayerComparison(*row, pca=0) for row in zip(names, factors, subsets))


def _distance_name(name: str) -> str:
    if name in DISTANCES:
        return name
    known = {known.lower(): known for known in DISTANCES}
    near = [known[match] for match in difflib.get_close_matches(name.lower(), known, n=2)]
    raise InputError(
        f"there is no distance {name!r}",
        where="ImpactLoss `distance`",
        expected=f"one of {', '.join(DISTANCES)}",
        remedy=f"Did you mean {' or '.join(near)}?" if near else None,
    )


def _check_shapes(output: Tensor, target: Tensor, mask: Tensor | None) -> None:
    if output.shape != target.shape or output.dim() not in (4, 5):
        raise ImageError(
            f"output has shape {tuple(output.shape)} and target {tuple(target.shape)}",
            where="ImpactLoss",
            expected="one shape (N, C, H, W) or (N, C, D, H, W)",
        )
    wanted = (len(output), 1, *output.shape[2:])
    if mask is not None and tuple(mask.shape) != wanted:
        raise ImageError(f"the mask has shape {tuple(mask.shape)}", where="ImpactLoss", expected=f"shape {wanted}")


def _layer_weights(mask: Tensor | None, features: Tensor) -> Tensor:
    """How much each voxel of a layer (N, channels, *spatial) counts, (N, voxels)."""
    if mask is None:
        return features.new_ones(len(features), math.prod(features.shape[2:]))
    return F.interpolate(mask.to(features), size=features.shape[2:], mode="area").flatten(1)
