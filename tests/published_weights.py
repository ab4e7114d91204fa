"""Random weights in the layouts in which the authors of vision networks publish theirs."""

from pathlib import Path

import torch
from torch import Tensor, nn

from elastix_impact.zoo.export.sam import SIZES, TRUNK
from elastix_impact.zoo.export.timm_models import import_timm


def hiera(size: str = "tiny") -> nn.Module:
    """SAM 2's image encoder by timm, random weights."""
    torch.manual_seed(1)
    trunk = import_timm().models.hieradet_sam2.HieraDet(**SIZES[size], num_classes=0)
    return trunk.eval()


def of_sam_authors(trunk: nn.Module) -> dict[str, dict[str, Tensor]]:
    """As in ``sam2.1_hiera_tiny.pt``: other names in the MLPs, beside the weights of the mask decoder."""
    weights = {
        TRUNK + name.replace("mlp.fc1.", "mlp.layers.0.").replace("mlp.fc2.", "mlp.layers.1."): weight
        for name, weight in trunk.state_dict().items()
        if not name.startswith("head.")
    }
    return {"model": {**weights, "sam_mask_decoder.iou_token.weight": torch.zeros(1, 256)}}


def dinov2(registers: bool = False, size: str = "small") -> nn.Module:
    """DINOv2 by timm, random weights; its blocks change the tokens visibly, as trained ones do."""
    torch.manual_seed(1)
    name = f"vit_{size}_patch14{'_reg4' if registers else ''}_dinov2"
    network = import_timm().create_model(name, pretrained=False, dynamic_img_size=True)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(".gamma"):
                parameter.fill_(0.5)
            if name in ("cls_token", "reg_token"):
                parameter.normal_(std=0.1)
    return network.eval()


def of_dinov2_authors(network: nn.Module) -> dict[str, Tensor]:
    """As in ``dinov2_vits14_pretrain.pth``: with a mask token, and a class position also beside registers."""
    weights = dict(network.state_dict())
    width = weights["cls_token"].shape[-1]
    published = {"mask_token": torch.zeros(1, width)}
    registers = weights.pop("reg_token", None)
    if registers is not None:
        published["register_tokens"] = registers
        class_position = torch.full((1, 1, width), 0.25)
        weights["pos_embed"] = torch.cat([class_position, weights["pos_embed"]], 1)
        weights["cls_token"] = weights["cls_token"] - class_position
    return {**weights, **published}


class AnatomixSequence(nn.Module):
    """Anatomix's U-Net as its authors number it: one sequence, with places where skips begin and end."""

    def __init__(self, width: int = 16, halvings: int = 4) -> None:
        super().__init__()
        parts: list[nn.Module] = _step(1, width)
        self.leaves, self.joins = [], []
        channels = width
        for level in range(halvings):
            wide = width * 2**level
            parts += _step(channels, wide) + _step(wide, wide)
            self.leaves.append(len(parts) - 1)
            parts.append(nn.MaxPool3d(2))
            channels = wide
        parts += _step(channels, 2 * channels) + _step(2 * channels, 2 * channels)
        for level in reversed(range(halvings)):
            wide = width * 2**level
            self.joins.append(len(parts))
            parts += [nn.Upsample(scale_factor=2, mode="nearest"), *_step(3 * wide, wide), *_step(wide, wide)]
        self.model = nn.Sequential(*parts, _convolution(width, 16))

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for place, part in enumerate(self.model):
            x = part(x)
            if place in self.leaves:
                skips.append(x)
            if place in self.joins:
                x = torch.cat([skips.pop(), x], 1)
        return x


def anatomix() -> nn.Module:
    """Anatomix, random weights and statistics."""
    torch.manual_seed(1)
    network = AnatomixSequence()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval()


def _convolution(channels: int, new_channels: int) -> nn.Module:
    return nn.Conv3d(channels, new_channels, 3, padding="same", padding_mode="reflect", bias=False)


def _step(channels: int, new_channels: int) -> list[nn.Module]:
    return [_convolution(channels, new_channels), nn.BatchNorm3d(new_channels), nn.ReLU()]


def saved(content: object, path: Path) -> Path:
    """A checkpoint file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)
    return path
