"""Maps for those who have none: a few documented chains whose numbers follow from the images' sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import NamedTuple, final

LEVELS_MM = (4, 2, 1)
"""Voxel sizes of the three levels, as multiples of the finest."""

LATTICE_LEVELS = (2, 1)
"""The same of the two levels of the stage lattice."""

MOST_VOXELS = {2: 512, 3: 160}
"""Voxels along the longest side at the last level, per dimension."""

MOST_CONTROL_POINTS = 20
"""Control points along the longest side at the last level, about."""

GRID_SPACING_VOXELS = 8
"""Control points are at least so many of the finest voxels apart."""

BENDING = {2: 1.0, 3: 0.2}
"""Weight of the bending energy in units of the control points' distance squared, before it grows, per dimension."""

STRONG_BENDING = 24.0
"""The same where the images overlap little and so say little of a deformation, ..."""

FEW_VOXELS = {2: 384, 3: 110}
"""... the voxels along the longest side, ..."""

FEW_CONTROL_POINTS = 13
"""... and the control points along it, about."""

FEATURES, WEAK_FEATURES = 0.4, 0.2
"""Weight of MIND beside mutual information; the second where the images overlap little, and for pictures, whose stains
differ: edges that only one image has mislead."""

MOST_LATTICE_POINTS = {2: 512, 3: 160}
"""Points along the longest side, at the last level, of the lattice on which the preset mono compares, per dimension."""

FINE_SPACING = 2
"""Its control points are so many of the lattice's voxels apart at the last level."""

FINE_BENDING = 0.12
"""Its weight of the bending energy in units of the control points' distance squared, before it grows."""

RATE = 0.15
"""First step of the preset mono's optimiser in units of the control points' distance."""

MOST_POINTS_BETWEEN_PEOPLE = {2: 240, 3: 120}
"""Points along the longest side, at the last level, of the lattice of the preset inter-subject, per dimension."""

RATES_BETWEEN_PEOPLE = (0.5, 0.1)
"""First steps of its optimiser at each level in units of the control points' distance, ..."""

BENDING_BETWEEN_PEOPLE = 0.42
"""... and its weight of the bending energy in units of that distance squared, before it grows."""

MOST_POINTS_OF_A_BODY = {3: 120}
"""Points along the longest side of the lattice on which the preset rigid ends, per dimension."""

ITERATIONS, ITERATIONS_BEFORE_LOCAL = 250, 150
"""Of each level of a rigid stage; the second where local correlation makes the pose exact after it."""

LINEAR = ("rigid", "local", "affine")
"""The stages without a deformation."""

LEAST_OVERLAP_FOR_SCALES = 0.5
"""Share of the fixed image's box inside the moving one's below which a preset has no affine stage, no local correlation
of rigid bodies and a stiffer deformation: where the images are cropped so differently, a smaller scale can't be told
from seeing more, and the little that both see may have bent."""

MIND_CHANNELS = {2: 4, 3: 12}


@final
@dataclass(frozen=True, slots=True)
class Preset:
    """A chain of stages: `stages` are the bodies of its maps, `models` what has to be fetched first."""

    name: str
    title: str
    stages: tuple[str, ...]
    models: tuple[str, ...] = ()
    dimensions: tuple[int, ...] = (2, 3)


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset("rigid", "one head or bone, any modalities: turns and shifts, then exactly by local correlation",
               ("rigid", "local")),
        Preset("general", "anything, nothing to download: rigid, affine, then a deformation by MIND and mutual "
               "information",
               ("rigid", "affine", "mind")),
        Preset("mono", "one modality and contrast, two people or one: rigid, affine, then a fine deformation by local "
               "correlation", ("rigid", "affine", "mono")),
        Preset("inter-subject", "two people, two modalities: rigid, affine, then a deformation by MIND "
               "on a whole lattice",
               ("rigid", "affine", "lattice")),
        Preset("ct-ct", "CT and CT of one person: rigid, then a deformation by TotalSegmentator's features",
               ("rigid", "ct_ct"), ("TS/M730",), (3,)),
        Preset("ct-cbct", "CT and cone-beam CT: rigid, then IMPACT's authors' choice, Jacobian mode",
               ("rigid", "ct_cbct"), ("TS/M730",), (3,)),
        Preset("mr-ct", "MR and CT of one person: rigid, then organs by TotalSegmentator's features and edges by MIND",
               ("rigid", "mr_ct"), ("TS/M730",), (3,)),
    )
}  # fmt: skip

DEFAULT = "general"

EARLIER_NAMES = {"mind-only": "general"}
"""What presets were called before; still understood."""


@final
@dataclass(frozen=True, slots=True)
class PairFacts:
    """What a preset must know of two images.

    Attributes
    ----------
    fixed_spacing, moving_spacing
        Voxel sizes in mm, x, y(, z).
    longest_extent
        Of the fixed image's sides, in mm.
    lowest_intensity
        Of the moving image: what lies outside it.
    pixel_type
        Of the moving image's file, in elastix's words; the result image gets it.
    overlap
        Share of the fixed image's box inside the moving one's, as they lie, or with their centres together if they
        hardly overlap.
    """

    fixed_spacing: tuple[float, ...]
    moving_spacing: tuple[float, ...]
    longest_extent: float
    lowest_intensity: float = 0.0
    overlap: float = 1.0
    pixel_type: str = "float"

    @property
    def overlaps_little(self) -> bool:
        """Whether the images are cropped so differently that a preset must be careful."""
        return self.overlap < LEAST_OVERLAP_FOR_SCALES

    @property
    def finest_voxel(self) -> float:
        """Voxel size in mm at the last level: the image's own, or coarser as `MOST_VOXELS` says."""
        return self.voxel(FEW_VOXELS if self.overlaps_little else MOST_VOXELS)

    @property
    def grid_spacing(self) -> float:
        """Distance of control points in mm at the last level."""
        most = FEW_CONTROL_POINTS if self.overlaps_little else MOST_CONTROL_POINTS
        return max(GRID_SPACING_VOXELS * self.finest_voxel, float(f"{self.longest_extent / most:.2g}"))

    @property
    def bending(self) -> float:
        """Weight of the bending energy, before it grows."""
        share = STRONG_BENDING if self.overlaps_little else BENDING[len(self.fixed_spacing)]
        return share * self.grid_spacing**2

    @property
    def features_weight(self) -> float:
        """Weight of MIND beside mutual information."""
        return WEAK_FEATURES if self.overlaps_little or len(self.fixed_spacing) == 2 else FEATURES

    def voxel(self, most: dict[int, int]) -> float:
        """The fixed image's voxel size in mm, or coarser so that the longest side has at most so many."""
        return float(f"{max(min(self.fixed_spacing), self.longest_extent / most[len(self.fixed_spacing)]):.2g}")


NOMINAL = PairFacts((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), 240.0)
"""For showing a preset without images."""


def preset_texts(preset: Preset, facts: PairFacts) -> list[tuple[str, str]]:
    """File name and text of each stage's map, in order.

    Raises
    ------
    ValueError
        If the preset is not for images of this dimension.
    """
    dimension = len(facts.fixed_spacing)
    if dimension not in preset.dimensions:
        raise ValueError(f"the preset {preset.name} is for {preset.dimensions[0]}-D images")
    stages = _stages(preset, facts)
    texts: list[tuple[str, str]] = []
    for number, stage in enumerate(stages):
        writes = set(stages[number + 1 :]) <= {"local"}  # `rigid` has its result.0 in any case
        numbers = _numbers(facts, stage, stages) | {"is_last": _truth(writes)}
        parts = [_template(stage), *([] if stage in LINEAR else [_template("spline")]), _template("common")]
        heading = f"// elastix-impact preset {preset.name}, stage {number + 1} of {len(stages)}: {preset.title}.\n"
        texts.append((f"{number}_{stage}.txt", heading + "".join(Template(part).substitute(numbers) for part in parts)))
    return texts


def _stages(preset: Preset, facts: PairFacts) -> list[str]:
    """Those that suit the images, see `LEAST_OVERLAP_FOR_SCALES`; local correlation in volumes only: sections bend."""
    unfit = {"local", "affine"} if facts.overlaps_little else {"local"} if len(facts.fixed_spacing) == 2 else set[str]()
    return [stage for stage in preset.stages if stage not in unfit]


def _numbers(facts: PairFacts, stage: str, stages: Sequence[str]) -> dict[str, str]:
    """What the template of a stage leaves open; `stages` are all of the chain."""
    dimension, deformation = len(facts.fixed_spacing), _deformation(facts, stage, stages)
    lattice = [deformation.voxel * level for level in deformation.levels]
    sizes = [deformation.voxel] * len(lattice) if stage == "lattice" else lattice
    rows = [_row([size] * dimension) for size in sizes]
    smoothing = [0.0] if stage == "local" else sizes
    return {
        "dimension": str(dimension),
        "fixed_schedule": _row([factor for size in smoothing for factor in _factors(size, facts.fixed_spacing)]),
        "moving_schedule": _row([factor for size in smoothing for factor in _factors(size, facts.moving_spacing)]),
        "default_pixel_value": f"{facts.lowest_intensity:g}",
        "pixel_type": facts.pixel_type,
        "grid_spacing": _row([deformation.spacing] * dimension),
        "grid_schedule": _row([level for level in deformation.levels for _ in range(dimension)]),
        "resolutions": str(len(sizes)),
        "step": f"{deformation.voxel:g}",
        "bending": " ".join(f"{weight:.2g}" for weight in deformation.bending),
        "image_weight": f"{facts.features_weight if stage == 'mind' else 1:g}",
        "optimizer": _optimizer(stage),
        "iterations": str(ITERATIONS_BEFORE_LOCAL if "local" in stages else ITERATIONS),
        "rate": " ".join(f"{rate:.2g}" for rate in deformation.rates),
        "repeat": " ".join(["\"false\""] * (len(sizes) - 1) + ["\"true\""]) if deformation.rates else "\"true\"",
        "whole": _row([0] * dimension),
        "lattice": _row(lattice),
        "where_both_see": _truth(stage != "lattice"),
        "coarse": rows[0], "middle": rows[len(rows) // 2], "fine": rows[-1],
        "mind_channels": str(MIND_CHANNELS[dimension]),
    }  # fmt: skip


class _Deformation(NamedTuple):
    """How fine a stage is: mm of voxels and control points at the last level, each level's size in units of it, and
    the weights of the bending energy and Adam's rates, one for all levels or one per level (none: another optimiser).
    """

    voxel: float
    spacing: float
    levels: tuple[int, ...]
    bending: tuple[float, ...]
    rates: tuple[float, ...]


def _deformation(facts: PairFacts, stage: str, stages: Sequence[str]) -> _Deformation:
    if stage == "mono":
        voxel = facts.voxel(MOST_LATTICE_POINTS)
        spacing = FINE_SPACING * voxel
        return _Deformation(voxel, spacing, LEVELS_MM, (FINE_BENDING * spacing**2,), (RATE * spacing,))
    if stage == "lattice":
        voxel = facts.voxel(MOST_POINTS_BETWEEN_PEOPLE)
        spacing = FINE_SPACING * voxel
        spacings = [spacing * level for level in LATTICE_LEVELS]
        bending = tuple(BENDING_BETWEEN_PEOPLE * one**2 for one in spacings)
        rates = tuple(rate * one for rate, one in zip(RATES_BETWEEN_PEOPLE, spacings))
        return _Deformation(voxel, spacing, LATTICE_LEVELS, bending, rates)
    if stage == "local":
        return _Deformation(facts.voxel(MOST_POINTS_OF_A_BODY), facts.grid_spacing, LEVELS_MM[-1:], (), ())
    levels = LEVELS_MM[:-1] if "local" in stages else LEVELS_MM
    return _Deformation(facts.finest_voxel, facts.grid_spacing, levels, (facts.bending,), ())


def _optimizer(stage: str) -> str:
    """What suits the metric: one that does not change from iteration to iteration needs no small steps."""
    if stage == "local":
        return "QuasiNewtonLBFGS"
    return "Adam" if stage in ("mono", "lattice") else "AdaptiveStochasticGradientDescent"


def _factors(size: float, spacing: Sequence[float]) -> list[int]:
    """How much an image is smoothed along each axis so that its voxels are about `size` mm; 0, not at all, for 0."""
    return [max(1, round(size / step)) if size else 0 for step in spacing]


def _row(values: Sequence[float]) -> str:
    return " ".join(f"{value:g}" for value in values)


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _template(name: str) -> str:
    return (
        resources.files("elastix_impact.parameters").joinpath("preset_maps", f"{name}.txt").read_text(encoding="utf-8")
    )
