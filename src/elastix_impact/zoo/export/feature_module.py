"""Any PyTorch network as a TorchScript feature model: name the submodules whose outputs are the layers."""

import copy
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, final, get_args

import torch
from torch import Tensor, nn

from elastix_impact.errors import InputError, ModelError
from elastix_impact.zoo.failures import essence

from .captured_layers import CapturedLayers, observed_order
from .nnunet_axes import NetworkAxes, Orientation, turned, turned_back
from .normalization import Raw
from .write import write_model

SIZES = (32, 64, 128, 224)
"""Voxels per axis to try until the network takes them."""

TOLERANCE = 1e-3
"""Greatest difference from the network itself, as a part of a layer's greatest value."""

EVERY_LAYER, UNKNOWN = torch.tensor([999]), torch.tensor([])

_FAILURES = (RuntimeError, ValueError, TypeError, IndexError, AssertionError, KeyError, AttributeError)


@final
class _FeatureModel(nn.Module):
    """Traced networks, one per number of layers wanted, behind the signature of feature models."""

    dimension: Final[int]
    n_layers: Final[int]

    def __init__(self, normalize: nn.Module, axes: NetworkAxes, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.dimension, self.n_layers = axes.dimension, len(networks)
        self.normalize, self.axes, self.networks = normalize, axes, nn.ModuleList(networks)

    def forward(
        self,
        x: Tensor,  # (N, C, *spatial) raw intensities
        nb_layers: Tensor = EVERY_LAYER,  # () number of layers wanted; what lies behind is not computed
        stats: Tensor = UNKNOWN,  # (4,) min, max, mean, sd of the whole image; empty: of x
        direction: Tensor = UNKNOWN,  # (D, D) direction cosines, columns are axes; empty: the network's own
    ) -> list[Tensor]:  # (N, channels, *spatial of the layer) each
        if x.dim() != self.dimension + 2:
            raise RuntimeError(f"expected {self.dimension} spatial axes, got {x.dim() - 2}")
        wanted = min(max(int(nb_layers), 1), self.n_layers)
        order, flips = self.axes(direction)
        x = turned(self.normalize(x, stats), order, flips)
        layers: list[Tensor] = []
        for position, network in enumerate(self.networks):
            if position + 1 == wanted:
                layers = network(x)
        return [turned_back(layer, order, flips) for layer in layers]


def export_feature_model(
    module: nn.Module,
    path: Path | str,
    *,
    layers: Sequence[str],
    dimension: int,
    channels: int = 1,
    normalization: nn.Module | None = None,
    orientation: Orientation = "as_is",
    example_size: Sequence[int] | None = None,
) -> Path:
    """Write a network as a TorchScript feature model, compared with the network itself at three sizes.

    A copy of the network is traced on the CPU, in evaluation mode and float32; `module` stays as it is.

    Parameters
    ----------
    module
        The network, ``module(x)`` for x (N, channels, *spatial). Python code that depends on the image's size or values
        can't be traced and is refused.
    path
        The file to write; its folder is made if need be.
    layers
        Names of submodules as in ``module.named_modules()``, whose outputs (N, channels, *spatial) become the layers,
        in the order in which they run; ``"output"`` is the network's own result.
    dimension
        2 or 3.
    channels
        Channels of the images that the network takes.
    normalization
        A scriptable module ``normalization(x, stats)`` that scales raw intensities, such as those of
        `zoo.export.normalization`; None = the network takes raw intensities.
    orientation
        In which the network was trained: ``"canonical"`` (RAS+), ``"lps"``, or ``"as_is"`` (images are not turned).
        Its tensors' spatial axes are ordered z, y, x then.
    example_size
        Voxels x, y(, z) to trace with, multiples of the network's strides; None = found out.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InputError
        If `dimension`, `orientation` or `layers` is out of range.
    ModelError
        If a layer doesn't exist or isn't a map, or the network can't be traced truly.
    OutputError
        If the file can't be written.
    """
    if dimension not in (2, 3) or orientation not in get_args(Orientation) or not layers or isinstance(layers, str):
        raise InputError(
            f"dimension is {dimension}, orientation {orientation!r}, layers {layers!r}",
            expected=f"2 or 3, one of {', '.join(get_args(Orientation))}, and a list of at least one name",
        )
    network = _copied(module)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's: what they fear is measured below
        example = _accepted_image(network, dimension, channels, example_size)
        order, modified = observed_order(network, list(dict.fromkeys(layers)), example)
        networks = [CapturedLayers(network, order[:count], modified) for count in range(1, len(order) + 1)]
        axes = NetworkAxes(orientation, range(dimension))
        exported = _scripted(normalization or Raw(), axes, networks, example)
        _check_alike(exported, CapturedLayers(network, order, modified), normalization or Raw(), example)
    return write_model(exported, Path(path))


def _copied(module: nn.Module) -> nn.Module:
    if isinstance(module, torch.jit.ScriptModule):
        raise ModelError(
            "the network is TorchScript already",
            expected="the nn.Module that it was made of: its submodules can be seen",
        )
    try:
        return copy.deepcopy(module).cpu().float().eval()
    except _FAILURES as error:
        raise ModelError(f"the network can't be copied: {essence(error)}", where=type(module).__name__) from error


def _accepted_image(network: nn.Module, dimension: int, channels: int, size: Sequence[int] | None) -> Tensor:
    """Noise (1, channels, *spatial) of the first size that the network takes."""
    shapes = [tuple(reversed(size))] if size else [(side,) * dimension for side in SIZES]
    if len(shapes[0]) != dimension:
        raise InputError(f"example_size is {shapes[0][::-1]}", expected=f"{dimension} numbers of voxels, x, y(, z)")
    faults: list[Exception] = []
    for shape in shapes:
        try:
            network(image := _noise(shape, channels))
            return image
        except _FAILURES as error:
            faults.append(error)
    tried = ", ".join("x".join(map(str, reversed(shape))) for shape in shapes)
    raise ModelError(
        f"the network takes no image of {tried} voxels and {channels} channels: {essence(faults[0])}",
        where=type(network).__name__,
        remedy="Set dimension, channels and example_size to what it takes",
    ) from faults[0]


def _noise(shape: Sequence[int], channels: int, batch: int = 1) -> Tensor:
    return torch.randn(batch, channels, *shape, generator=torch.Generator().manual_seed(0))


def _scripted(
    normalize: nn.Module, axes: NetworkAxes, networks: Sequence[nn.Module], example: Tensor
) -> torch.jit.ScriptModule:
    try:
        traced: list[Any] = [
            torch.jit.trace(network, (example,), check_trace=False, strict=False) for network in networks
        ]
        return torch.jit.script(_FeatureModel(normalize, axes, traced).eval())
    except (*_FAILURES, NotImplementedError, torch.jit.Error) as error:  # pyright: ignore[reportGeneralTypeIssues]
        raise ModelError(
            f"the network can't be turned into TorchScript: {essence(error)}",
            remedy="Write what it names in plain tensor operations; a normalization needs torch.jit.script to take it",
        ) from error


def _check_alike(exported: torch.jit.ScriptModule, network: nn.Module, normalize: nn.Module, example: Tensor) -> None:
    """Compare with the network at the traced size, other values, and two other sizes, one with a batch of two."""
    shape, channels = tuple(example.shape[2:]), example.shape[1]
    longer, wider = (2 * shape[0], *shape[1:]), (*shape[:-1], 2 * shape[-1])
    traced_size = "x".join(map(str, reversed(shape)))
    for image in (example, -example, _noise(longer, channels), _noise(wider, channels, batch=2)):
        size = "x".join(map(str, reversed(image.shape[2:])))
        try:
            expected = network(normalize(image, UNKNOWN))
        except _FAILURES as error:
            raise ModelError(
                f"the network takes images of {traced_size} voxels, not {size}: {essence(error)}",
                expected="a network that takes every multiple of its strides, and batches",
            ) from error
        try:
            found = exported(image, EVERY_LAYER, UNKNOWN, UNKNOWN)
        except (RuntimeError, torch.jit.Error) as error:
            raise _depends_on_size(size, f"it fails: {essence(error)}") from error
        if not all(_alike(a, b) for a, b in zip(found, expected, strict=True)):
            raise _depends_on_size(size, "its features differ")


def _alike(found: Tensor, expected: Tensor) -> bool:
    if found.shape != expected.shape:
        return False
    return bool((found - expected).abs().max() <= TOLERANCE * expected.abs().max().clamp_min(1e-6))


def _depends_on_size(size: str, what: str) -> ModelError:
    return ModelError(
        f"the exported network is not the network for an image of {size} voxels: {what}",
        expected="layers that are computed in the same steps whatever the image's size and values",
        remedy="Replace Python's if, for, int() and float() on sizes and values by tensor operations, and random "
        "numbers by fixed ones; or script that submodule yourself with torch.jit.script",
    )
