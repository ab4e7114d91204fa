"""Distances between feature vectors, smaller = more alike. Boussot et al., arXiv 2503.24121.

Every distance takes fixed and moving features (N, C), the samples' weights (N,) (1 = counts, 0 = outside)
and their sum `count`, and returns a scalar. Norms are guarded against 0/0, with gradient 0 there.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from elastix_impact.typing import Features, Scalar, Weights1

DistanceFunction = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]

L1_COSINE_DECAY = 0.1
"""Decay of the L1Cosine distance per unit of feature difference."""

LEAST_SHRINKAGE = 0.001
"""Share of the identity in the correlations of GaussianMI with any number of samples: single precision needs it."""

PRIOR_SAMPLES_PER_CHANNEL = 0.1
"""Samples without any correlation, per channel of both images, that GaussianMI adds to the real ones."""

ROUNDING = 16
"""Rounding errors of its mean by which a channel must vary to have a correlation."""


def _mean_over_samples(per_sample: Tensor, weights: Tensor, count: Tensor) -> Tensor:
    return torch.dot(per_sample, weights) / count


def l1(fixed: Features, moving: Features, weights: Weights1, count: Scalar) -> Scalar:
    """Mean absolute difference over channels, averaged over samples."""
    return _mean_over_samples((fixed - moving).abs().mean(1), weights, count)


def l2(fixed: Features, moving: Features, weights: Weights1, count: Scalar) -> Scalar:
    """Mean squared difference over channels, averaged over samples."""
    return _mean_over_samples((fixed - moving).square().mean(1), weights, count)


def _cosine_per_sample(fixed: Tensor, moving: Tensor) -> Tensor:
    lengths = torch.linalg.vector_norm(fixed, dim=1) * torch.linalg.vector_norm(moving, dim=1)
    defined = lengths > 0
    return torch.where(defined, (fixed * moving).sum(1) / torch.where(defined, lengths, 1.0), 0.0)


def cosine(fixed: Features, moving: Features, weights: Weights1, count: Scalar) -> Scalar:
    """Minus the cosine of the angle between the feature vectors, averaged over samples."""
    return -_mean_over_samples(_cosine_per_sample(fixed, moving), weights, count)


def l1_cosine(fixed: Features, moving: Features, weights: Weights1, count: Scalar) -> Scalar:
    """Minus the cosine, damped per channel by exp(-0.1 |difference|), averaged over samples."""
    damping = torch.exp(-L1_COSINE_DECAY * (fixed - moving).abs()).mean(1)
    return -_mean_over_samples(_cosine_per_sample(fixed, moving) * damping, weights, count)


def dice(fixed: Features, moving: Features, weights: Weights1, count: Scalar) -> Scalar:
    """Minus the soft Dice overlap over channels, averaged over samples; 1 where both are empty."""
    total = (fixed + moving).sum(1)
    empty = total == 0
    overlap = 2 * (fixed * moving).sum(1) / torch.where(empty, 1.0, total)
    return -_mean_over_samples(torch.where(empty, 1.0, overlap), weights, count)


def ncc(fixed: Features, moving: Features, weights: Weights1, count: Scalar) -> Scalar:
    """Minus the correlation over all samples of each channel, averaged over channels."""
    column = weights.unsqueeze(1)
    fixed = (fixed - (fixed * column).sum(0) / count) * column
    moving = (moving - (moving * column).sum(0) / count) * column
    spread = fixed.square().sum(0) * moving.square().sum(0)
    defined = spread > 0
    root = torch.where(defined, spread, 1.0).sqrt()
    return -torch.where(defined, (fixed * moving).sum(0) / root, 0.0).mean()


def dot_product(fixed: Features, moving: Features, weights: Weights1, count: Scalar) -> Scalar:
    """Minus the inner product of the feature vectors, averaged over samples."""
    return -_mean_over_samples((fixed * moving).sum(1), weights, count)


def gaussian_mutual_information(fixed: Features, moving: Features, weights: Weights1, count: Scalar) -> Scalar:
    """Minus the mutual information, in nats, of the two feature vectors if they were jointly Gaussian.

    The correlations are shrunk towards the identity the more, the fewer samples there are for the channels.
    """
    prior = PRIOR_SAMPLES_PER_CHANNEL * (fixed.shape[1] + moving.shape[1])
    return -gaussian_information(fixed, moving, weights, count, (prior / (prior + count)).clamp_min(LEAST_SHRINKAGE))


def gaussian_information(
    fixed: Features, moving: Features, weights: Weights1, count: Scalar, shrinkage: Scalar
) -> Scalar:
    """(log det F + log det M - log det J) / 2 of the correlations over the samples, shrunk.

    F are those of the fixed channels, M of the moving ones, J of both together. Shrunk by a share s of the identity
    they are those of channels of whose variance s is independent noise: invertible with fewer samples than channels
    too, and no channel tells more than -log(1 - (1 - s)^2) / 2. A constant channel tells nothing.
    """
    both = torch.cat((_standardised(fixed, weights, count), _standardised(moving, weights, count)), 1)
    correlation = (both * weights.unsqueeze(1)).T @ both / count
    joint = torch.lerp(correlation, torch.eye(both.shape[1], dtype=both.dtype, device=both.device), shrinkage)
    first = fixed.shape[1]
    # The joint factor's leading block is the factor of F, so its other rows make log det J - log det F.
    return _half_log_determinant(joint[first:, first:]) - _half_log_determinant(joint, first)


def _standardised(features: Tensor, weights: Tensor, count: Tensor) -> Tensor:
    """Channels (N, C) with mean 0 and variance 1; 0 where a channel is constant up to rounding."""
    column = weights.unsqueeze(1)
    mean = (features * column).sum(0) / count
    centred = features - mean
    variance = (centred.square() * column).sum(0) / count
    varies = variance > (ROUNDING * torch.finfo(features.dtype).eps * mean).square()
    return torch.where(varies, centred / torch.where(varies, variance, 1.0).sqrt(), 0.0)


def _half_log_determinant(matrix: Tensor, start: int = 0) -> Tensor:
    """Half the logarithm of a positive definite matrix's determinant over that of its first `start` rows and columns.

    The Cholesky factor is not checked: that would wait for a GPU.
    """
    return torch.linalg.cholesky_ex(matrix).L.diagonal()[start:].log().sum()


DISTANCES: dict[str, DistanceFunction] = {
    "L1": l1,
    "L2": l2,
    "Cosine": cosine,
    "L1Cosine": l1_cosine,
    "Dice": dice,
    "NCC": ncc,
    "DotProduct": dot_product,
    "GaussianMI": gaussian_mutual_information,
}
"""The distances by the names that `ImpactDistance` uses."""

NORMALISED = frozenset({"L1", "L2"})
"""Distances that are divided by their own first value of the level, so that layer weights compare."""
