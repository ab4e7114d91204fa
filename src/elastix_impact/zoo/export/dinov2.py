"""DINOv2's patch tokens as a TorchScript feature model.

Oquab et al.: "DINOv2: Learning Robust Visual Features without Supervision", TMLR 2024; registers: Darcet et al.,
"Vision Transformers Need Registers", ICLR 2024. The transformer's blocks come from timm. The code inside
`PatchTokens` is compiled by TorchScript, hence plain `Tensor` annotations with the shapes in comments.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, final, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastix_impact.errors import InputError

from .normalization import ChannelStandard, check_colour_picture
from .timm_models import import_timm
from .weights import load_weights, read_weights
from .write import write_model

DinoSize = Literal["small", "base", "large", "giant"]

DEPTHS = {"small": 12, "base": 12, "large": 24, "giant": 40}
"""Blocks per size."""

WIDTHS = {"small": 384, "base": 768, "large": 1024, "giant": 1536}
"""Channels per size."""

PATCH = 14
"""Pixels per patch and axis."""

EVERY_LAYER, UNKNOWN = torch.tensor([999]), torch.tensor([])


@final
class PatchTokens(nn.Module):
    """Chosen blocks' patch tokens, normalised by the network's last norm, as maps at stride 14.

    Token k of an axis looks at the pixels 14k to 14k + 13; the last one is filled up by repeating the edge.
    """

    def __init__(self, transformer: Any, layers: Sequence[int]) -> None:
        super().__init__()
        self.normalize = ChannelStandard()
        self.projection = transformer.patch_embed.proj
        side = int(transformer.patch_embed.grid_size[0])
        positions: Tensor = transformer.pos_embed.detach()  # (1, prefix + side * side, C)
        extra = positions.size(1) - side * side
        prefix = [transformer.cls_token.detach()]
        if transformer.reg_token is not None:
            prefix.append(transformer.reg_token.detach())
        tokens = torch.cat(prefix, 1)
        if extra:
            tokens[:, :extra] = tokens[:, :extra] + positions[:, :extra]
        self.prefix, self.positions = nn.Parameter(tokens), nn.Parameter(_as_map(positions[:, extra:], side))
        ends = [0, *(layer + 1 for layer in layers)]
        self.blocks = nn.ModuleList(nn.Sequential(*transformer.blocks[a:b]) for a, b in pairwise(ends))
        self.norm_pre, self.norm = transformer.norm_pre, transformer.norm

    def forward(
        self,
        x: Tensor,  # (N, 3, y, x) raw intensities
        nb_layers: Tensor = EVERY_LAYER,  # () number of layers wanted; what lies behind is not computed
        stats: Tensor = UNKNOWN,  # (4,) min, max, mean, sd of the whole image; empty: of x
        direction: Tensor = UNKNOWN,  # (D, D) direction cosines; not needed
    ) -> list[Tensor]:  # (N, channels, y / 14, x / 14) each, rounded up
        """The layers, in order."""
        check_colour_picture(x)
        wanted = max(int(nb_layers), 1)
        patches = self.projection(whole_patches(self.normalize(x, stats), 14))
        height, width = patches.size(2), patches.size(3)
        tokens = (patches + self.position_map(height, width)).flatten(2).transpose(1, 2)
        tokens = self.norm_pre(torch.cat([self.prefix.expand(x.size(0), -1, -1), tokens], 1))
        layers: list[Tensor] = []
        for blocks in self.blocks:
            if len(layers) < wanted:
                tokens = blocks(tokens)
                of_patches = self.norm(tokens)[:, self.prefix.size(1) :]
                layers.append(of_patches.transpose(1, 2).unflatten(2, [height, width]))
        return layers

    def position_map(self, height: int, width: int) -> Tensor:
        """The positional embedding (1, C, height, width)."""
        if height == self.positions.size(2) and width == self.positions.size(3):
            return self.positions
        return F.interpolate(self.positions, size=[height, width], mode="bicubic", antialias=True)


def whole_patches(x: Tensor, multiple: int) -> Tensor:
    """An image (N, C, y, x) whose edge is repeated at the far ends up to whole multiples."""
    down, right = -x.size(2) % multiple, -x.size(3) % multiple
    return F.pad(x, [0, right, 0, down], mode="replicate") if down + right > 0 else x


def _as_map(positions: Tensor, side: int) -> Tensor:
    return positions.unflatten(1, (side, side)).permute(0, 3, 1, 2).contiguous()


def export_dinov2(
    checkpoint: Path, path: Path, *, size: DinoSize = "small", layers: Sequence[int] | None = None
) -> Path:
    """Write DINOv2's patch tokens as a TorchScript feature model.

    Parameters
    ----------
    checkpoint
        The authors' file (``dinov2_vits14_pretrain.pth``, ``dinov2_vits14_reg4_pretrain.pth``) or timm's.
    path
        The file to write; its folder is made if need be.
    size
        Which of the transformers it is.
    layers
        The blocks whose tokens are layers, counted from 0, increasing; None = the last block. What lies behind the last
        one is left out of the file.

    Returns
    -------
    Path
        `path`. The model takes 2-D images of 3 channels, raw intensities, of any size; its layers have stride 14.

    Raises
    ------
    InputError
        If `size` or `layers` is out of range.
    ModelError
        If timm is absent, or the checkpoint can't be read or is of another network.
    OutputError
        If the file can't be written.
    """
    if size not in DEPTHS:
        raise InputError(f"size is {size!r}", expected=f"one of {', '.join(get_args(DinoSize))}")
    chosen = [DEPTHS[size] - 1] if layers is None else list(layers)
    if not chosen or chosen != sorted(set(chosen)) or not 0 <= chosen[0] <= chosen[-1] < DEPTHS[size]:
        raise InputError(
            f"layers are {', '.join(map(str, chosen)) or 'none'}",
            expected=f"increasing numbers of blocks from 0 to {DEPTHS[size] - 1}",
        )
    transformer = _loaded_transformer(read_weights(checkpoint), size, str(checkpoint))
    return write_model(torch.jit.script(PatchTokens(transformer, chosen).eval()), path)


def _loaded_transformer(weights: dict[str, Tensor], size: str, where: str) -> Any:
    timm = import_timm()
    registers = "_reg4" if {"register_tokens", "reg_token"} & set(weights) else ""
    transformer = timm.create_model(f"vit_{size}_patch{PATCH}{registers}_dinov2", pretrained=False)
    of_authors = "mask_token" in weights
    network_name = f"DINOv2 of size {size}{' with registers' if registers else ''}"
    remedy = _remedy(weights, size)
    if of_authors and ("pos_embed" not in weights or weights["pos_embed"].dim() != 3):
        load_weights(transformer, weights, network_name=network_name, where=where, remedy=remedy)
    converted = timm.models.vision_transformer.checkpoint_filter_fn(weights, transformer) if of_authors else weights
    load_weights(transformer, converted, network_name=network_name, where=where, remedy=remedy)
    return transformer.eval()


def _remedy(weights: dict[str, Tensor], size: str) -> str:
    """What to do about weights that don't fit: name the size that they seem to be of."""
    embedding = weights.get("pos_embed")
    width = embedding.shape[-1] if embedding is not None else 0
    for other, channels in WIDTHS.items():
        if other != size and width == channels:
            return f"These are the weights of size {other}"
    return "Use a backbone checkpoint of github.com/facebookresearch/dinov2, as published"
