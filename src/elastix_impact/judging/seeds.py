"""How far results lie apart that only the random seed tells apart: what it decides, the images do not."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, final

import torch

from elastix_impact.evaluation.evidence import LEAST_PLACES
from elastix_impact.evaluation.scene import Look
from elastix_impact.io.scale import LengthUnit
from elastix_impact.transforms.base import AbstractTransform

from .verdict import Verdict, reach_verdict
from .witness import Witness


@final
@dataclass(frozen=True, eq=False)
class SeedRun:
    """What a run with one seed reached: its transform, or None and the reason why it `failed`."""

    seed: int
    transform: AbstractTransform | None
    failed: str = ""


@final
@dataclass(frozen=True)
class SeedDistance:
    """Distance in mm between where the transforms of two seeds map a place: mean and 95th percentile over places."""

    seeds: tuple[int, int]
    mean_mm: float
    p95_mm: float


@final
@dataclass(frozen=True)
class SeedComparison:
    """The results of several seeds side by side.

    Attributes
    ----------
    seeds
        The result's own first.
    distances
        Of each two that did not fail; none if there is no place or no second result.
    failures
        Why others failed, by seed.
    places
        At how many places they were compared.
    extent
        Longest side of the fixed image, mm.
    unit
        What lengths are told to people in; all numbers here are mm.
    """

    seeds: tuple[int, ...]
    distances: tuple[SeedDistance, ...]
    failures: Mapping[int, str]
    places: int
    extent: float
    unit: LengthUnit

    @property
    def largest(self) -> SeedDistance | None:
        """The distance of the two that lie farthest apart on average."""
        return max(self.distances, key=lambda one: one.mean_mm, default=None)

    def verdict(self) -> Verdict:
        """The checks ``seeds_disagree`` and ``seeds_failed``."""
        values, largest = {"seeds_failed": float(len(self.failures))}, self.largest
        if largest is not None:
            values["seeds_disagree"] = 100 * largest.mean_mm / self.extent
        reasons = "; ".join(f"seed {seed}: {reason}" for seed, reason in self.failures.items())
        return reach_verdict(values, {"seeds_disagree": self._words(), "seeds_failed": reasons})

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers; `mean_mm` and `p95_mm` are those of the largest distance."""
        largest = self.largest
        return {
            "seeds": list(self.seeds),
            "mean_mm": None if largest is None else largest.mean_mm,
            "p95_mm": None if largest is None else largest.p95_mm,
            "distances": [{**asdict(one), "seeds": list(one.seeds)} for one in self.distances],
            "failed": {str(seed): reason for seed, reason in self.failures.items()},
            "places": self.places,
            "pixel_mm": self.unit.size_mm if self.unit.name == "px" else None,
        }

    def to_text(self) -> str:
        """One line."""
        failed = f"; failed: {', '.join(map(str, self.failures))}" if self.failures else ""
        apart = "not compared" if self.largest is None else f"at most {self._words()}"
        return f"seeds {', '.join(map(str, self.seeds))}: {apart}{failed}"

    def _words(self) -> str:
        if self.largest is None:
            return ""
        mean, p95 = self.unit.of(self.largest.mean_mm), self.unit.of(self.largest.p95_mm)
        first, second = self.largest.seeds
        return f"{mean:.2f} {self.unit.name} on average, 95% {p95:.2f}, between seeds {first} and {second}"


def compare_seeds(witness: Witness, runs: Sequence[SeedRun], unit: LengthUnit) -> SeedComparison:
    """Compare results at the places of the scene where the first of them, which did not fail, sees the moving image.

    Where these are too few to tell, all places of the scene count.
    """
    looks = {run.seed: witness.look(run.transform) for run in runs if not run.failed}
    seen = looks[runs[0].seed].seen
    at = seen if int(seen.sum()) >= LEAST_PLACES else torch.ones_like(seen)
    places = int(at.sum())
    return SeedComparison(
        tuple(run.seed for run in runs),
        tuple(_distance(pair, looks, at) for pair in combinations(looks, 2)) if places else (),
        {run.seed: run.failed for run in runs if run.failed},
        places,
        witness.scene.extent,
        unit,
    )


def _distance(seeds: tuple[int, int], looks: Mapping[int, Look], at: torch.Tensor) -> SeedDistance:
    apart = torch.linalg.vector_norm(looks[seeds[0]].mapped[at] - looks[seeds[1]].mapped[at], dim=1)
    return SeedDistance(seeds, float(apart.mean()), float(apart.quantile(0.95)))
