"""All that was measured of one registration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

from torch import Tensor

from elastix_impact.io.scale import MILLIMETRES, LengthUnit

from .consistency import ConsistencySummary
from .deformation import DeformationSummary
from .labels import LabelSummary
from .landmarks import LandmarkSummary, summarise
from .similarity import IntensitySummary

FORMAT_VERSION = 1


@final
@dataclass(frozen=True, eq=False)
class LandmarkErrors:
    """Landmarks one by one: names, world points (N, D) in mm, and errors (N,) in mm by moment.

    Moments are ``"before"`` (nothing done), ``"initial"`` (the initial transform alone) and ``"after"``.
    """

    names: tuple[str, ...]
    fixed_points: Tensor
    moving_points: Tensor
    errors: Mapping[str, Tensor]

    def summaries(self) -> dict[str, LandmarkSummary]:
        """The target registration error by moment."""
        return {moment: summarise(errors) for moment, errors in self.errors.items()}


@final
@dataclass(frozen=True, eq=False)
class EvaluationSummary:
    """Every measure that the inputs allowed; what they did not is None or empty.

    Attributes
    ----------
    labels_problem
        Why there are no scores of segmentations that were given; empty if there are.
    unit
        What lengths are told to people in; all numbers here are mm.
    """

    landmarks: LandmarkErrors | None = None
    labels: Mapping[str, LabelSummary] = field(default_factory=dict)
    labels_problem: str = ""
    deformation: DeformationSummary | None = None
    intensity: Mapping[str, IntensitySummary] = field(default_factory=dict)
    consistency: ConsistencySummary | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    unit: LengthUnit = MILLIMETRES

    def to_json(self) -> dict[str, Any]:
        """The measures as plain dictionaries, lists and numbers; units are in the names."""
        landmarks = {} if self.landmarks is None else self.landmarks.summaries()
        return {
            "format_version": FORMAT_VERSION,
            "pixel_mm": self.unit.size_mm if self.unit.name == "px" else None,
            "landmarks_mm": {moment: one.to_json() for moment, one in landmarks.items()},
            "labels": {moment: one.to_json() for moment, one in self.labels.items()},
            "labels_problem": self.labels_problem or None,
            "transform": None if self.deformation is None else self.deformation.to_json(),
            "intensity": {moment: one.to_json() for moment, one in self.intensity.items()},
            "inverse_consistency": None if self.consistency is None else self.consistency.to_json(),
            "seconds": dict(self.seconds),
        }
