"""What is taken before and after the levels of a stage: reading, the result image, measures, the verdict."""

from elastix_impact.evaluation.deformation import CHUNK
from elastix_impact.evaluation.places import MOST_VOXELS

from .pair import PairSizes

SEEN_BYTES = 24
"""Per voxel of the larger image while its padding is looked for: flags, numbers of regions, distances to their edge."""

PLACE_BYTES = 10
"""Per voxel of the fixed image where measures choose their places: flags, and numbers, int64."""

TAP_BYTES = 40
"""Per place of a piece, and tap, while a spline's Jacobian is taken, float64: weights, numbers and products."""

MOVED_BYTES, MOVING_BYTES = 12, 36
"""Per voxel of the fixed labels: the moved labels, int64, and their numbers, int32, are held; beside them while they
are moved and numbered: places, pieces and flags of int64."""

READING_SECONDS, RESULT_SECONDS, LABEL_SECONDS, SCENE_SECONDS = 1.2e-7, 2.0e-6, 1.0e-6, 2e-7
"""Per voxel: read and hashed; interpolated with splines, packed and written; moved and compared; smoothed."""

START_SECONDS, PLACES_SECONDS, VERDICT_SECONDS = 1.5, 0.7, 0.4


def result_bytes(pair: PairSizes, order: int) -> float:
    """Of the moving image on the fixed image's grid: first its making, then its writing."""
    copies = 1 if order == 1 else order + 2
    fixed, moving = pair.fixed.voxels, pair.moving.voxels
    # The moving image's table; all places, float32; values in pieces and joined. Or values, float64 while they are
    # rounded and cut to the type's range, the file's type, and ITK's copy.
    resampled = 4 * copies * moving + (4 * pair.dimension + 8) * fixed
    return max(resampled, 4 * (copies + 1) * moving, 32 * fixed)


def evaluation_bytes(pair: PairSizes, *, deformable: bool) -> float:
    """Of the measures after a stage, the labels' included."""
    chunk = min(CHUNK, pair.fixed.voxels) * 4**pair.dimension * TAP_BYTES if deformable else 0.0
    places = PLACE_BYTES * pair.fixed.voxels + 8 * pair.dimension * min(MOST_VOXELS, pair.fixed.voxels)
    labels = MOVING_BYTES * pair.fixed_labels.voxels if pair.fixed_labels and pair.moving_labels else 0
    return max(places + 8 * pair.moving.voxels, chunk + places, labels)


def moved_label_bytes(pair: PairSizes) -> float:
    """What is held of moved labels from the first measures on."""
    return MOVED_BYTES * pair.fixed_labels.voxels if pair.fixed_labels and pair.moving_labels else 0.0


def verdict_bytes(pair: PairSizes) -> float:
    """Of the verdict and of a guard: both images smoothed, and where they were seen."""
    return SEEN_BYTES * max(pair.fixed.voxels, pair.moving.voxels)


def evaluation_seconds(pair: PairSizes) -> float:
    """Of the measures after a stage."""
    labels = pair.fixed_labels.voxels if pair.fixed_labels and pair.moving_labels else 0
    return PLACES_SECONDS * min(1.0, pair.fixed.voxels / MOST_VOXELS) + LABEL_SECONDS * labels
