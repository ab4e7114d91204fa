"""What is compared: the metric of a term, complete and frozen; part of a `RegistrationPlan`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Distance = Literal["L1", "L2", "Cosine", "L1Cosine", "Dice", "NCC", "DotProduct", "GaussianMI"]
ImpactMode = Literal["Static", "Jacobian"]
JacobianGradient = Literal["Exact", "Center"]
MetricKind = Literal[
    "Impact", "MeanSquares", "Correlation", "LocalCorrelation", "Mattes", "Normalized", "BendingEnergy",
    "DisplacementMagnitude", "CorrespondingPoints", "Folding",
]  # fmt: skip
MutualInformationKind = Literal["Mattes", "Normalized"]
PenaltyKind = Literal["BendingEnergy", "DisplacementMagnitude", "CorrespondingPoints", "Folding"]


@dataclass(frozen=True, kw_only=True)
class ModelPlan:
    """One TorchScript model of IMPACT at one level. `voxel_size` mm and `patch_size` voxels, x y (z)."""

    path: str
    dimension: int
    channels: int
    patch_size: tuple[int, ...]
    voxel_size: tuple[float, ...]
    layers_mask: tuple[bool, ...]


@dataclass(frozen=True, kw_only=True)
class LayerPlan:
    """How one selected layer is compared. `pca` 0 = off; `subset` channels drawn per iteration."""

    distance: Distance
    weight: float
    subset: int
    pca: int


@dataclass(frozen=True, kw_only=True)
class ImpactPlan:
    """The IMPACT metric at one level. `layers` lists the selected layers of all models, in order.

    `gpu` is the map's wish: a CUDA index, -1 = CPU. `update_interval` -1 = features once per level. `lattice_spacing`
    mm between the points of a lattice that is compared instead of samples, 0 = samples. `margin` voxels around the
    moving image before its features are extracted.
    """

    mode: ImpactMode
    fixed_models: tuple[ModelPlan, ...]
    moving_models: tuple[ModelPlan, ...]
    layers: tuple[LayerPlan, ...]
    gpu: int
    mixed_precision: bool
    update_interval: int
    feature_maps_directory: str | None
    feature_interpolation_order: Literal[1, 3]
    jacobian_gradient: JacobianGradient
    lattice_spacing: float
    margin: int


@dataclass(frozen=True, kw_only=True)
class MeanSquaresPlan:
    """AdvancedMeanSquares."""

    use_normalization: bool


@dataclass(frozen=True, kw_only=True)
class CorrelationPlan:
    """AdvancedNormalizedCorrelation, which has no parameters of its own."""


@dataclass(frozen=True, kw_only=True)
class LocalCorrelationPlan:
    """LocalNormalizedCorrelation: `voxel_size` mm of its lattice, `radius` and `stride` of its windows in voxels."""

    voxel_size: float
    radius: int
    stride: int


@dataclass(frozen=True, kw_only=True)
class HistogramPlan:
    """AdvancedMattesMutualInformation (``Mattes``) or NormalizedMutualInformation (``Normalized``)."""

    kind: MutualInformationKind
    fixed_bins: int
    moving_bins: int
    fixed_kernel_order: int
    moving_kernel_order: int
    fixed_limit_range_ratio: float
    moving_limit_range_ratio: float


@dataclass(frozen=True, kw_only=True)
class PenaltyPlan:
    """A term that compares no intensities; ``CorrespondingPoints`` needs landmarks and draws no samples.

    `at_control_points`: a ``BendingEnergy`` that is summed there instead of at samples. `threshold`: to which share of
    its volume a place may shrink before ``Folding`` counts it.
    """

    kind: PenaltyKind
    at_control_points: bool = False
    threshold: float = 0.0

    @property
    def uses_samples(self) -> bool:
        """Whether it is evaluated at a sampler's points."""
        return self.kind in ("BendingEnergy", "DisplacementMagnitude") and not self.at_control_points


MetricPlan = ImpactPlan | MeanSquaresPlan | CorrelationPlan | LocalCorrelationPlan | HistogramPlan | PenaltyPlan
