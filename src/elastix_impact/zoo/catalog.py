"""The published feature models: what there is, what each is made of, and which to choose.

The TorchScript files are those of https://huggingface.co/VBoussot/impact-torchscript-models; the facts are those of the
programs that made them. `models inspect` measures a file itself.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

from elastix_impact.errors import ModelError

from .old_names import present_names

REPOSITORY = "VBoussot/impact-torchscript-models"
"""On Hugging Face."""

REVISION = ""
"""The commit of the repository that `CatalogEntry.sha256` is of and that is fetched by default; "" = not known here."""

Modality = Literal["CT", "MR", "any"]


@final
@dataclass(frozen=True)
class LayerFacts:
    """One layer: channels (0 = depends on the classes), stride, and receptive field in voxels (0 = not stated)."""

    channels: int
    stride: int
    receptive_field: int


@final
@dataclass(frozen=True)
class Family:
    """Where models come from. `licence` is that of the weights as their authors state it."""

    title: str
    source: str
    licence: str
    citation: str


@final
@dataclass(frozen=True)
class CatalogEntry:
    """One published file.

    Attributes
    ----------
    name
        Folder and file, as maps name it below ``Models/``.
    family
        Key of `FAMILIES`.
    modality
        What the network was trained on.
    dimension, channels
        Of the images it takes.
    layers
        What it returns.
    note
        What it was trained to see, or where it is recommended.
    voxel_size
        In mm, on which the network was trained; 0 = any, or not stated.
    made_here
        Whether `models export` makes the same from code, without a download.
    sha256
        Of the published file at `REVISION`, 64 hexadecimal digits; "" = not known here, so that a download can't be
        verified the first time.
    """

    name: str
    family: str
    modality: Modality
    dimension: int
    channels: int
    layers: tuple[LayerFacts, ...]
    note: str
    voxel_size: float = 0.0
    made_here: bool = False
    sha256: str = ""


FAMILIES: dict[str, Family] = {
    "MIND": Family(
        "MIND self-similarity context", "made from code", "free to use; the code is this project's, Apache-2.0",
        "Heinrich et al., MICCAI 2013",
    ),
    "TS": Family(
        "TotalSegmentator", "https://github.com/wasserth/TotalSegmentator",
        "Apache-2.0 for the open tasks, see the source", "Wasserthal et al., Radiology: AI 5(5), 2023",
    ),
    "MRSeg": Family(
        "MRSegmentator", "https://github.com/hhaentze/MRSegmentator", "see the source",
        "Haentze et al., arXiv 2405.06463",
    ),
    "SAM2.1": Family(
        "Segment Anything 2.1", "https://github.com/facebookresearch/sam2", "Apache-2.0",
        "Ravi et al., arXiv 2408.00714",
    ),
    "DinoV2": Family(
        "DINOv2", "https://github.com/facebookresearch/dinov2", "Apache-2.0", "Oquab et al., arXiv 2304.07193"
    ),
    "Anatomix": Family(
        "Anatomix", "https://github.com/neel-dey/anatomix", "see the source", "Dey et al., arXiv 2411.02372"
    ),
}  # fmt: skip

_ENCODER = ((32, 1, 5), (64, 2, 11), (128, 4, 23), (256, 8, 47), (320, 16, 95), (320, 32, 191))
"""Channels, stride and receptive field of an nnU-Net encoder of two 3^3 convolutions per level."""


def _unet(levels: int) -> tuple[LayerFacts, ...]:
    """The encoder's levels, the last layer of the decoder, and the segmentation."""
    encoder = tuple(LayerFacts(*level) for level in _ENCODER[:levels])
    return (*encoder, LayerFacts(32, 1, 0), LayerFacts(0, 1, 0))


_HIERA = tuple(LayerFacts(96 * 2**level, 4 * 2**level, 0) for level in range(4))

_TOTALSEGMENTATOR: tuple[tuple[str, Modality, int, float, str], ...] = (
    ("M258", "CT", 6, 0.0, "lung vessels, for lungs; its last stride is along two axes only"),
    ("M291", "CT", 6, 1.5, "organs"),
    ("M292", "CT", 6, 1.5, "vertebrae"),
    ("M293", "CT", 6, 1.5, "heart"),
    ("M294", "CT", 6, 1.5, "muscles"),
    ("M295", "CT", 6, 1.5, "ribs"),
    ("M297", "CT", 5, 3.0, "all classes"),
    ("M298", "CT", 5, 6.0, "all classes"),
    (
        "M730",
        "MR",
        6,
        1.5,
        "organs; IMPACT's authors' default: CT/CBCT 2 layers, Jacobian; MR/CT 7 layers, Static, beside MIND",
    ),
    ("M731", "MR", 6, 1.5, "muscles, MR"),
    ("M732", "MR", 5, 3.0, "all classes, MR"),
    ("M733", "MR", 4, 6.0, "all classes, MR"),
    ("M850", "MR", 6, 1.5, "organs, MR, more subjects than M730"),
    ("M851", "MR", 6, 1.5, "muscles, MR, more subjects than M731"),
    ("M852", "MR", 5, 3.0, "all classes, MR, more subjects than M732"),
    ("M853", "MR", 4, 6.0, "all classes, MR, more subjects than M733"),
)


def _entries() -> Iterable[CatalogEntry]:
    for dimension, channels in ((2, 4), (3, 12)):
        for radius in (1, 2):
            for dilation in (1, 2):
                layer = LayerFacts(channels, 1, 2 * (radius + dilation) + 1)
                yield CatalogEntry(
                    f"MIND/R{radius}D{dilation}_{dimension}D.pt", "MIND", "any", dimension, 1, (layer,),
                    f"radius {radius}, dilation {dilation}; complements a network's features in MR/CT", made_here=True,
                )  # fmt: skip
    for name, modality, levels, voxel_size, note in _TOTALSEGMENTATOR:
        yield CatalogEntry(f"TS/{name}.pt", "TS", modality, 3, 1, _unet(levels), note, voxel_size)
    yield CatalogEntry("MRSeg/MRSeg.pt", "MRSeg", "MR", 3, 1, _unet(6), "40 structures in MR and CT")
    for size in ("Tiny", "Small"):
        yield CatalogEntry(f"SAM2.1/SAM2.1_{size}.pt", "SAM2.1", "any", 2, 3, _HIERA, f"Hiera {size.lower()} encoder")
    yield CatalogEntry(
        "DinoV2/Small.pt", "DinoV2", "any", 2, 3, (LayerFacts(384, 14, 0),),
        "the class token only, one voxel per image: of little use for registration",
    )  # fmt: skip
    yield CatalogEntry(
        "Anatomix/Anatomix.pt", "Anatomix", "any", 3, 1, (LayerFacts(16, 1, 0),),
        "trained on synthetic anatomies; sizes must be multiples of 16",
    )  # fmt: skip


CATALOG: dict[str, CatalogEntry] = {entry.name: entry for entry in _entries()}
"""By name."""


def find_entry(name: str) -> CatalogEntry:
    """The entry that a name means: as it stands, with a folder left out, in other case, or as published formerly.

    Raises
    ------
    ModelError
        If there is none; it lists the near names.
    """
    wanted = name.removeprefix("/Data/").removeprefix("Models/").removeprefix("/Models/").removesuffix(".pt") + ".pt"
    known = {key.lower(): entry for key, entry in CATALOG.items()}
    known |= {Path(key).name.lower(): entry for key, entry in CATALOG.items()}
    tried = [wanted, *(path.as_posix() for path in present_names(Path(wanted)))]
    for one in (*tried, *(Path(one).name for one in tried)):
        if one.lower() in known:
            return known[one.lower()]
    near = difflib.get_close_matches(wanted.lower(), known, n=3, cutoff=0.5)
    names = list(dict.fromkeys(known[one].name for one in near))
    raise ModelError(
        "no published model has this name",
        where=name,
        remedy=f"Did you mean {' or '.join(names)}?" if names else "`elastix-impact models list` lists them",
    )
