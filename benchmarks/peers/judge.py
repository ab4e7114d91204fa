"""The judge: numpy, SciPy and SimpleITK alone, so that no fault of ours can hide in it.

A result is a dense field of displacements on the grid of the fixed image: a point p of the fixed image lies at
p + u(p) in the moving one, in LPS mm. Between voxels the field is read linearly, labels are read at the nearest voxel.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import map_coordinates

from .pairs import DATA, Pair


@dataclass(frozen=True)
class Grid:
    """Where the voxels of an image lie: point = matrix @ index + origin, coordinates in the order x, y, z."""

    matrix: np.ndarray
    origin: np.ndarray
    size: tuple[int, ...]

    @classmethod
    def of(cls, image: sitk.Image) -> "Grid":
        """The grid of an image."""
        d = image.GetDimension()
        matrix = np.reshape(image.GetDirection(), (d, d)) * image.GetSpacing()
        return cls(matrix, np.array(image.GetOrigin()), image.GetSize())

    def index(self, points: np.ndarray) -> np.ndarray:
        """Continuous indices of points, (n, d)."""
        return (points - self.origin) @ np.linalg.inv(self.matrix).T

    def points(self, indices: np.ndarray) -> np.ndarray:
        """Points of indices, (n, d)."""
        return indices @ self.matrix.T + self.origin


@dataclass(frozen=True)
class Score:
    """What a field reaches: `value` is mean Dice, or a mean distance in `unit`; `folded` a share of the domain."""

    value: float
    folded: float
    parts: dict[str, float]


def no_displacement(pair: Pair) -> np.ndarray:
    """The field that leaves everything where the headers put it."""
    image = sitk.ReadImage(str(DATA / pair.fixed))
    return np.zeros((*image.GetSize()[::-1], image.GetDimension()), np.float32)


def read_field(path: Path) -> np.ndarray:
    """Displacements, (z, y, x, d), columns x, y, z."""
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path), sitk.sitkVectorFloat32))


def score(pair: Pair, field: np.ndarray) -> Score:
    """Judge a field by the pair's truth.

    Raises
    ------
    ValueError
        If the field does not lie on the fixed image's grid, or is not finite.
    """
    image = sitk.ReadImage(str(DATA / pair.fixed))
    grid = Grid.of(image)
    if field.shape != (*grid.size[::-1], len(grid.size)) or not np.isfinite(field).all():
        raise ValueError(f"a finite field of shape {(*grid.size[::-1], len(grid.size))} was expected: {field.shape}")
    parts = {"labels": _labels, "points": _points, "reference": _reference}[pair.truth.kind](pair, field, grid)
    return Score(float(np.mean(list(parts.values()))), folded_share(field, grid, _body(pair, image)), parts)


def moved(field: np.ndarray, grid: Grid, points: np.ndarray) -> np.ndarray:
    """Where fixed points, (n, d), lie in the moving image; beyond the grid the nearest voxel's displacement counts."""
    index = grid.index(points)[:, ::-1].T
    shifts = [map_coordinates(field[..., k], index, order=1, mode="nearest") for k in range(field.shape[-1])]
    return points + np.stack(shifts, axis=1)


def folded_share(field: np.ndarray, grid: Grid, body: np.ndarray) -> float:
    """Share of the voxels in `body` (z, y, x) whose Jacobian determinant, by central differences, is not positive."""
    d = field.shape[-1]
    by_index = np.empty((int(body.sum()), d, d), np.float32)
    for k in range(d):
        for axis in range(d):
            by_index[:, k, axis] = np.gradient(field[..., k], axis=d - 1 - axis)[body]
    jacobian = np.eye(d) + by_index @ np.linalg.inv(grid.matrix)
    return float((np.linalg.det(jacobian) <= 0).mean())


def read_points(path: Path, image: sitk.Image) -> np.ndarray:
    """Landmarks in LPS mm, (n, d): elastix's text, or a table of pixel coordinates of `image`."""
    if path.suffix == ".csv":
        return Grid.of(image).points(np.loadtxt(path, delimiter=",", skiprows=1, usecols=(1, 2)))
    return np.loadtxt(path, skiprows=2)


def _body(pair: Pair, image: sitk.Image) -> np.ndarray:
    """Where folds are counted: in the mask, else above the value that parts body from air, else everywhere."""
    if pair.mask:
        return sitk.GetArrayFromImage(sitk.ReadImage(str(DATA / pair.mask))) > 0
    values = sitk.GetArrayFromImage(image)
    if image.GetNumberOfComponentsPerPixel() > 1 or pair.body is None:
        return np.ones(image.GetSize()[::-1], bool)
    return values > pair.body


def _labels(pair: Pair, field: np.ndarray, grid: Grid) -> dict[str, float]:
    """Dice of every label that both images have, over the whole fixed grid: what was not seen counts as nothing."""
    fixed, moving = (sitk.ReadImage(str(DATA / file)) for file in pair.truth.files)
    there, names = sitk.GetArrayFromImage(moving), sitk.GetArrayFromImage(fixed)
    indices = np.indices(names.shape).reshape(names.ndim, -1)[::-1].T
    points = grid.points(indices) + field.reshape(-1, field.shape[-1])
    nearest = np.rint(Grid.of(moving).index(points)).astype(int)
    inside = ((nearest >= 0) & (nearest < moving.GetSize())).all(axis=1)
    carried = np.zeros(names.size, there.dtype)
    carried[inside] = there[tuple(nearest[inside, ::-1].T)]
    flat, common = names.ravel(), np.intersect1d(names[names > 0], there[there > 0])
    return {
        str(int(label)): float(2 * ((flat == label) & (carried == label)).sum())
        / float((flat == label).sum() + (carried == label).sum())
        for label in common
    }


def _points(pair: Pair, field: np.ndarray, grid: Grid) -> dict[str, float]:
    """Mean landmark error."""
    fixed, moving = landmarks(pair)
    unit = sitk.ReadImage(str(DATA / pair.fixed)).GetSpacing()[0] if pair.truth.unit == "px" else 1.0
    return {"tre": float(np.linalg.norm(moved(field, grid, fixed) - moving, axis=1).mean() / unit)}


def landmarks(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Those of the fixed and of the moving image that have a partner, (n, d), LPS mm."""
    images = [sitk.ReadImage(str(DATA / name)) for name in (pair.fixed, pair.moving)]
    fixed, moving = (read_points(DATA / file, image) for file, image in zip(pair.truth.files, images))
    n = min(len(fixed), len(moving))
    return fixed[:n], moving[:n]


def _reference(pair: Pair, field: np.ndarray, grid: Grid) -> dict[str, float]:
    """Mean distance to a reference transform, over a mask that a chain of transforms brings to the fixed image."""
    points, there = reference_points(pair, every=101)
    return {"tre": float(np.linalg.norm(moved(field, grid, points) - there, axis=1).mean())}


def reference_points(pair: Pair, every: int) -> tuple[np.ndarray, np.ndarray]:
    """Every so many-th voxel of the mask as a point of the fixed image, and where the reference has it; (n, d), mm."""
    mask, *chain = pair.truth.region
    image = sitk.ReadImage(str(DATA / mask))
    points = Grid.of(image).points(np.argwhere(sitk.GetArrayFromImage(image) > 0)[::every, ::-1])
    for name in chain:
        points = through(DATA / name, points)
    return points, through(DATA / pair.truth.files[0], points)


def through(file: Path, points: np.ndarray) -> np.ndarray:
    """Points, (n, d), carried by the ITK transform in a file."""
    transform = sitk.ReadTransform(str(file))
    return np.array([transform.TransformPoint(point) for point in points.tolist()])
