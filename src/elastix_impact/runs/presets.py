"""A preset as files: its maps for a pair of images."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from elastix_impact.errors import InputError
from elastix_impact.geometry.domain import Domain
from elastix_impact.geometry.image import Image
from elastix_impact.io.atomic import output_errors, write_text_whole
from elastix_impact.io.input_files import refuse_overwriting
from elastix_impact.io.pairs import read_pair
from elastix_impact.parameters.presets import EARLIER_NAMES, PRESETS, PairFacts, Preset, preset_texts

from .checks import lattice

LEAST_OVERLAP = 0.3
"""Share of the smaller image inside the other one below which they are compared with their centres
together."""


def find_preset(name: str) -> Preset:
    """The preset of this name, or of an earlier one.

    Raises
    ------
    InputError
        If there is none; it lists those there are.
    """
    name = EARLIER_NAMES.get(name, name)
    if name in PRESETS:
        return PRESETS[name]
    near = difflib.get_close_matches(name.lower(), PRESETS, n=1)
    raise InputError(
        f"no preset is called {name!r}",
        expected=f"one of {', '.join(PRESETS)}",
        remedy=f"Did you mean {near[0]}?" if near else "`elastix-impact presets list` says what they are for",
    )


def facts_of(fixed: Path, moving: Path) -> PairFacts:
    """What a preset must know of two image files; raises as `read_pair`."""
    return facts_of_images(read_pair(fixed, moving))


def facts_of_images(images: tuple[Image, Image]) -> PairFacts:
    """What a preset must know of a fixed and a moving image of one dimension."""
    overlap = _overlap(*images)
    if max(overlap, _overlap(images[1], images[0])) < LEAST_OVERLAP:
        offset = tuple(a - b for a, b in zip(images[0].grid.centre, images[1].grid.centre))
        overlap = _overlap(images[0], images[1].shifted(offset))
    return PairFacts(
        fixed_spacing=images[0].grid.spacing,
        moving_spacing=images[1].grid.spacing,
        longest_extent=max(images[0].grid.extent),
        overlap=overlap,
        lowest_intensity=float(images[1].data.min()),
        pixel_type=images[1].pixel_type,
    )


def _overlap(fixed: Image, moving: Image) -> float:
    points = lattice(fixed.grid).float()
    return float(Domain.of(moving.grid, None, "cpu").weights(points).mean())


def write_preset(preset: Preset, facts: PairFacts, folder: Path, read: Sequence[Path] = ()) -> tuple[Path, ...]:
    """Write the maps of a preset into `folder`; the maps' paths, in order.

    The files of `read` keep their places.

    Raises
    ------
    InputError
        If the preset is not for images of this dimension.
    OutputError
        If the folder can't be written, or a file of `read` is in the way.
    """
    dimension = len(facts.fixed_spacing)
    if dimension not in preset.dimensions:
        raise InputError(
            f"the preset {preset.name} is for 3-D images, these have {dimension} dimensions",
            remedy="Take the preset rigid, general, mono or inter-subject",
        )
    texts = preset_texts(preset, facts)
    refuse_overwriting([folder / name for name, _ in texts], read)
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts:
            write_text_whole(folder / name, text)
    return tuple(folder / name for name, _ in texts)
