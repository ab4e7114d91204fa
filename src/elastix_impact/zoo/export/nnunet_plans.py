"""What an nnU-Net v2 plans file says about a network, in both of its layouts."""

import warnings
from dataclasses import dataclass
from typing import Any, final

from torch import nn

from elastix_impact.errors import ModelError

from .nnunet_folder import entry

NETWORKS = ("PlainConvUNet", "ResidualEncoderUNet")

CONVOLUTIONS: dict[str, int] = {"Conv2d": 2, "Conv3d": 3}
"""Their dimension."""

MODULES: dict[str, type[nn.Module]] = {
    module.__name__: module
    for module in (
        nn.Conv2d, nn.Conv3d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.BatchNorm2d, nn.BatchNorm3d, nn.Dropout2d,
        nn.Dropout3d, nn.LeakyReLU, nn.ReLU, nn.PReLU, nn.ELU, nn.GELU, nn.SiLU,
    )
}  # fmt: skip
"""What a plans file may name; nothing else is imported for it."""


@final
@dataclass(frozen=True, eq=False)
class NetworkPlan:
    """One configuration of a plans file.

    Attributes
    ----------
    configuration
        Its name.
    network
        One of `NETWORKS`.
    arguments
        Of the network's constructor, without channels and classes.
    dimension
        2 or 3.
    transpose
        The network's axes among (z, )y, x: its axis i is axis ``transpose[i]``.
    settings
        The configuration itself, inherited entries included.
    """

    configuration: str
    network: str
    arguments: dict[str, Any]
    dimension: int
    transpose: tuple[int, ...]
    settings: dict[str, Any]


def read_plan(plans: dict[str, Any], configuration: str, where: str) -> NetworkPlan:
    """The network of a configuration. `where` names the plans file in errors.

    Raises
    ------
    ModelError
        If the configuration is unknown, needs another network's output, or describes a network of another kind.
    """
    settings = _settings(plans, configuration, where)
    if settings.get("previous_stage"):
        raise ModelError(
            f"configuration {configuration} is the second stage of a cascade: it needs another network's segmentation",
            where=where,
            remedy="Choose another configuration",
        )
    network, arguments = _of_new_layout(settings, where) if "architecture" in settings else _of_old(settings, where)
    if network not in NETWORKS:
        raise ModelError(f"the network is a {network}", where=where, expected=" or ".join(NETWORKS))
    convolution = arguments.get("conv_op")
    dimension = CONVOLUTIONS.get(convolution.__name__) if isinstance(convolution, type) else None
    if dimension is None:
        raise ModelError("the network has no conv_op", where=where, expected=" or ".join(CONVOLUTIONS))
    entry(arguments, "n_stages", int, where)
    return NetworkPlan(configuration, network, arguments, dimension, _transpose(plans, dimension, where), settings)


def choose_configuration(plans: dict[str, Any], wanted: str | None, hints: tuple[str, ...], where: str) -> str:
    """The configuration `wanted`, else the first of `hints` that there is, else the only one.

    Raises
    ------
    ModelError
        If there is no such configuration; it lists those there are.
    """
    known = list(entry(plans, "configurations", dict, where))
    for name in (wanted,) if wanted else hints:
        if name in known:
            return name
    if wanted is None and len(known) == 1:
        return known[0]
    what = f"has no configuration {wanted}" if wanted else "doesn't say which configuration was trained"
    raise ModelError(what, where=where, remedy=f"Choose one of {', '.join(known)}")


def _settings(plans: dict[str, Any], configuration: str, where: str, below: tuple[str, ...] = ()) -> dict[str, Any]:
    """A configuration with what it inherits from others."""
    if configuration in below:
        raise ModelError(f"configuration {configuration} inherits from itself", where=where)
    settings = entry(entry(plans, "configurations", dict, where), configuration, dict, where)
    parent = settings.get("inherits_from")
    if parent is None:
        return settings
    return _settings(plans, str(parent), where, (*below, configuration)) | settings


def _of_new_layout(settings: dict[str, Any], where: str) -> tuple[str, dict[str, Any]]:
    architecture = entry(settings, "architecture", dict, where)
    network = entry(architecture, "network_class_name", str, where).rpartition(".")[2]
    arguments = dict(entry(architecture, "arch_kwargs", dict, where))
    for key in architecture.get("_kw_requires_import") or ():
        arguments[key] = _module(arguments.get(key), key, where)
    return network, arguments


def _module(name: object, key: str, where: str) -> type[nn.Module] | None:
    if name is None:
        return None
    path, _, last = str(name).rpartition(".")
    if not path.startswith("torch.nn") or last not in MODULES:
        raise ModelError(f"{key} is {name}", where=where, expected=f"one of torch.nn's {', '.join(MODULES)}")
    return MODULES[last]


def _of_old(settings: dict[str, Any], where: str) -> tuple[str, dict[str, Any]]:
    """The layout before nnU-Net 2.4, which says less: norm, bias and nonlinearity were always the same."""
    network = entry(settings, "UNet_class_name", str, where)
    kernels = entry(settings, "conv_kernel_sizes", list, where)
    first, most = (entry(settings, key, int, where) for key in ("UNet_base_num_features", "unet_max_num_features"))
    convolutions = entry(settings, "n_conv_per_stage_encoder", list, where)
    dimension = len(kernels[0]) if kernels and isinstance(kernels[0], list) else 0
    return network, {
        "n_stages": len(convolutions),
        "features_per_stage": [min(first * 2**stage, most) for stage in range(len(convolutions))],
        "conv_op": {2: nn.Conv2d, 3: nn.Conv3d}.get(dimension),
        "kernel_sizes": kernels,
        "strides": entry(settings, "pool_op_kernel_sizes", list, where),
        "n_conv_per_stage" if network == "PlainConvUNet" else "n_blocks_per_stage": convolutions,
        "n_conv_per_stage_decoder": entry(settings, "n_conv_per_stage_decoder", list, where),
        "conv_bias": True,
        "norm_op": {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}.get(dimension),
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": nn.LeakyReLU,
        "nonlin_kwargs": {"inplace": True},
    }


def _transpose(plans: dict[str, Any], dimension: int, where: str) -> tuple[int, ...]:
    """The network's axes among (z, )y, x. nnU-Net's 2-D networks see slices across the first transposed axis."""
    axes = tuple(entry(plans, "transpose_forward", list, where))
    if axes not in _ORDERS:
        raise ModelError(
            f"transpose_forward is {list(axes)}", where=where, expected="the numbers 0, 1, 2 in some order"
        )
    if dimension == 3:
        return axes
    if axes[0] != 0:
        warnings.warn(
            f"{where}: this 2-D network was trained on slices across {'zyx'[axes[0]]}; elastix-impact shows it "
            "slices across the image's z",
            stacklevel=2,
        )
    return (1, 0) if axes[1] > axes[2] else (0, 1)


_ORDERS = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
