"""FeatureSearch: the pose that a registration starts from, out of all turns and shifts.

MIND of both images (Heinrich et al., MICCAI 2013) is correlated at all shifts of many turns on a coarse lattice; the
best poses and those of the headers are made exact by normalised mutual information; the agreement of MIND where both
see decides, at equal overlap. What was measured is in docs/decisions/012-feature-search.md.
"""

import math
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from elastix_impact.geometry.grid import Row
from elastix_impact.geometry.image import Image
from elastix_impact.transforms.affine import logarithm_of

from .agreement import Agreement
from .coarse import Coarse, Region
from .pose import Poses, identity_pose
from .refine import refined
from .report import FoundPose, SearchReport, Word
from .rotations import Count, Turns, angles_between
from .scan import scan

SMALLER, LARGER, LONGEST = {2: 40, 3: 20}, {2: 80, 3: 36}, {2: 160, 3: 42}
"""The lattice's voxels along the mean side of the smaller image and, at most, along that of the larger one and along
the diagonal of the moving one, which bounds what a turned slab needs."""

BEATS_HEADER = 0.1
"""By how much a pose's agreement must exceed the headers' pose's to be taken, ..."""

PLAINLY_BEATS_HEADER = 0.2
"""... if it is ambiguous itself: where the headers' pose is plainly wrong, one of several poses is better; ..."""

AMBIGUOUS = 0.05
"""... and the lead over the runner-up below which the start is ambiguous."""

DIFFERENT_ANGLE, DIFFERENT_SHARE = math.radians(15), 0.15
"""Poses are different if they are turned by more, or shifted by more than this share of the smaller image."""

LEAST_HEADER_OVERLAP = 0.1
"""Share of the smaller image that the headers' pose must let both see to be compared with others."""

LEAST_OVERLAP = 0.1
"""SearchMinimumOverlap is halved down to this, where no pose at all reaches it."""

COARSE, MIDDLE = (4000, 20), (8000, 20)
"""Places and iterations of the two refinements."""

FOLLOWED = 6
"""Turns whose neighbourhood is scanned too."""

RIVALS = 2
"""Poses that differ clearly from the best, for the certificate."""

FINALISTS = 3
"""Poses that are refined on the middle grid, besides the one that began at the headers'."""


@final
@dataclass(frozen=True)
class SearchSettings:
    """What is searched: SearchRotations, SearchVoxelSize (mm, None = by the images), ..MinimumOverlap, ..Candidates."""

    rotations: Count
    voxel_size: float | None
    minimum_overlap: float
    candidates: int


@final
@dataclass(frozen=True, eq=False)
class Start:
    """Where a linear transform starts: x -> rotation (x - centre) + centre + translation, world frame, mm."""

    rotation: Tensor
    centre: Row
    translation: Row
    report: SearchReport


def search(
    fixed: Image, moving: Image, settings: SearchSettings, fixed_mask: Image | None, moving_mask: Image | None
) -> Start:
    """The start of a registration of `moving` to `fixed`.

    Raises
    ------
    ImageError
        If a mask covers nothing of its image.
    """
    regions = Region.of(fixed, fixed_mask), Region.of(moving, moving_mask)
    voxel = settings.voxel_size or _voxel(*regions)
    coarse = regions[0].shrunk(voxel), regions[1].shrunk(voxel)
    turns = Turns.of(fixed.grid.dimension, settings.rotations)
    size = min(one.size for one in regions)
    best = _scanned(coarse, turns, voxel, settings, DIFFERENT_SHARE * size)
    while len(best) == 0 and settings.minimum_overlap > LEAST_OVERLAP:
        settings = replace(settings, minimum_overlap=settings.minimum_overlap / 2)
        best = _scanned(coarse, turns, voxel, settings, DIFFERENT_SHARE * size)
    header = identity_pose(coarse[0].centre)
    together = header.moved(torch.tensor(coarse[1].centre, dtype=torch.float64) - header.centre)
    pool = _made_exact(header.then(together).then(best), regions, coarse, voxel, settings.minimum_overlap)
    return _decide(header.then(pool), coarse, voxel, settings, DIFFERENT_SHARE * size, turns)


def _scanned(
    coarse: tuple[Coarse, Coarse], turns: Turns, voxel: float, settings: SearchSettings, distance: float
) -> Poses:
    """The best of all turns and shifts, also half-way to the neighbours of the best; then those that differ clearly.

    None where no pose lets both see as much as asked for: a wide slab can't lie in a narrow image.
    """
    found = scan(*coarse, turns, voxel, settings.minimum_overlap)
    if len(found) == 0:
        return found
    near = found.best(FOLLOWED, turns.spacing / 2, 2 * voxel)
    found = found.then(scan(*coarse, turns.around(near.rotations, coarse[0].grid), voxel, settings.minimum_overlap))
    rivals = found.best(1 + RIVALS, DIFFERENT_ANGLE, distance)
    return found.best(settings.candidates, turns.spacing / 4, 2 * voxel).then(rivals.at(torch.arange(1, len(rivals))))


def _voxel(fixed: Region, moving: Region) -> float:
    """Voxel size in mm: fine for the smaller image, not too many voxels of the larger one, and few FFTs of a slab."""
    dimension = len(fixed.image.grid.size)
    sizes = sorted([fixed.size, moving.size])
    diagonal = math.hypot(*moving.image.grid.extent)
    least = sizes[0] / SMALLER[dimension], sizes[1] / LARGER[dimension], diagonal / LONGEST[dimension]
    return float(f"{max(least):.2g}")


def _made_exact(
    poses: Poses, regions: tuple[Region, Region], coarse: tuple[Coarse, Coarse], voxel: float, minimum_overlap: float
) -> Poses:
    """The first of `poses` and the best, refined on both grids; after them all of them as the coarse one left them."""
    exact = refined(poses, *coarse, *COARSE)
    agreement = Agreement.of(*coarse, exact, voxel)
    scores = [agreement.weight(k) if agreement.overlaps[k] >= minimum_overlap else -1.0 for k in range(len(exact))]
    ranked = exact.scored(torch.tensor(scores, dtype=torch.float64))
    finalists = ranked.best(FINALISTS, DIFFERENT_ANGLE / 3, voxel)
    middle = regions[0].shrunk(voxel / 2), regions[1].shrunk(voxel / 2)
    return refined(exact.at(torch.tensor([0])).then(finalists), *middle, *MIDDLE).then(exact)


def _decide(
    poses: Poses, coarse: tuple[Coarse, Coarse], voxel: float, settings: SearchSettings, distance: float, turns: Turns
) -> Start:
    """The best of `poses`, of which the first is the headers' and the second what it was refined to."""
    agreement = Agreement.of(*coarse, poses, voxel)
    scores = [agreement.score(k) for k in range(len(poses))]
    least = [LEAST_HEADER_OVERLAP] + [0.9 * settings.minimum_overlap] * (len(poses) - 1)
    able = [float(overlap) >= bound for overlap, bound in zip(agreement.overlaps, least)]
    ranked = sorted((k for k in range(len(poses)) if able[k]), key=lambda k: -agreement.weight(k)) or [0]
    start = ranked[0]
    rivals, lead = _rivals(agreement, poses, ranked, start, distance)
    if able[0] and not _beats_header(agreement, start, lead, refined_too=able[1] and 1 in rivals):
        start = 1 if able[1] and agreement.lead(1, 0) >= BEATS_HEADER else 0
        rivals, lead = _rivals(agreement, poses, ranked, start, distance)
    word: Word = "ambiguous" if lead is not None and lead < AMBIGUOUS else "header kept" if start == 0 else "unique"
    report = SearchReport(
        word=word,
        start=_found(poses, start, scores),
        header_kept=start == 0,
        header=_found(poses, 0, scores) if able[0] else None,
        runner_up=_found(poses, rivals[0], scores) if rivals else None,
        lead=lead,
        overlap=float(agreement.overlaps[start]),
        rotations=len(turns.bases) * len(turns.lattice_turns),
        voxel_size=voxel,
    )
    translation = tuple(poses.translations[start].tolist())
    return Start(poses.rotations[start], coarse[0].centre, translation, report)


def _rivals(
    agreement: Agreement, poses: Poses, ranked: list[int], start: int, distance: float
) -> tuple[list[int], float | None]:
    """The poses that differ clearly from `start`, best first, and by how much it leads the first of them."""
    turned = angles_between(poses.rotations, poses.rotations[start]) > DIFFERENT_ANGLE
    shifted = (poses.translations - poses.translations[start]).norm(dim=1) > distance
    different = (turned | shifted).tolist()
    rivals = [k for k in ranked if different[k]]
    return rivals, agreement.lead(start, rivals[0]) if rivals else None


def _beats_header(agreement: Agreement, start: int, lead: float | None, *, refined_too: bool) -> bool:
    """Whether `start` leads the headers' pose clearly, if need be also as refined; plainly, if it is ambiguous itself.

    A small image a few voxels off does not agree as it lies: what it is refined to must be beaten too.
    """
    headers = [0, 1] if refined_too else [0]
    is_ambiguous = lead is not None and lead < AMBIGUOUS and start != 1
    least = PLAINLY_BEATS_HEADER if is_ambiguous else BEATS_HEADER
    return all(agreement.lead(start, k) >= least for k in headers)


def _found(poses: Poses, k: int, scores: list[float]) -> FoundPose:
    logarithm = logarithm_of(poses.rotations[k]) * (180 / math.pi)
    vector = (
        logarithm[1:, 0] if len(logarithm) == 2 else torch.stack([logarithm[2, 1], logarithm[0, 2], logarithm[1, 0]])
    )
    return FoundPose(float(vector.norm()), tuple(vector.tolist()), tuple(poses.translations[k].tolist()), scores[k])
