"""Poses made exact by normalised mutual information, which no contrast disturbs."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from elastix_impact.geometry.image import Image
from elastix_impact.metrics.histogram import HistogramSettings
from elastix_impact.metrics.joint_histogram import JointHistogramMetric
from elastix_impact.metrics.mutual_information import minus_normalized_mutual_information
from elastix_impact.transforms.affine import AffineTransform
from elastix_impact.transforms.composite import CompositeTransform
from elastix_impact.transforms.euler import EulerTransform

from .coarse import LEAST_SEEN, Coarse
from .pose import Poses

BINS = 32


def refined(poses: Poses, fixed: Coarse, moving: Coarse, most_places: int, iterations: int) -> Poses:
    """Each of `poses` after `iterations` steps of a quasi-Newton method; the score is the information it reached."""
    metric = _metric(fixed, moving)
    places = _places(fixed, most_places)
    found = [_refined(poses.at(torch.tensor([k])), metric, places, iterations, fixed) for k in range(len(poses))]
    first = found[0]
    for one in found[1:]:
        first = first.then(one)
    return first


def _refined(pose: Poses, metric: JointHistogramMetric, places: Tensor, iterations: int, fixed: Coarse) -> Poses:
    from scipy.optimize import minimize

    dimension = len(pose.centre)
    base = AffineTransform(torch.cat([pose.rotations[0].flatten(), pose.translations[0]]), tuple(pose.centre.tolist()))
    about = tuple((pose.centre + pose.translations[0]).tolist())
    turns = 3 if dimension == 3 else 1
    radius = 0.35 * float(torch.tensor(fixed.grid.extent).norm()) / 1.7
    scale = torch.tensor([1 / radius] * turns + [1.0] * dimension, dtype=torch.float64)
    base32 = base.to(torch.float32)

    def value(numbers: np.ndarray) -> tuple[float, np.ndarray]:
        parameters = torch.from_numpy(numbers).requires_grad_()
        step = EulerTransform((parameters * scale).float(), about)
        result = metric.evaluate(CompositeTransform(base32, step), places).value
        result.backward()
        assert parameters.grad is not None
        return float(result.detach()), parameters.grad.numpy()

    end = minimize(
        value, np.zeros(turns + dimension), jac=True, method="L-BFGS-B", options={"maxiter": iterations, "maxls": 8}
    )
    step = EulerTransform(torch.from_numpy(end.x) * scale, about)
    matrix, move = step.matrix_and_translation(step.parameters)
    return Poses(
        (matrix @ pose.rotations[0]).unsqueeze(0),
        (pose.translations[0] + move).unsqueeze(0),
        pose.centre,
        torch.tensor([-float(end.fun)], dtype=torch.float64),
    )


def _metric(fixed: Coarse, moving: Coarse) -> JointHistogramMetric:
    one, other = Image(fixed.values[0], fixed.grid), Image(moving.values[0], moving.grid)
    seen = Image(moving.values[1] >= LEAST_SEEN, moving.grid)
    return JointHistogramMetric(
        one,
        other,
        seen,
        fixed_mask=None,
        criterion=minus_normalized_mutual_information,
        settings=HistogramSettings(fixed_bins=BINS, moving_bins=BINS),
    )


def _places(fixed: Coarse, most: int) -> Float[Tensor, "N D"]:
    """At most so many of the places that the fixed image saw, evenly taken."""
    seen = (fixed.values[1] >= LEAST_SEEN).flatten().nonzero()[:, 0]
    step = -(-len(seen) // most)
    return fixed.grid.world_points()[seen[::step]].float()
