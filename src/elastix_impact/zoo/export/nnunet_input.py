"""What nnU-Net v2 says about a network's input and classes: channels, scaling of intensities, overlapping classes."""

import warnings
from pathlib import Path
from typing import Any

from torch import nn

from elastix_impact.errors import ModelError

from .nnunet_folder import FINGERPRINT, entry, read_json
from .normalization import ClippedZScore, Raw, UnitRange, ZScore


def check_one_channel(dataset: dict[str, Any], where: str) -> None:
    """Refuse networks of several images. `where` names the dataset file.

    Raises
    ------
    ModelError
        If the dataset has not exactly one input channel.
    """
    key = "channel_names" if "channel_names" in dataset else "modality"
    names = list(entry(dataset, key, dict, where).values())
    if len(names) != 1:
        raise ModelError(
            f"the network takes {len(names)} different images at once ({', '.join(map(str, names))})",
            where=where,
            expected="a network of one channel: elastix-impact has one image to give",
        )


def has_regions(dataset: dict[str, Any]) -> bool:
    """Whether some class is a union of labels (region-based training): classes overlap then."""
    labels = dataset.get("labels")
    return isinstance(labels, dict) and any(isinstance(label, list) and len(label) > 1 for label in labels.values())


def normalization(plans: dict[str, Any], settings: dict[str, Any], folder: Path, where: str) -> nn.Module:
    """The module that scales raw intensities as the training did.

    `settings` are those of the configuration, `where` names the plans file. The module can't follow
    `use_mask_for_norm` (statistics of the nonzero voxels), which is said in a warning.

    Raises
    ------
    ModelError
        If the scheme is unknown, or the intensities of a CT scheme are missing.
    """
    schemes = entry(settings, "normalization_schemes", list, where)
    scheme = str(schemes[0]) if schemes else "missing"
    if scheme != "CTNormalization" and any(settings.get("use_mask_for_norm") or ()):
        warnings.warn(
            f"{where}: the network was trained on images scaled by the statistics of their nonzero voxels; "
            "the exported model takes those of the whole image",
            stacklevel=2,
        )
    match scheme:
        case "CTNormalization":
            return _of_ct(_intensities(plans, folder), where)
        case "ZScoreNormalization":
            return ZScore()
        case "NoNormalization":
            return Raw()
        case "RescaleTo01Normalization":
            return UnitRange()
        case "RGBTo01Normalization":
            return ClippedZScore(low=0, high=255, mean=0, deviation=255)
    raise ModelError(f"the normalization scheme is {scheme}", where=where, expected=f"one of {', '.join(SCHEMES)}")


SCHEMES = (
    "CTNormalization",
    "ZScoreNormalization",
    "NoNormalization",
    "RescaleTo01Normalization",
    "RGBTo01Normalization",
)


def _intensities(plans: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Per channel the intensities of the training set's foreground; formerly under other names and in another file."""
    for source in (plans, read_json(folder / FINGERPRINT) if (folder / FINGERPRINT).is_file() else {}):
        for key in ("foreground_intensity_properties_per_channel", "foreground_intensity_properties_by_modality"):
            if isinstance(source.get(key), dict):
                return source[key]
    return {}


def _of_ct(intensities: dict[str, Any], where: str) -> ClippedZScore:
    values = intensities.get("0")
    numbers = [values.get(key) for key in _OF_CT] if isinstance(values, dict) else []
    if not numbers or not all(isinstance(number, int | float) for number in numbers):
        raise ModelError(
            f"foreground_intensity_properties_per_channel lacks {', '.join(_OF_CT)} of channel 0",
            where=where,
            expected=f"these numbers here or in {FINGERPRINT} beside it",
        )
    return ClippedZScore(*(float(number) for number in numbers if number is not None))


_OF_CT = ("percentile_00_5", "percentile_99_5", "mean", "std")
