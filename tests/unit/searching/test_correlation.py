import pytest
import torch

from elastix_impact.searching.correlation import NOWHERE, FixedSpectrum, masked_features, wide_enough


def direct(fixed: torch.Tensor, moving: torch.Tensor, shift: tuple[int, ...]) -> tuple[float, int]:
    """The correlation of features that were seen by both where fixed voxel i meets moving voxel i + shift, summed."""
    dot = energy = other_energy = 0.0
    count = 0
    for place in torch.cartesian_prod(*[torch.arange(n) for n in fixed.shape[1:]]).tolist():
        there = [i + s for i, s in zip(place, shift)]
        if all(0 <= t < n for t, n in zip(there, moving.shape[1:])):
            one, other = fixed[(slice(None), *place)], moving[(slice(None), *there)]
            if one[-1] > 0 and other[-1] > 0:
                count += 1
                dot += float(one[:-2] @ other[:-2])
                energy, other_energy = energy + float(one[-2]), other_energy + float(other[-2])
    return (dot / (energy * other_energy) ** 0.5 if count else 0.0), count


@pytest.mark.parametrize(("size", "moving_size"), [((6, 5), (4, 7)), ((5, 4, 4), (3, 5, 4))])
def test_every_shift_is_the_direct_sum(size: tuple[int, ...], moving_size: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(3)
    features, others = torch.rand(1, 3, *size, generator=generator), torch.rand(1, 3, *moving_size, generator=generator)
    seen, others_seen = (torch.rand(1, *s, generator=generator) > 0.3 for s in (size, moving_size))
    fixed, moving = masked_features(features, seen.float()), masked_features(others, others_seen.float())
    shape = wide_enough(size, moving_size, 0.2)
    values = FixedSpectrum.of(fixed[0], shape).correlations(moving, 0.2)[0]
    smaller = min(int(seen.sum()), int(others_seen.sum()))
    checked = 0
    for shift in torch.cartesian_prod(*[torch.arange(-m + 1, n) for n, m in zip(moving_size, size)]).tolist():
        expected, count = direct(fixed[0], moving[0], tuple(shift))
        if count >= 0.2 * smaller:
            expected *= (count / smaller) ** 0.5
            assert float(values[tuple(shift)]) == pytest.approx(expected, abs=2e-4)
            checked += 1
    assert checked > 10


def test_too_little_overlap_counts_as_nowhere() -> None:
    whole = masked_features(torch.rand(1, 2, 6, 6, generator=torch.Generator().manual_seed(1)), torch.ones(1, 6, 6))
    values = FixedSpectrum.of(whole[0], wide_enough((6, 6), (6, 6), 0.5)).correlations(whole, 0.5)[0]
    assert float(values[0, 0]) == pytest.approx(1.0, abs=1e-5)
    assert float(values[3, 0]) > NOWHERE
    assert float(values[4, 0]) == NOWHERE
    assert float(values[3, 3]) == NOWHERE
