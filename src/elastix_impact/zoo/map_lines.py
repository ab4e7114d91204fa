"""The parameter map lines that use a model, from what is known of it."""

from pathlib import PurePath

from .catalog import CATALOG
from .inspect import ModelReport
from .verify import ModeVerdict

LARGEST_SUBSET = 32
"""Channels that Jacobian mode is told to draw per iteration, of more."""

ANY_VOXEL_SIZE = 1.5


def map_lines(report: ModelReport, verdict: ModeVerdict) -> list[str]:
    """The lines of a parameter map that use the model at level 0 in the mode of `verdict`."""
    channels = [layer.channels for layer, wanted in zip(report.layers, verdict.layers_mask) if wanted]
    voxel, source = suggested_voxel_size(report)
    subset = channels if verdict.mode == "Static" else [min(LARGEST_SUBSET, one) for one in channels]
    values: dict[str, list[object]] = {
        "ModelsPath0": [f'"{report.path}"'],
        "Dimension0": [report.dimension],
        "NumberOfChannels0": [report.channels],
        "PatchSize0": list(verdict.patch_size),
        "VoxelSize0": [f"{voxel:g}"] * report.dimension,
        "LayersMask0": [f'"{"".join(str(int(wanted)) for wanted in verdict.layers_mask)}"'],
        "SubsetFeatures0": list(subset),
        "PCA0": [0] * len(channels),
        "Distance0": ['"L1"'] * len(channels),
        "LayersWeight0": [1] * len(channels),
        "Mode": [f'"{verdict.mode}"'],
    }
    lines = [f"(Impact{name} {' '.join(map(str, numbers))})" for name, numbers in values.items()]
    return ['(Metric "Impact")', *(f"{line}  // mm; {source}" if "VoxelSize" in line else line for line in lines)]


def suggested_voxel_size(report: ModelReport) -> tuple[float, str]:
    """Voxel size in mm, and where it comes from: the catalogue, if the file's name is there."""
    entry = next((one for one in CATALOG.values() if PurePath(one.name).name == PurePath(report.path).name), None)
    if entry is not None and entry.voxel_size:
        return entry.voxel_size, "what the network was trained on"
    return ANY_VOXEL_SIZE, "better what the network was trained on, if you know it"
