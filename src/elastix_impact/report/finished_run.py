"""What a run left in its folder, and the images it was made from, as far as they are still there."""

import csv
import json
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from elastix_impact.errors import ElastixImpactError, InputError
from elastix_impact.geometry.grid import Row
from elastix_impact.geometry.image import Image
from elastix_impact.io.images import read_image
from elastix_impact.io.masks import read_mask
from elastix_impact.io.read_transform import read_transform
from elastix_impact.io.scale import MILLIMETRES, LengthUnit, length_unit
from elastix_impact.io.segmentations import read_label_pair
from elastix_impact.io.transform_file import read_transform_file
from elastix_impact.io.warning import InputWarning
from elastix_impact.staging.staged import finish_killed
from elastix_impact.staging.swap import RECORD
from elastix_impact.transforms.base import AbstractTransform

from .files_read import later_run, no_longer
from .whole import reading


@final
@dataclass(frozen=True)
class LandmarkRow:
    """One landmark: where it lies in the fixed image, world mm, and its error before and after, mm."""

    name: str
    fixed_point: Row
    before: float
    after: float


@final
@dataclass(frozen=True, eq=False)
class IterationTable:
    """The iterations of one level by column, as elastix writes them."""

    stage: int
    level: int
    columns: dict[str, list[float]]


@final
@dataclass(frozen=True, eq=False)
class FinishedRun:
    """One run's folder, read.

    Attributes
    ----------
    record, evaluation
        `registration.json` and `evaluation.json` (empty if there is none).
    fixed, moving, fixed_mask, labels
        As the transform sees them; None where the file can't be read any more. Labels of both images, integers.
    initial, transform
        From fixed to moving world points, mm: before the first stage, and after the last one.
    missing
        Sentences about what can't be shown, what is no longer what was registered, and a later run that failed.
    """

    folder: Path
    record: dict[str, Any]
    evaluation: dict[str, Any]
    fixed: Image | None
    moving: Image | None
    fixed_mask: Image | None
    labels: tuple[Image, Image] | None
    initial: AbstractTransform | None
    transform: AbstractTransform | None
    landmarks: tuple[LandmarkRow, ...]
    tables: tuple[IterationTable, ...]
    missing: list[str] = field(default_factory=list)

    @property
    def unit(self) -> LengthUnit:
        """What lengths are told in: pixels of the fixed image if it has no real scale."""
        facts = self.record["inputs"].get("fixed")
        return MILLIMETRES if facts is None else length_unit(facts["path"], facts["spacing"])

    @property
    def scores(self) -> list[dict[str, Any]]:
        """The measures of every structure after the registration, as `evaluation.json` has them."""
        return self.evaluation.get("labels", {}).get("after", {}).get("labels", [])

    @property
    def scored_labels(self) -> list[int]:
        """The structures that were measured."""
        return [score["label"] for score in self.scores]


def read_run(folder: Path) -> FinishedRun:
    """Read the folder of a run, complete or not.

    Raises
    ------
    InputError
        If it holds no `registration.json` of this package, or a file that is not as it was written, or a run is at work
        there.
    """
    finish_killed(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)  # the run has told them, they are in its record
        with reading(folder):
            return _read(folder)


def _read(folder: Path) -> FinishedRun:
    record = _record(folder)
    missing = [*no_longer(record), *later_run(folder)]
    turned = _ignores_directions(record)
    images = {role: _image(record, role, turned, missing) for role in ("fixed", "moving")}
    mask = None if images["fixed"] is None else _mask(record, images["fixed"], turned, missing)
    stages = len(record.get("stages", []))
    landmarks = _landmarks(folder / "landmarks.csv")
    counted = next(iter(record.get("landmarks_mm", {}).values()), {}).get("n", 0)
    if len(landmarks) != counted:
        missing.append(f"landmarks.csv holds {len(landmarks)} of the {counted} landmarks that were measured.")
    return FinishedRun(
        folder=folder,
        record=record,
        evaluation=_json(folder / "evaluation.json"),
        fixed=images["fixed"],
        moving=images["moving"],
        fixed_mask=mask,
        labels=_labels(record, turned, missing),
        initial=_transform(_initial(folder), missing),
        transform=_transform(_first_that_is(folder, f"TransformParameters.{stages - 1}"), missing),
        landmarks=landmarks,
        tables=_tables(folder, record),
        missing=missing,
    )


def _record(folder: Path) -> dict[str, Any]:
    path = folder / RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"no report can be made: {error}" if path.exists() else f"there is no {RECORD} here",
            where=str(folder),
            expected="the output folder of `elastix-impact run` or `register`",
            remedy="Name the folder that the registration wrote into",
        ) from error
    if not isinstance(record, dict) or "inputs" not in record:
        raise InputError(f"{RECORD} is none that elastix-impact wrote", where=str(folder), remedy="Run it again")
    return record


def _json(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    with reading(path):
        return dict(json.loads(path.read_text(encoding="utf-8")).items())


def _ignores_directions(record: dict[str, Any]) -> bool:
    """Whether the last stage saw images without their direction cosines."""
    stages = record.get("stages") or [{}]
    return stages[-1].get("plan", {}).get("use_direction_cosines") is False


def _image(record: dict[str, Any], role: str, turned: bool, missing: list[str]) -> Image | None:
    facts = record["inputs"].get(role)
    if facts is None:
        missing.append(f"The {role} image was not read; there is no picture of it.")
        return None
    try:
        image = read_image(Path(facts["path"]))
    except ElastixImpactError as error:
        missing.append(f"The {role} image can't be shown: {error}")
        return None
    return image.without_direction() if turned else image


def _mask(record: dict[str, Any], fixed: Image, turned: bool, missing: list[str]) -> Image | None:
    facts = record["inputs"].get("fixed_mask")
    if facts is None:
        return None
    try:
        mask = read_mask(Path(facts["path"]), fixed.grid)
    except ElastixImpactError as error:
        missing.append(f"The fixed mask can't be shown: {error}")
        return None
    return mask.without_direction() if turned else mask


def _labels(record: dict[str, Any], turned: bool, missing: list[str]) -> tuple[Image, Image] | None:
    paths = record["inputs"].get("labels")
    if paths is None:
        return None
    try:
        fixed, moving = read_label_pair(*map(Path, paths))
    except ElastixImpactError as error:
        missing.append(f"The structures can't be shown: {error}")
        return None
    return (fixed.without_direction(), moving.without_direction()) if turned else (fixed, moving)


def _transform(path: Path | None, missing: list[str]) -> AbstractTransform | None:
    if path is None:
        return None
    try:
        return read_transform(path).as_stored  # seen as the images are
    except ElastixImpactError as error:
        missing.append(f"The transform can't be shown: {error}")
        return None


def _first_that_is(folder: Path, stem: str) -> Path | None:
    return next((path for path in (folder / f"{stem}.txt", folder / f"{stem}.toml") if path.exists()), None)


def _initial(folder: Path) -> Path | None:
    """What the first stage started from, as its file says."""
    first = _first_that_is(folder, "TransformParameters.0")
    if first is None:
        return None
    try:
        before = read_transform_file(first).initial
    except ElastixImpactError:
        return None
    return None if before is None else folder / before.name


def _landmarks(path: Path) -> tuple[LandmarkRow, ...]:
    if not path.exists():
        return ()
    with reading(path), path.open(newline="", encoding="utf-8") as stream:
        return tuple(_landmark(row) for row in csv.DictReader(stream))


def _landmark(row: dict[str, str]) -> LandmarkRow:
    point = tuple(float(row[f"fixed_{axis}_mm"]) for axis in "xyz" if row.get(f"fixed_{axis}_mm"))
    return LandmarkRow(row["name"], point, float(row["before_mm"]), float(row["after_mm"]))


def _tables(folder: Path, record: dict[str, Any]) -> tuple[IterationTable, ...]:
    found = (_table(folder, stage, level) for stage in range(len(record.get("stages", []))) for level in range(64))
    return tuple(table for table in found if table is not None)


def _table(folder: Path, stage: int, level: int) -> IterationTable | None:
    path = folder / f"IterationInfo.{stage}.R{level}.txt"
    if not path.exists():
        return None
    with reading(path):
        names, *rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    whole = [row for row in rows if len(row) == len(names)]
    return IterationTable(stage, level, {name: _numbers(row[k] for row in whole) for k, name in enumerate(names)})


def _numbers(cells: Any) -> list[float]:
    """Cells as numbers; words (``true``, a phase) are not plotted and become NaN."""
    found = []
    for cell in cells:
        try:
            found.append(float(cell))
        except ValueError:
            found.append(float("nan"))
    return found
