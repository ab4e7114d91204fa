"""Which preset suits a pair of images, and why: from their values where a search lays them, before any registration."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from scipy.stats import rankdata
from torch import Tensor

from elastix_impact.geometry.image import Image
from elastix_impact.io.pairs import read_pair
from elastix_impact.judging.run_verdict import AIR
from elastix_impact.judging.witness import Witness
from elastix_impact.parameters.presets import DEFAULT, PRESETS, PairFacts, preset_texts
from elastix_impact.parameters.resolve import plan_or_raise
from elastix_impact.parameters.text import parse_parameter_text
from elastix_impact.registration.start import starting_transform
from elastix_impact.runs.presets import facts_of_images

SAME_CONTRAST, SAME_TISSUE = 0.5, 0.4
"""Rank correlations from which two images have one contrast: at all places, and at those brighter than the mean in
either image. Measured on MR of the shared folder: one contrast 0.68 to 0.95 and 0.43 to 0.82, two contrasts -0.19 to
0.70 and -0.74 to 0.34."""

LEAST_PLACES = 500
"""Fewer places that both images see say nothing of their contrasts."""

RIGID = "if it is one head or bone that can't deform, take rigid"
TWO_PEOPLE = f"if they are CTs of two people, or TS/M730 can't be fetched (`models download TS/M730`), take {DEFAULT}"
TWO_CONTRASTS_OF_TWO_PEOPLE = "if they are of two people, take inter-subject"
"""What no image tells."""


@final
@dataclass(frozen=True)
class Contrast:
    """Spearman's rank correlation of the images' values where both see: at all places, and at the brighter ones."""

    everywhere: float
    brighter: float

    @property
    def is_one(self) -> bool:
        """Whether bright is bright and dark is dark in both images."""
        return self.everywhere >= SAME_CONTRAST and self.brighter >= SAME_TISSUE


@final
@dataclass(frozen=True)
class Recommendation:
    """A preset for a pair of images.

    Attributes
    ----------
    preset
        Its name.
    reasons
        Sentences about the images that led to it.
    contrast
        How their values go together; None for pictures, or where they see too little in common.
    overlap
        Share of the fixed image's box inside the moving one's, see `PairFacts`.
    """

    preset: str
    reasons: tuple[str, ...]
    contrast: Contrast | None
    overlap: float

    def to_json(self) -> dict[str, Any]:
        """All of it as plain dictionaries."""
        return asdict(self)


def recommend(fixed: Path, moving: Path) -> Recommendation:
    """The preset for two image files; nothing is registered but for the search of a rigid start.

    Raises
    ------
    ImageError
        If one can't be read, or they differ in dimension.
    """
    images = read_pair(fixed, moving)
    facts = facts_of_images(images)
    sides = " x ".join(f"{extent:.0f}" for extent in images[0].grid.extent)
    reasons = [
        f"fixed image: {_kind(images[0])}, {sides} mm",
        f"moving image: {_kind(images[1])}, {facts.overlap:.0%} of the fixed image's box lies in it",
    ]
    if facts.overlaps_little:
        reasons.append("they are cropped differently: no affine stage, and a stiff deformation")
    contrast = _contrast(images, facts)
    is_one = contrast is not None and contrast.is_one and not facts.overlaps_little
    name = _preset(is_one, number_of_cts=sum(map(_is_ct, images)))
    reasons += [_about_contrast(contrast), f"{name}: {PRESETS[name].title}", RIGID]
    if name == "ct-ct":
        reasons.append(TWO_PEOPLE)
    if contrast is not None and not contrast.is_one:
        reasons.append(TWO_CONTRASTS_OF_TWO_PEOPLE)
    return Recommendation(name, tuple(reasons), contrast, facts.overlap)


def _preset(is_one_contrast: bool, number_of_cts: int) -> str:
    """Local correlation for one contrast; vessels of lungs need what TotalSegmentator's features see in CT."""
    if not is_one_contrast or number_of_cts == 1:
        return DEFAULT
    return "ct-ct" if number_of_cts == 2 else "mono"


def _kind(image: Image) -> str:
    word = "CT, by its Hounsfield units" if _is_ct(image) else "no CT by its values"
    return f"{word} (lowest {float(image.data.min()):g})"


def _is_ct(image: Image) -> bool:
    return float(image.data.min()) <= AIR


def _contrast(images: tuple[Image, Image], facts: PairFacts) -> Contrast | None:
    """How the images' values go together at the pose at which the presets start."""
    if len(facts.fixed_spacing) == 2:
        return None
    name, text = preset_texts(PRESETS["rigid"], facts)[0]
    plan = plan_or_raise(parse_parameter_text(text, name))
    transform, _ = starting_transform(plan, (*images, None, None), None)
    scene = Witness.of(*images).scene
    look = scene.look(transform)
    if int(look.seen.sum()) < LEAST_PLACES:
        return None
    values = scene.values[look.seen], scene.moving_at(look.mapped[look.seen])[0]
    brighter = (values[0] > values[0].mean()) | (values[1] > values[1].mean())
    return Contrast(_rank_correlation(*values), _rank_correlation(values[0][brighter], values[1][brighter]))


def _rank_correlation(first: Tensor, second: Tensor) -> float:
    """Spearman's rank correlation of two sets of values (N,); 0 where one is constant."""
    if bool((first == first[0]).all() or (second == second[0]).all()):
        return 0.0
    ranks = [rankdata(values.numpy()) for values in (first, second)]
    return float(np.corrcoef(*ranks)[0, 1])


def _about_contrast(contrast: Contrast | None) -> str:
    if contrast is None:
        return "stains of sections differ, or the images see too little in common: their contrasts are not compared"
    numbers = f"rank correlation {contrast.everywhere:.2f}, {contrast.brighter:.2f} where either is bright"
    if contrast.is_one:
        return f"what is bright in one is bright in the other ({numbers}): one contrast"
    return f"values do not go together ({numbers}): contrasts differ"
