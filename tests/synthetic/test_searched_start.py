"""A registration whose images lie a turn of 170 degrees and 160 mm apart: by a map, and interrupted."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from elastix_impact.geometry.image import Image
from elastix_impact.io.warning import InputWarning
from elastix_impact.parameters.resolve import plan_or_raise
from elastix_impact.parameters.text import parse_parameter_text
from elastix_impact.registration import start
from elastix_impact.registration.observe import NullObserver
from elastix_impact.registration.register import register
from elastix_impact.registration.result import IterationRecord, RegistrationResult
from elastix_impact.registration.state import RegistrationState
from elastix_impact.searching.rotations import from_vectors
from elastix_impact.transforms.base import AbstractTransform
from search_scenes import blob, image, noisy, turned

SIZE = (28, 32, 26)
TURN, SHIFT = (100.0, 120.0, -68.0), (150.0, -40.0, 12.0)
KINDS = ("EulerTransform", "SimilarityTransform", "AffineTransform", "AffineLogTransform")
MAP = """
(FixedImageDimension 3) (MovingImageDimension 3) (NumberOfResolutions 1)
(FixedImagePyramid "FixedSmoothingImagePyramid") (MovingImagePyramid "MovingSmoothingImagePyramid")
(ImagePyramidSchedule 1 1 1) (Interpolator "LinearInterpolator") (ImageSampler "RandomCoordinate")
(NewSamplesEveryIteration "true") (NumberOfSpatialSamples 500) (AutomaticScalesEstimation "true")
(Optimizer "AdaptiveStochasticGradientDescent") (MaximumNumberOfIterations 30) (MaximumStepLength 0.2)
(Metric "AdvancedMattesMutualInformation") (RandomSeed 1) (SampleWhereBothSee "true")
(AutomaticTransformInitialization "true") (AutomaticTransformInitializationMethod "FeatureSearch")
(SearchVoxelSize 4) (SearchRotations 72) (SearchCandidates 3)
""".replace(") (", ")\n(")


@pytest.fixture(scope="module")
def images() -> tuple[Image, Image]:
    return image(noisy(blob(SIZE), 1)), turned(image(noisy(1 - blob(SIZE), 2)), TURN, SHIFT)


def _register(images: tuple[Image, Image], kind: str, **further: object) -> RegistrationResult:
    plan = plan_or_raise(parse_parameter_text(MAP + f'(Transform "{kind}")\n', "map.txt"), dimension=3)
    return register(plan, *images, find_model=_no_model, device=torch.device("cpu"), **further)  # type: ignore[arg-type]


def _no_model(name: str, dimension: int) -> None:
    raise AssertionError(name)


def _error(images: tuple[Image, Image], transform: AbstractTransform) -> float:
    """The largest error in mm over the middle of the fixed image."""
    rotation = from_vectors(torch.tensor([TURN], dtype=torch.float64).deg2rad())[0]
    places = images[0].grid.world_points()[::97] * 0.7
    truth = places @ rotation.T + torch.tensor(SHIFT, dtype=torch.float64)
    return float((transform.map_points(places) - truth).norm(dim=1).max())


@pytest.mark.parametrize("kind", KINDS[:2])
def test_a_map_finds_the_turned_image(images: tuple[Image, Image], kind: str) -> None:
    result = _register(images, kind)
    assert _error(images, result.transform) < 2.0
    assert result.search is not None
    assert result.search.word == "unique"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_starts_at_the_pose(
    images: tuple[Image, Image], kind: str, found_once: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search is made once; each kind turns its pose into its own parameters."""
    monkeypatch.setattr(start, "search", lambda *_: found_once["start"])
    plan = plan_or_raise(parse_parameter_text(MAP + f'(Transform "{kind}")\n', "map.txt"), dimension=3)
    current, report = start.starting_transform(plan, (*images, None, None), None)
    assert _error(images, current) < 3.0
    assert report is found_once["start"].report


@pytest.fixture(scope="module")
def found_once(images: tuple[Image, Image]) -> dict:
    plan = plan_or_raise(parse_parameter_text(MAP + '(Transform "EulerTransform")\n', "map.txt"), dimension=3)
    kept: dict = {}
    original = start.search

    def search(*arguments: object) -> object:
        kept["start"] = original(*arguments)  # type: ignore[arg-type]
        return kept["start"]

    start.search = search  # type: ignore[assignment]
    try:
        start.starting_transform(plan, (*images, None, None), None)
    finally:
        start.search = original
    return kept


class _Interrupts(NullObserver):
    """Stops the process, as Ctrl-C does, at the first rows."""

    def on_iterations(self, level: int, rows: Sequence[IterationRecord], transform: AbstractTransform) -> bool:
        raise KeyboardInterrupt


class _Keeps:
    def __init__(self) -> None:
        self.state: RegistrationState | None = None

    def is_due(self) -> bool:
        return False

    def keep(self, state: RegistrationState) -> None:
        self.state = RegistrationState.restored(state.saved())


def test_a_continued_run_searches_nothing_and_ends_the_same(
    images: tuple[Image, Image], found_once: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "search", lambda *_: found_once["start"])
    whole, keeper = _register(images, "EulerTransform"), _Keeps()
    with pytest.raises(KeyboardInterrupt):
        _register(images, "EulerTransform", observers=[_Interrupts()], keeper=keeper)
    monkeypatch.setattr(start, "search", _no_model)
    continued = _register(images, "EulerTransform", resume_from=keeper.state)
    assert torch.equal(continued.current.parameters, whole.current.parameters)
    assert continued.search == whole.search is not None


def test_an_ambiguous_start_away_from_the_headers_is_warned_of(
    images: tuple[Image, Image], found_once: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = found_once["start"]
    unsure = replace(found.report, word="ambiguous", runner_up=found.report.start, lead=0.01)
    monkeypatch.setattr(start, "search", lambda *_: replace(found, report=unsure))
    with pytest.warns(InputWarning, match="Ambiguous"):
        _register(images, "EulerTransform")
