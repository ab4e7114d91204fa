"""A trained-model folder as nnU-Net v2 writes it, with a small network of random weights."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from torch import Tensor, nn

CT = {"percentile_00_5": -900.0, "percentile_99_5": 800.0, "mean": 40.0, "std": 300.0, "min": -1024, "max": 3000}
ISOTROPIC = ((1, 1, 1), (2, 2, 2), (2, 2, 2))
ANISOTROPIC = ((1, 1, 1), (1, 2, 2), (2, 1, 2))


@dataclass(frozen=True)
class Trained:
    """`folder` holds plans.json; `network` is the library's with the same weights, of which layers are expected."""

    folder: Path
    network: nn.Module

    def checkpoint(self, fold: str = "fold_0") -> Path:
        return self.folder / fold / "checkpoint_final.pth"

    def edit(self, name: str, **changes: Any) -> None:
        """Change entries of a JSON file; None takes one away."""
        path = self.folder / name
        content = json.loads(path.read_text()) | changes
        path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))

    def configure(self, **changes: Any) -> None:
        """Change entries of the 3d_fullres configuration; None takes one away."""
        plans = json.loads((self.folder / "plans.json").read_text())
        settings = plans["configurations"]["3d_fullres"] | changes
        plans["configurations"]["3d_fullres"] = {key: value for key, value in settings.items() if value is not None}
        (self.folder / "plans.json").write_text(json.dumps(plans))

    def layers(self, normalized: Tensor) -> list[Tensor]:
        """Every stage of the encoder, every stage of the decoder, the logits, for an image already normalised."""
        found: list[Tensor] = []
        stages = (*self.network.encoder.stages, *self.network.decoder.stages)
        with recording(stages, found), torch.no_grad():
            logits = self.network(normalized)
        return [*found, logits]


@contextmanager
def recording(modules: Sequence[nn.Module], outputs: list[Tensor]) -> Iterator[None]:
    hooks = [m.register_forward_hook(lambda _m, _i, output: outputs.append(output.clone())) for m in modules]
    yield
    for hook in hooks:
        hook.remove()


def arguments_of(kind: str, strides: Sequence[Sequence[int]], *, normed: bool = True) -> dict[str, Any]:
    """What a plans file says of a network: names of classes, lists of numbers."""
    dimension, stages = len(strides[0]), len(strides)
    norm = f"torch.nn.modules.instancenorm.InstanceNorm{dimension}d" if normed else None
    return {
        "n_stages": stages,
        "features_per_stage": [min(4 * 2**stage, 12) for stage in range(stages)],
        "conv_op": f"torch.nn.modules.conv.Conv{dimension}d",
        "kernel_sizes": [[3] * dimension] * stages,
        "strides": [list(stride) for stride in strides],
        "n_conv_per_stage" if kind == "PlainConvUNet" else "n_blocks_per_stage": [1] + [2] * (stages - 1),
        "n_conv_per_stage_decoder": [1] * (stages - 1),
        "conv_bias": True,
        "norm_op": norm,
        "norm_op_kwargs": {"eps": 1e-5, "affine": True} if normed else None,
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }


NEEDS_IMPORT = ["conv_op", "norm_op", "dropout_op", "nonlin"]


def new_layout(kind: str, arguments: dict[str, Any]) -> dict[str, Any]:
    name = f"dynamic_network_architectures.architectures.unet.{kind}"
    return {"architecture": {"network_class_name": name, "arch_kwargs": arguments, "_kw_requires_import": NEEDS_IMPORT}}


def old_layout(kind: str, arguments: dict[str, Any]) -> dict[str, Any]:
    blocks = "n_conv_per_stage" if kind == "PlainConvUNet" else "n_blocks_per_stage"
    return {
        "UNet_class_name": kind,
        "UNet_base_num_features": arguments["features_per_stage"][0],
        "unet_max_num_features": max(arguments["features_per_stage"]),
        "n_conv_per_stage_encoder": arguments[blocks],
        "n_conv_per_stage_decoder": arguments["n_conv_per_stage_decoder"],
        "num_pool_per_axis": [2, 2, 2],
        "pool_op_kernel_sizes": arguments["strides"],
        "conv_kernel_sizes": arguments["kernel_sizes"],
    }


def random_network(kind: str, arguments: dict[str, Any], classes: int) -> nn.Module:
    modules = {
        key: value and getattr(nn, value.rpartition(".")[2]) for key, value in arguments.items() if key in NEEDS_IMPORT
    }
    made = {"PlainConvUNet": PlainConvUNet, "ResidualEncoderUNet": ResidualEncoderUNet}[kind]
    network = made(**(arguments | modules | {"input_channels": 1, "num_classes": classes, "deep_supervision": False}))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval()


def write_folder(
    root: Path,
    *,
    kind: str = "PlainConvUNet",
    strides: Sequence[Sequence[int]] = ISOTROPIC,
    scheme: str = "CTNormalization",
    layout: str = "new",
    normed: bool = True,
    transpose: Sequence[int] = (0, 1, 2),
    folds: Sequence[str] = ("fold_0",),
    prefix: str = "",
    name: str = "Dataset291_TotalSegmentator_part1_organs_1559subj/nnUNetTrainerNoMirroring__nnUNetPlans__3d_fullres",
) -> Trained:
    """Write `root`/`name` with plans, dataset, and a checkpoint per fold, all of the same weights."""
    classes = 3
    folder = root / name
    arguments = arguments_of(kind, strides, normed=normed)
    network = random_network(kind, arguments, classes)
    written = new_layout(kind, arguments) if layout == "new" else old_layout(kind, arguments)
    settings = {"normalization_schemes": [scheme], "use_mask_for_norm": [False], **written}
    folder.mkdir(parents=True)
    plans: dict[str, Any] = {
        "dataset_name": name.split("/")[0],
        "transpose_forward": list(transpose),
        "configurations": {"3d_fullres": settings},
    }
    if layout == "new":
        plans["foreground_intensity_properties_per_channel"] = {"0": CT}
    else:
        fingerprint = {"foreground_intensity_properties_per_channel": {"0": CT}}
        (folder / "dataset_fingerprint.json").write_text(json.dumps(fingerprint))
    (folder / "plans.json").write_text(json.dumps(plans))
    dataset = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "spleen": 1, "liver": 2}}
    (folder / "dataset.json").write_text(json.dumps(dataset))
    trained = Trained(folder, network)
    for fold in folds:
        trained.checkpoint(fold).parent.mkdir()
        write_checkpoint(trained.checkpoint(fold), {prefix + k: v for k, v in network.state_dict().items()})
    return trained


def write_checkpoint(path: Path, weights: dict[str, Tensor], **more: Any) -> None:
    """A checkpoint with what nnU-Net writes beside the weights: a log of numpy numbers, a device, settings."""
    log = {"mean_fg_dice": [np.float64(0.5), np.float32(0.25)], "dice_per_class": [np.zeros(2)], "lrs": [0.01]}
    content = {
        "network_weights": weights,
        "optimizer_state": {"state": {}, "param_groups": []},
        "grad_scaler_state": None,
        "logging": log,
        "_best_ema": np.float64(0.4),
        "current_epoch": 1000,
        "init_args": {"configuration": "3d_fullres", "fold": 0, "device": torch.device("cpu")},
        "trainer_name": "nnUNetTrainerNoMirroring",
        "inference_allowed_mirroring_axes": None,
    }
    torch.save(content | more, path)
