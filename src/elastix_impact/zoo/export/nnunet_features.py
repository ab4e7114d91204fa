"""A trained U-Net as a feature model: its stages as layers, computed as far as wanted.

The modules are those of the trained network and share its weights. They are compiled by TorchScript, hence
plain `Tensor` annotations with the shapes in comments.
"""

from typing import Final, Literal, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .nnunet_axes import NetworkAxes, turned, turned_back

Layers = Literal["published", "all"]

EVERY_LAYER, UNKNOWN = torch.tensor([999]), torch.tensor([])


@final
class FeatureUNet(nn.Module):
    """The stages of a U-Net as the layers of a feature model.

    Parameters
    ----------
    normalize
        Scales raw intensities (see `normalization`).
    axes
        Turns the image the way that the network was trained.
    encoder
        Stages from fine to deep, each one's output is the next one's input.
    rises
        Upsampling to the next finer stage, from deep to fine; one less than the encoder has stages.
    merges
        What the decoder does with an upsampled stage and the encoder's, concatenated; as many as `rises`.
    head
        From the last stage of the decoder to the last layer.
    first_returned
        The first of the decoder's stages, from deep to fine, that is a layer.
    """

    dimension: Final[int]
    first_returned: Final[int]

    def __init__(
        self,
        normalize: nn.Module,
        axes: NetworkAxes,
        encoder: list[nn.Module],
        rises: list[nn.Module],
        merges: list[nn.Module],
        head: nn.Module,
        first_returned: int,
    ) -> None:
        super().__init__()
        self.dimension, self.first_returned = axes.dimension, first_returned
        self.normalize, self.axes, self.head = normalize, axes, head
        self.encoder, self.rises, self.merges = nn.ModuleList(encoder), nn.ModuleList(rises), nn.ModuleList(merges)

    def forward(
        self,
        x: Tensor,  # (N, 1, *spatial) raw intensities
        nb_layers: Tensor = EVERY_LAYER,  # () number of layers wanted; what lies behind is not computed
        stats: Tensor = UNKNOWN,  # (4,) min, max, mean, sd of the whole image; empty: of x
        direction: Tensor = UNKNOWN,  # (D, D) direction cosines, columns are axes; empty: the network's own
    ) -> list[Tensor]:  # (N, channels, *spatial of the layer) each
        """The layers, in order, along the image's own axes."""
        if x.dim() != self.dimension + 2:
            raise RuntimeError(f"expected {self.dimension} spatial axes, got {x.dim() - 2}")
        wanted = max(int(nb_layers), 1)
        order, flips = self.axes(direction)
        x = turned(self.normalize(x, stats), order, flips)
        skips: list[Tensor] = []
        for stage in self.encoder:
            if len(skips) < wanted:
                x = stage(x)
                skips.append(x)
        layers = skips.copy()
        for depth, (rise, merge) in enumerate(zip(self.rises, self.merges)):
            if len(layers) < wanted:
                skip = skips[len(skips) - 2 - depth]
                x = merge(torch.cat([fitted(rise(x), skip), skip], 1))
                if depth >= self.first_returned:
                    layers.append(x)
        if len(layers) < wanted:
            layers.append(self.head(x))
        return [turned_back(layer, order, flips) for layer in layers]


def fitted(x: Tensor, like: Tensor) -> Tensor:
    """`x` cut or filled up with zeros at the far ends to the spatial size of `like`: voxel k stays voxel k."""
    if x.size()[2:] == like.size()[2:]:
        return x
    ends: list[int] = []
    for axis in range(x.dim() - 1, 1, -1):
        ends.append(0)
        ends.append(like.size(axis) - x.size(axis))
    return F.pad(x, ends)


@final
class _ResidualBlock(nn.Module):
    """The sum of a main path and a shortcut, through a nonlinearity."""

    def __init__(self, main: nn.Module, shortcut: nn.Module, nonlinearity: nn.Module) -> None:
        super().__init__()
        self.main, self.shortcut, self.nonlinearity = main, shortcut, nonlinearity

    def forward(self, x: Tensor) -> Tensor:  # (N, C, *spatial)
        """The block's output, (N, C', *spatial)."""
        return self.nonlinearity(self.main(x) + self.shortcut(x))


def feature_unet(
    network: nn.Module, normalize: nn.Module, axes: NetworkAxes, layers: Layers, *, regions: bool
) -> FeatureUNet:
    """A feature model of a PlainConvUNet or ResidualEncoderUNet, sharing its weights.

    Parameters
    ----------
    layers
        ``"published"``: the encoder's stages, the last of the decoder, and the probabilities of the classes, as
        IMPACT's published files have them. ``"all"``: the encoder's stages, all of the decoder from deep to
        fine, and the logits of the classes.
    regions
        Whether the classes overlap (nnU-Net's region-based training): probabilities by sigmoid, else by softmax.
    """
    encoder, decoder = network.get_submodule("encoder"), network.get_submodule("decoder")
    stages = [scriptable(stage) for stage in encoder.get_submodule("stages").children()]
    stem = dict(encoder.named_children()).get("stem")
    if stem is not None:
        stages[0] = nn.Sequential(scriptable(stem), stages[0])
    rises = list(decoder.get_submodule("transpconvs").children())
    merges = [scriptable(stage) for stage in decoder.get_submodule("stages").children()]
    head = list(decoder.get_submodule("seg_layers").children())[-1]
    if layers == "published":
        head = nn.Sequential(head, nn.Sigmoid() if regions else nn.Softmax(dim=1))
    first_returned = len(rises) - 1 if layers == "published" else 0
    return FeatureUNet(normalize, axes, stages, rises, merges, head, first_returned)


def scriptable(module: nn.Module) -> nn.Module:
    """A module of dynamic-network-architectures as one that TorchScript takes, of the same layers and weights.

    Shortcuts that average-pool with a stride keep the last, incomplete window as strided convolutions do, so
    that any image size goes through.
    """
    from dynamic_network_architectures.building_blocks import residual
    from dynamic_network_architectures.building_blocks.simple_conv_blocks import ConvDropoutNormReLU, StackedConvBlocks

    match module:
        case ConvDropoutNormReLU():
            return module.all_modules
        case StackedConvBlocks():
            return scriptable(module.convs)
        case residual.StackedResidualBlocks():
            return scriptable(module.blocks)
        case residual.BasicBlockD():
            return _residual_block(module, [module.conv1, module.conv2], module.nonlin2)
        case residual.BottleneckD():
            return _residual_block(module, [module.conv1, module.conv2, module.conv3], module.nonlin3)
        case nn.Sequential():
            return nn.Sequential(*(scriptable(child) for child in module))
        case nn.AvgPool2d() | nn.AvgPool3d():
            window, stride = (tuple(size) for size in (module.kernel_size, module.stride))  # pyright: ignore[reportArgumentType]
            return type(module)(window, stride, ceil_mode=True)  # pyright: ignore[reportArgumentType]
        case _:
            return module


def _residual_block(block: nn.Module, main: list[nn.Module], nonlinearity: object) -> _ResidualBlock:
    """A residual block; where the library has a function that does nothing it becomes an nn.Identity."""
    shortcut = dict(block.named_children()).get("skip")
    return _ResidualBlock(
        nn.Sequential(*(scriptable(convolution) for convolution in main)),
        nn.Identity() if shortcut is None else scriptable(shortcut),
        nonlinearity if isinstance(nonlinearity, nn.Module) else nn.Identity(),
    )
