"""The image encoder of SAM 2.1 as a TorchScript feature model.

Ravi et al.: "SAM 2: Segment Anything in Images and Videos", ICLR 2025. The encoder is a Hiera (Ryali et al., ICML
2023), whose blocks come from timm. The code inside `HieraFeatures` is compiled by TorchScript, hence plain `Tensor`
annotations with the shapes in comments.
"""

import re
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

SamSize = Literal["tiny", "small", "base_plus", "large"]

SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"stages": (1, 2, 7, 2), "global_att_blocks": (5, 7, 9)},
    "small": {"stages": (1, 2, 11, 2), "global_att_blocks": (7, 10, 13)},
    "base_plus": {"embed_dim": 112, "num_heads": 2, "global_pos_size": (14, 14)},
    "large": {
        "embed_dim": 144,
        "num_heads": 2,
        "stages": (2, 6, 36, 4),
        "global_att_blocks": (23, 33, 43),
        "window_spec": (8, 4, 16, 8),
    },
}
"""What tells the published encoders from timm's default Hiera."""

TRUNK = "image_encoder.trunk."
"""Where the encoder's weights are in the authors' checkpoints, among those of the mask decoder and the memory."""

EVERY_LAYER, UNKNOWN = torch.tensor([999]), torch.tensor([])


@final
class HieraFeatures(nn.Module):
    """The ends of a Hiera's stages, at strides 4, 8, 16 and 32, as the layers of a feature model."""

    def __init__(self, trunk: Any) -> None:
        super().__init__()
        self.normalize = ChannelStandard()
        self.patch_embed = trunk.patch_embed
        self.pos_embed: nn.Parameter = trunk.pos_embed
        self.pos_embed_window: nn.Parameter = trunk.pos_embed_window
        blocks = list(trunk.blocks)
        begins = [0, *(end + 1 for end in trunk.stage_ends)]
        self.stages = nn.ModuleList(nn.Sequential(*blocks[a:b]) for a, b in pairwise(begins))

    def forward(
        self,
        x: Tensor,  # (N, 3, y, x) raw intensities
        nb_layers: Tensor = EVERY_LAYER,  # () number of layers wanted; what lies behind is not computed
        stats: Tensor = UNKNOWN,  # (4,) min, max, mean, sd of the whole image; empty: of x
        direction: Tensor = UNKNOWN,  # (D, D) direction cosines; not needed
    ) -> list[Tensor]:  # (N, channels, y', x') each
        """The layers, in order."""
        check_colour_picture(x)
        wanted = max(int(nb_layers), 1)
        x = self.patch_embed(self.normalize(x, stats))
        x = x + self.positions(x.size(1), x.size(2))
        layers: list[Tensor] = []
        for stage in self.stages:
            if len(layers) < wanted:
                x = stage(x)
                layers.append(x.permute(0, 3, 1, 2))
        return layers

    def positions(self, height: int, width: int) -> Tensor:
        """The positional embedding (1, height, width, channels): a smooth one, and one per window, repeated."""
        smooth = F.interpolate(self.pos_embed, size=[height, width], mode="bicubic")
        window = self.pos_embed_window
        rows, columns = (height - 1) // window.size(2) + 1, (width - 1) // window.size(3) + 1
        repeated = window.repeat(1, 1, rows, columns)[:, :, :height, :width]
        return (smooth + repeated).permute(0, 2, 3, 1)


def export_sam(checkpoint: Path, path: Path, *, size: SamSize = "tiny") -> Path:
    """Write the image encoder of SAM 2.1 (or SAM 2) as a TorchScript feature model.

    Parameters
    ----------
    checkpoint
        The authors' file (``sam2.1_hiera_tiny.pt``) or timm's (``.safetensors``).
    path
        The file to write; its folder is made if need be.
    size
        Which of the encoders it is.

    Returns
    -------
    Path
        `path`. The model takes 2-D images of 3 channels, raw intensities, any size from about 32 pixels for all
        four layers: the ends of the stages, at strides 4, 8, 16, 32.

    Raises
    ------
    InputError
        If `size` is none of these.
    ModelError
        If timm is absent, or the checkpoint can't be read or is of another network.
    OutputError
        If the file can't be written.
    """
    if size not in SIZES:
        raise InputError(f"size is {size!r}", expected=f"one of {', '.join(get_args(SamSize))}")
    timm = import_timm()
    trunk = timm.models.hieradet_sam2.HieraDet(**SIZES[size], num_classes=0)
    weights = trunk_weights(read_weights(checkpoint))
    load_weights(
        trunk,
        weights,
        network_name=f"image encoder of SAM 2.1 of size {size}",
        where=str(checkpoint),
        remedy=_remedy(weights, size),
        optional=("head.",),
    )
    return write_model(torch.jit.script(HieraFeatures(trunk).eval()), path)


def trunk_weights(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The encoder's weights by timm's names, from the authors' checkpoint or from timm's."""
    if any(name.startswith(TRUNK) for name in weights):
        weights = {name.removeprefix(TRUNK): w for name, w in weights.items() if name.startswith(TRUNK)}
    layer_names = {"mlp.layers.0.": "mlp.fc1.", "mlp.layers.1.": "mlp.fc2."}
    pattern = re.compile("|".join(map(re.escape, layer_names)))
    return {pattern.sub(lambda found: layer_names[found[0]], name): w for name, w in weights.items()}


def _remedy(weights: dict[str, Tensor], size: str) -> str:
    """What to do about weights that don't fit: name the size that they seem to be of."""
    count = len({name.split(".")[1] for name in weights if re.match(r"blocks\.\d", name)})
    embedding = weights.get("pos_embed")
    channels = embedding.shape[1] if embedding is not None and embedding.dim() == 4 else 0
    for other, settings in SIZES.items():
        same_depth = count == sum(settings.get("stages", (2, 3, 16, 3)))
        if other != size and same_depth and channels == settings.get("embed_dim", 96):
            return f"These are the weights of size {other}"
    return "Use a checkpoint of github.com/facebookresearch/sam2, as published"
