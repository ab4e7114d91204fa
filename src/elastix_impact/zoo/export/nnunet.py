"""Trained networks of nnU-Net v2 as TorchScript feature models: TotalSegmentator, MRSegmentator, any.

Isensee, Jaeger, Kohl, Petersen, Maier-Hein: "nnU-Net: a self-configuring method for deep learning-based biomedical
image segmentation", Nature Methods 18, 2021. Wasserthal et al.: "TotalSegmentator", Radiology: AI 5(5), 2023.
Haentze et al.: "MRSegmentator", arXiv 2405.06463. Needs dynamic-network-architectures, nnU-Net's networks.
"""

from pathlib import Path
from typing import Any, get_args

import torch
from torch import nn

from elastix_impact.errors import InputError, ModelError
from elastix_impact.zoo.failures import essence

from .nnunet_axes import NetworkAxes, Orientation
from .nnunet_checkpoint import Checkpoint, read_checkpoint
from .nnunet_features import Layers, feature_unet
from .nnunet_folder import DATASET, PLANS, find_checkpoint, find_model_folder, is_fold, read_json
from .nnunet_input import check_one_channel, has_regions, normalization
from .nnunet_plans import NetworkPlan, choose_configuration, read_plan
from .weights import load_weights, needs_extra
from .write import write_model

USUAL_CONFIGURATION = "3d_fullres"


def export_nnunet(
    folder: Path,
    path: Path,
    *,
    configuration: str | None = None,
    fold: str | None = None,
    checkpoint: str = "checkpoint_final.pth",
    layers: Layers = "published",
    orientation: Orientation = "canonical",
) -> Path:
    """Write a trained nnU-Net of one input channel as a TorchScript feature model.

    The model scales raw intensities as the training did, turns the image the way that the network knows, and gives
    its layers along the image's own axes. What lies behind the last wanted layer is not computed. Any image
    size goes through whose deepest stage keeps more than one voxel.

    Parameters
    ----------
    folder
        A trained-model folder (``.../nnUNetTrainer__nnUNetPlans__3d_fullres``), a fold in it, or a folder with
        exactly one of them inside.
    path
        The file to write; its folder is made if need be.
    configuration
        A configuration of plans.json; None = the one that the folder's name or the checkpoint names, else
        ``3d_fullres``, else the only one.
    fold
        ``"0"``, ``"all"`` ...; None = the fold that `folder` is, else ``fold_all`` if there, else the first.
    checkpoint
        The file in the fold. It is read without running code of it.
    layers
        ``"published"``: the encoder's stages, the last of the decoder, and the probabilities of the classes (the
        published files give the most probable class as 0 and 1, which has no gradient).
        ``"all"``: the encoder's stages, all of the decoder from deep to fine, and the logits of the classes.
    orientation
        In which the network was trained: ``"canonical"`` (RAS+: TotalSegmentator), ``"lps"`` (MRSegmentator)
        or ``"as_is"`` (any, images were not turned).

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InputError
        If `layers` or `orientation` is none of these.
    ModelError
        If the folder is incomplete, the network is of another kind, takes several images, or doesn't fit its weights.
    OutputError
        If the file can't be written.
    """
    _check_choice("layers", layers, get_args(Layers))
    _check_choice("orientation", orientation, get_args(Orientation))
    model_folder = find_model_folder(folder, configuration)
    where = str(model_folder / PLANS)
    plans, dataset = read_json(model_folder / PLANS), read_json(model_folder / DATASET)
    check_one_channel(dataset, str(model_folder / DATASET))
    file = find_checkpoint(model_folder, fold or (folder.resolve().name if is_fold(folder) else None), checkpoint)
    trained = read_checkpoint(file)
    hints = (model_folder.resolve().name.rpartition("__")[2], trained.configuration, USUAL_CONFIGURATION)
    plan = read_plan(plans, choose_configuration(plans, configuration, hints, where), where)
    network = trained_network(plan, trained, str(file))
    axes = NetworkAxes(orientation, plan.transpose)
    scale = normalization(plans, plan.settings, model_folder, where)
    module = feature_unet(network, scale, axes, layers, regions=has_regions(dataset))
    return write_model(torch.jit.script(module.eval()), path)


def _check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(f"{name} is {value!r}", expected=f"one of {', '.join(allowed)}")


def trained_network(plan: NetworkPlan, trained: Checkpoint, where: str) -> nn.Module:
    """The network of a plan, made by nnU-Net's own library, with trained weights in evaluation mode.

    Raises
    ------
    ModelError
        If the library is absent, can't make the network, or the weights are of another one. `where` names them.
    """
    try:
        from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
    except ImportError as error:
        raise needs_extra("dynamic-network-architectures") from error
    head = trained.weights.get(f"decoder.seg_layers.{plan.arguments['n_stages'] - 2}.weight")
    network_class = PlainConvUNet if plan.network == "PlainConvUNet" else ResidualEncoderUNet
    arguments: dict[str, Any] = {
        **plan.arguments,
        "input_channels": 1,
        "num_classes": 1 if head is None else len(head),
        "deep_supervision": False,
    }
    try:
        network = network_class(**arguments)
    except (TypeError, ValueError, AssertionError, IndexError, KeyError, RuntimeError, AttributeError) as error:
        raise ModelError(
            f"configuration {plan.configuration} of {PLANS} describes a {plan.network} that can't be made: "
            f"{essence(error)}",
            where=where,
        ) from error
    trainer = f" ({trained.trainer})" if trained.trainer else ""
    load_weights(
        network,
        trained.weights,
        network_name=f"{plan.network} that configuration {plan.configuration} describes",
        where=where,
        remedy=f"Choose the right configuration; a network that its trainer{trainer} changed can't be exported",
        optional=tuple(f"decoder.seg_layers.{stage}." for stage in range(plan.arguments["n_stages"] - 2)),
    )
    return network.eval()
