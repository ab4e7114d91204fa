"""Mutual information, plain and normalised: functions of a joint distribution, for images of different modalities.

Each takes the joint histogram of `JointHistogramMetric` and gives a number to be minimised and its derivative; see
`Criterion`. The derivatives are the values' exact ones. So are elastix's for cubic moving windows, its default; for
MovingKernelBSplineOrder 1 and 2 its derivative kernels take a signed distance where an absolute one is meant, which
turns the direction round, and there we differ.
"""

import torch

from elastix_impact.typing import Scalar

from .histogram import Histogram, log_or_zero


def minus_mutual_information(joint: Histogram) -> tuple[Scalar, Histogram]:
    """Elastix's AdvancedMattesMutualInformation: minus sum p log(p / (p_fixed p_moving)) in nats.

    Mattes et al., IEEE TMI 22(1), 2003.
    """
    of_margins = log_or_zero(joint.sum(1, keepdim=True)) + log_or_zero(joint.sum(0, keepdim=True))
    ratio = torch.where(joint > 0, of_margins - log_or_zero(joint), 0.0)
    return (joint * ratio).sum(), ratio


def minus_normalized_mutual_information(joint: Histogram) -> tuple[Scalar, Histogram]:
    """Elastix's NormalizedMutualInformation: minus (H(f) + H(m)) / H(f, m), in [-2, -1].

    Studholme et al., Pattern Recognition 32(1), 1999: it depends less than mutual information on how much the images
    overlap. H are the entropies of the joint distribution and its margins; 0 where the joint entropy is 0: no sample,
    or all in one cell.
    """
    log = log_or_zero(joint)
    of_margins = log_or_zero(joint.sum(1, keepdim=True)) + log_or_zero(joint.sum(0, keepdim=True))
    entropy = -(joint * log).sum()
    entropy = torch.where(entropy > 0, entropy, torch.inf)
    value = (joint * of_margins).sum() / entropy
    return value, torch.where(joint > 0, of_margins + value * log, 0.0) / entropy
