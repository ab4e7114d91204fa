"""`python -m benchmarks.half_turns DIR`: is a moving image found whose header is turned by up to half a turn?

The moving image's header (origin and direction, no voxel) is turned about the image's centre by random rotations, one
per seed; the preset `rigid` registers it, and NumPy and SimpleITK judge after undoing the turn. Writes DIR/turns.md.
"""

import argparse
import json
import math
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from elastix_impact.parameters.presets import PRESETS
from elastix_impact.runs.presets import facts_of, write_preset

from .peers.engines import OURS
from .peers.judge import Grid, landmarks, reference_points, through
from .peers.pairs import DATA, PAIRS, Pair
from .peers.process import measured
from .verdicts import FOR_THE_JUDGE

NAMES = ("ms_t1", "ms_t2", "ms_flair", "epi", "abdomen", "thigh_035", "thigh_002", "kidney")

NEAR_MM, NEAR_DEGREES = 15.0, 10.0
"""A pose is found if it lies so near that of the unturned image, or the rigid motion fitted to the truth."""


LIMIT = 600
"""CPU seconds that a registration may take."""


@dataclass(frozen=True)
class Rigid:
    """x -> matrix @ x + shift, mm."""

    matrix: np.ndarray
    shift: np.ndarray

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Where points, (n, d), go."""
        return points @ self.matrix.T + self.shift

    def before(self, later: "Rigid") -> "Rigid":
        """One motion, then `later`."""
        return Rigid(later.matrix @ self.matrix, later.matrix @ self.shift + later.shift)

    @property
    def inverse(self) -> "Rigid":
        """The way back."""
        return Rigid(self.matrix.T, -self.matrix.T @ self.shift)

    def degrees_from(self, other: "Rigid") -> float:
        """Angle between the rotations of two motions."""
        between = self.matrix @ other.matrix.T
        cosine = np.trace(between) / 2 if len(between) == 2 else (np.trace(between) - 1) / 2
        return math.degrees(math.acos(np.clip(cosine, -1, 1)))


@dataclass(frozen=True)
class Row:
    """One run: mean error to the truth, distance and angle to the nearer of two right poses, and the search. mm."""

    pair: str
    seed: int
    turned: float
    error: float
    distance: float
    angle: float
    seconds: float
    search: dict[str, object]

    @property
    def found(self) -> bool:
        """Whether the pose is found."""
        return self.distance <= NEAR_MM and self.angle <= NEAR_DEGREES


def turn_of(image: sitk.Image, seed: int) -> Rigid:
    """A random rotation about the image's centre; none for seed 0."""
    dimension = image.GetDimension()
    centre = np.array(image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()]))
    random = np.random.default_rng(seed)
    if seed == 0:
        matrix = np.eye(dimension)
    elif dimension == 2:
        angle = random.uniform(-math.pi, math.pi)
        matrix = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    else:
        matrix = Rotation.random(random_state=random).as_matrix()
    return Rigid(matrix, centre - matrix @ centre)


def write_turned(image: sitk.Image, turn: Rigid, path: Path) -> None:
    """The image with a turned header."""
    direction = turn.matrix @ np.reshape(image.GetDirection(), turn.matrix.shape)
    image.SetOrigin(turn(np.array([image.GetOrigin()]))[0].tolist())
    image.SetDirection(direction.ravel().tolist())
    sitk.WriteImage(image, str(path))


def truth_of(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Places in the fixed image and where they truly lie in the moving one, (n, d), mm."""
    if pair.truth.kind == "points":
        return landmarks(pair)
    if pair.truth.kind == "reference":
        return reference_points(pair, every=997)
    centres = [_centroids(sitk.ReadImage(str(DATA / name))) for name in pair.truth.files]
    common = sorted(set(centres[0]) & set(centres[1]))
    return np.array([centres[0][k] for k in common]), np.array([centres[1][k] for k in common])


def _centroids(image: sitk.Image) -> dict[int, np.ndarray]:
    values, grid = sitk.GetArrayFromImage(image), Grid.of(image)
    return {int(k): grid.points(np.argwhere(values == k)[:, ::-1]).mean(axis=0) for k in np.unique(values[values > 0])}


def fitted(points: np.ndarray, others: np.ndarray) -> Rigid:
    """The rigid motion that brings points nearest to others (Kabsch, Acta Cryst. A 32, 1976)."""
    middle, other = points.mean(axis=0), others.mean(axis=0)
    left, _, right = np.linalg.svd((others - other).T @ (points - middle))
    signs = np.ones(len(middle))
    signs[-1] = np.sign(np.linalg.det(left @ right))
    matrix = left @ np.diag(signs) @ right
    return Rigid(matrix, other - matrix @ middle)


def registered(pair: Pair, seed: int, folder: Path) -> tuple[Rigid, Rigid, float, dict[str, object]]:
    """The turn, the pose that was found from it, CPU seconds of the command, and what the search says of itself."""
    folder.mkdir(parents=True, exist_ok=True)
    image = sitk.ReadImage(str(DATA / pair.moving))
    turn, moving = turn_of(image, seed), folder / "moving.mha"
    write_turned(image, turn, moving)
    paths = write_preset(PRESETS["rigid"], facts_of(DATA / pair.fixed, moving), folder / "maps")
    words = ["register", "-f", str(DATA / pair.fixed), "-m", str(moving), "-o", str(folder / "out")]
    for path in paths:
        path.write_text(path.read_text() + FOR_THE_JUDGE)
        words += ["-p", str(path)]
    words += ["--threads", "1", "--device", "cpu", "--seed", "1", "--no-evaluation", "--quiet"]
    seconds = measured([*OURS, *words], folder / "run.log", threads=1, limit=LIMIT).cpu_s
    record = json.loads((folder / "out" / "registration.json").read_text(encoding="utf-8"))
    corners = np.vstack([np.zeros(image.GetDimension()), np.eye(image.GetDimension()) * 100])
    pose = fitted(corners, through(folder / "out" / f"TransformParameters.{len(paths) - 1}-Composite.tfm", corners))
    return turn, pose, seconds, record["stages"][0]["search"]


def rows_of(name: str, seeds: int, folder: Path) -> list[Row]:
    """The pair as it is (seed 0) and turned by each seed."""
    pair, rows = PAIRS[name], []
    fixed, moving = truth_of(pair)
    near = [fitted(fixed, moving)]
    for seed in range(seeds + 1):
        turn, pose, seconds, search = registered(pair, seed, folder / f"{name}-{seed}")
        undone = pose.before(turn.inverse)
        near += [undone] if seed == 0 else []
        at = undone(fixed)
        distances = [float(np.linalg.norm(at - one(fixed), axis=1).mean()) for one in near]
        which = int(np.argmin(distances))
        turned = turn.degrees_from(Rigid(np.eye(len(turn.shift)), turn.shift))
        error = float(np.linalg.norm(at - moving, axis=1).mean())
        row = Row(name, seed, turned, error, distances[which], undone.degrees_from(near[which]), seconds, search)
        sys.stdout.write(line_of(row) + "\n")
        sys.stdout.flush()
        rows.append(row)
    return rows


def line_of(row: Row) -> str:
    """A row of the table."""
    search = row.search
    scores = [search[key] and search[key]["score"] for key in ("start", "header", "runner_up")]  # type: ignore[index]
    numbers = ["-" if value is None else f"{value:.2f}" for value in (*scores, search["lead"])]
    cells = [
        row.pair, f"{row.turned:.0f}", f"{row.error:.2f}", f"{row.distance:.2f}", f"{row.angle:.1f}",
        "yes" if row.found else "**no**", str(search["word"]), *numbers, f"{row.seconds:.1f}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


HEAD = (
    "| pair | turned by (degrees) | error (mm) | from the pose (mm) | (degrees) | found | certificate | score | "
    "headers' | runner-up | lead | CPU s |\n|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def main() -> None:
    """Run all pairs, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.half_turns", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--pairs", nargs="+", choices=PAIRS, default=list(NAMES), metavar="PAIR")
    parser.add_argument("--seeds", type=int, default=3, help="turns of each pair (default: 3)")
    arguments = parser.parse_args()
    sys.stdout.write(f"{HEAD}\n")
    rows = [row for name in arguments.pairs for row in rows_of(name, arguments.seeds, arguments.folder.resolve())]
    text = "\n".join([HEAD, *map(line_of, rows)])
    (arguments.folder / "turns.md").write_text(text + "\n", encoding="utf-8")
    (arguments.folder / "turns.json").write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")
    turned = [row for row in rows if row.seed]
    sys.stdout.write(f"\n{sum(row.found for row in turned)} of {len(turned)} turned images found\n")


if __name__ == "__main__":
    main()
