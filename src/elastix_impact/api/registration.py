"""What `elastix_impact.register` gives back."""

import shutil
import weakref
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor

from elastix_impact.applying.apply import apply_transform
from elastix_impact.errors import RegistrationFailedError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.io.images import read_image
from elastix_impact.io.input_files import refuse_overwriting
from elastix_impact.io.itk_images import to_itk_image
from elastix_impact.io.points import Landmarks, read_points
from elastix_impact.io.read_transform import StoredTransform, read_transform
from elastix_impact.io.segmentations import read_segmentation
from elastix_impact.io.transform_file import ResampleSettings
from elastix_impact.runs.record import RunRecord
from elastix_impact.transforms.base import AbstractTransform

from .watch import IterationState


@final
class Registration:
    """A finished registration and the folder of its files.

    Attributes
    ----------
    out
        The folder; a temporary one goes with this object: `save` keeps it.
    record
        What `registration.json` holds: plan, versions, times, levels.
    verdict
        What to think of the result: its `word` is ``"good"``, ``"look"`` or ``"bad"``, with `reasons`; see
        docs/verdict.md. None if it could not be judged.
    metrics
        What `evaluation.json` holds: TRE, overlap, Jacobian, correlation; see docs/evaluation.md.
    iterations
        Every iteration of native stages, in order.
    warnings
        Sentences that were said.
    failure
        Why the registration failed, as a sentence; None if it did not.
    """

    def __init__(self, run: RunRecord, iterations: tuple[IterationState, ...], *, is_temporary: bool) -> None:
        self.out = run.out
        self.record: dict[str, Any] = run.to_json()
        self.metrics: dict[str, Any] = {} if run.evaluation is None else run.evaluation.to_json()
        self.verdict = run.verdict
        self.iterations = iterations
        self.warnings = tuple(run.warnings)
        self.failure: str | None = None if run.status == "complete" else run.message
        if is_temporary:
            weakref.finalize(self, shutil.rmtree, self.out, ignore_errors=True)

    @cached_property
    def transform(self) -> AbstractTransform:
        """The map from fixed to moving world points in mm, float64; raises RegistrationFailedError if there is none."""
        facts = self.record["inputs"]["moving"]
        return self._stored.in_world(Grid(facts["size"], facts["spacing"], facts["origin"], facts["direction"]))

    @cached_property
    def _stored(self) -> StoredTransform:
        return read_transform(self.transform_file)

    @property
    def _resampling(self) -> ResampleSettings:
        """How the last stage's map resamples images."""
        assert self._stored.record is not None
        return self._stored.record.resample

    @property
    def transform_file(self) -> Path:
        """The file of the last stage's transform, which names those before it; transformix and ITK read it."""
        if self.failure is not None:
            raise RegistrationFailedError(f"a registration that failed has no transform: {self.failure}")
        stem = f"TransformParameters.{len(self.record['stages']) - 1}"
        return next(path for path in (self.out / f"{stem}.txt", self.out / f"{stem}.toml") if path.exists())

    @cached_property
    def warped(self) -> Image:
        """The moving image on the fixed image's grid: the result image, or made now if the map wants none."""
        last = f"result.{len(self.record['stages']) - 1}."
        found = sorted(path for path in self.out.iterdir() if path.name.startswith(last) and path.suffix != ".raw")
        if found:
            return read_image(found[0], allow_constant=True)
        fixed, moving = (read_image(Path(self.record["inputs"][role]["path"])) for role in ("fixed", "moving"))
        return self._resampled(moving, fixed.grid, None)

    def _resampled(self, moving: Image, grid: Grid, order: int | None) -> Image:
        settings = self._resampling
        order = settings.interpolation_order if order is None else order
        return apply_transform(self.transform, moving, grid, order=order, default_value=settings.default_pixel_value)

    @cached_property
    def moved_labels(self) -> Image | None:
        """The moving labels on the fixed image's grid, int64; None if none were given."""
        path = self._carried("moving labels")
        return None if path is None else read_segmentation(path)

    @cached_property
    def fixed_points_in_moving(self) -> Landmarks | None:
        """The fixed points in the moving image; None unless they were given without moving ones."""
        path = self._carried("fixed points")
        return None if path is None else read_points(path, None)

    @cached_property
    def moving_points_in_fixed(self) -> Landmarks | None:
        """The moving points in the fixed image, those without an inverse left out (see `warnings`); None unless they
        were given without fixed ones.
        """
        path = self._carried("moving points")
        return None if path is None else read_points(path, None)

    def _carried(self, what: str) -> Path | None:
        return next((self.out / one["file"] for one in self.record["carried"] if one["what"] == what), None)

    def apply(self, given: Any, *, labels: bool = False, order: int | None = None) -> Any:
        """Carry along what belongs to the pair.

        Parameters
        ----------
        given
            Fixed world points (N, D) in mm: gives the moving points. Or a moving image, a path or an `Image`: gives it
            on the fixed image's grid.
        labels
            Whether the image is a segmentation.
        order
            Of the interpolation of other images, 0 to 3; None = as the map says, which also says what lies outside.
        """
        if not isinstance(given, str | PathLike | Image):
            points = given if isinstance(given, Tensor) else torch.as_tensor(given)
            return self.transform.map_points(points.double())
        image = given if isinstance(given, Image) else read_image(Path(given), allow_constant=True)
        if labels:
            return apply_transform(self.transform, image, self.warped.grid, labels=True)
        return self._resampled(image, self.warped.grid, order)

    def to_itk(self) -> Any:
        """The registered moving image as a SimpleITK image."""
        return to_itk_image(self.warped)

    def save(self, folder: str | PathLike[str]) -> Path:
        """Copy the run's files into `folder`, made if need be; returns it. OutputError if an input is in the way."""
        copied = [Path(folder) / one.relative_to(self.out) for one in self.out.rglob("*")]
        refuse_overwriting(copied, [Path(one["path"]) for one in self.record["files_read"]])
        return Path(shutil.copytree(self.out, folder, dirs_exist_ok=True))

    def report(self, path: str | PathLike[str] | None = None) -> Path:
        """Write the report, one HTML page; returns its path (default: ``report.html`` in `out`)."""
        from elastix_impact.report.render import write_report

        return write_report(self.out, None if path is None else Path(path))

    def __repr__(self) -> str:
        """One line."""
        stages = len(self.record["stages"])
        return f"<Registration: {stages} stage{'s' * (stages != 1)}, {self.summary()}, in {self.out}>"

    def summary(self) -> str:
        """The result in a few words."""
        words = [] if self.verdict is None else [f"verdict {self.verdict.word}"]
        landmarks, labels = self.metrics.get("landmarks_mm", {}), self.metrics.get("labels", {})
        if landmarks:
            unit = "mm" if self.metrics["pixel_mm"] is None else "px"
            before, after = (landmarks[when]["mean"] / (self.metrics["pixel_mm"] or 1) for when in ("before", "after"))
            words.append(f"TRE {before:.2f} -> {after:.2f} {unit}")
        if labels:
            words.append(f"mean Dice {labels['before']['mean_dice']:.2f} -> {labels['after']['mean_dice']:.2f}")
        if not words and self.metrics.get("intensity", {}).get("after"):
            words.append(f"correlation {self.metrics['intensity']['after']['ncc'] or 0.0:.2f}")
        return ", ".join(words) or "not measured"

    def _repr_html_(self) -> str:
        """A table and a picture, for notebooks."""
        from .notebook import html_of

        return html_of(self.out, f"{self.summary()}; {self.record['seconds'].get('total', 0.0):.1f} s")
