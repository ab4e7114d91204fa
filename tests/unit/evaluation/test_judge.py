"""A judge of several transforms says what single evaluations say, and measures what stays the same once."""

import pytest
import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.judging import evaluate as module
from elastix_impact.judging.evaluate import Judge, Judged, evaluate
from elastix_impact.transforms.translation import TranslationTransform

GRID = Grid.axis_aligned((20, 18, 16), (2.0, 2.0, 3.0), (-10.0, 5.0, 0.0))


def _shift(x: float) -> TranslationTransform:
    return TranslationTransform(torch.tensor([x, 0.0, 0.0], dtype=torch.float64))


@pytest.fixture
def pair() -> Judged:
    generator = torch.Generator().manual_seed(5)
    volumes = [torch.rand(GRID.shape, generator=generator) for _ in range(2)]
    labels = [(volume * 3).long() for volume in volumes]
    points = torch.rand(6, 3, generator=generator).double() * 20
    return Judged(
        None, initial=_shift(1.0), fixed=Image(volumes[0], GRID), moving=Image(volumes[1], GRID),
        landmarks=(points, points + 2), labels=(Image(labels[0], GRID), Image(labels[1], GRID)),
    )  # fmt: skip


def test_it_says_what_single_evaluations_say(pair: Judged) -> None:
    judge = Judge(pair)
    for x in (0.0, 2.0, 5.0):
        alone = Judged(**{name: getattr(pair, name) for name in Judged.__dataclass_fields__} | {"transform": _shift(x)})
        both = [judge.evaluate(_shift(x)).to_json(), evaluate(alone).to_json()]
        for one in both:
            del one["seconds"]
        assert both[0] == both[1]
        assert list(both[0]["labels"]) == list(both[0]["landmarks_mm"]) == ["before", "initial", "after"]
    assert set(judge.evaluate(None).to_json()["labels"]) == {"before", "initial"}


def test_what_does_not_change_is_measured_once(pair: Judged, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three transforms: the labels are moved five times (before, initial, three), not nine times."""
    moved: list[object] = []
    real = module.resample_labels
    monkeypatch.setattr(module, "resample_labels", lambda *words: moved.append(words[1]) or real(*words))
    judge = Judge(pair)
    last = [_shift(x) for x in (0.0, 2.0, 5.0)]
    for transform in last:
        judge.evaluate(transform)
    assert len(moved) == 5
    labels = judge.moved_labels(last[-1])
    assert len(moved) == 5
    assert torch.equal(labels, real(pair.labels[1], last[-1], GRID, 0.0))
