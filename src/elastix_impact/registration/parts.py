"""The metric and the sampler of one level, made of its terms.

Terms with equal pyramids share their images, terms with equal samplers on them their points.
"""

from dataclasses import dataclass, replace
from typing import final

import torch

from elastix_impact.metrics.base import AbstractMetric
from elastix_impact.metrics.combine import CombinedMetric, MetricTerm
from elastix_impact.parameters.metric_plan import ImpactPlan, LocalCorrelationPlan, PenaltyPlan
from elastix_impact.parameters.plan import LevelPlan, PyramidLevelPlan, RegistrationPlan, SamplerPlan, TermPlan
from elastix_impact.samplers.base import AbstractSampler
from elastix_impact.samplers.joint import JointSampler

from .build import Images, LevelImages, build_images, build_sampler
from .build_metric import MetricContext, build_metric

Pyramids = tuple[PyramidLevelPlan, PyramidLevelPlan]


@final
@dataclass(frozen=True, eq=False)
class LevelParts:
    """What a level works with.

    Attributes
    ----------
    images
        Those of the first term.
    metric, sampler
        The metric, and the sampler that draws its points.
    metric_anywhere
        The same metric, all of whose terms are evaluated at all points that it is given.
    sampler_everywhere
        As `sampler`, but drawing from the whole mask where `sampler` draws from one region.
    """

    images: LevelImages
    metric: AbstractMetric
    sampler: AbstractSampler
    metric_anywhere: AbstractMetric
    sampler_everywhere: AbstractSampler


def build_parts(
    step: LevelPlan, by_pyramid: dict[Pyramids, LevelImages], device: torch.device, context: MetricContext
) -> LevelParts:
    """The parts of one level, see `LevelParts`, of images from `build_all_images`."""
    drawing = {_sampling(term): term for term in step.terms if uses_samples(term)} or {
        _sampling(step.terms[0]): step.terms[0]
    }

    def samplers(*, everywhere: bool) -> list[AbstractSampler]:
        made = []
        for term in drawing.values():
            seen = by_pyramid[_pyramids(term)]
            sampler = replace(term.sampler, use_random_sample_region=False) if everywhere else term.sampler
            made.append(build_sampler(sampler, seen.fixed.grid, seen.sampling_mask, device))
        return made

    by_region = any(term.sampler.use_random_sample_region for term in drawing.values())
    sampler = _joined(samplers(everywhere=False))
    everywhere = _joined(samplers(everywhere=True)) if by_region else sampler
    rows = dict(zip(drawing, sampler.rows)) if isinstance(sampler, JointSampler) else {}
    metrics = [build_metric(term, by_pyramid[_pyramids(term)], context) for term in step.terms]
    first = by_pyramid[_pyramids(step.terms[0])]
    if len(metrics) == 1:
        return LevelParts(first, metrics[0], sampler, metrics[0], everywhere)

    def combined(*, anywhere: bool) -> CombinedMetric:
        terms = [
            MetricTerm(term.name, metric, term.weight, None if anywhere else rows.get(_sampling(term)))
            for term, metric in zip(step.terms, metrics)
        ]
        return CombinedMetric(terms, use_relative_weights=step.use_relative_weights)

    return LevelParts(first, combined(anywhere=False), sampler, combined(anywhere=True), everywhere)


def draws_anew(step: LevelPlan) -> bool:
    """Whether any term of a level wants new samples at every iteration."""
    return any(uses_samples(term) and term.sampler.new_samples_every_iteration for term in step.terms)


def uses_samples(term: TermPlan) -> bool:
    """Whether a term is evaluated at a sampler's points: landmarks and lattices are not."""
    if isinstance(term.metric, PenaltyPlan):
        return term.metric.uses_samples
    if isinstance(term.metric, ImpactPlan):
        return not term.metric.lattice_spacing
    return not isinstance(term.metric, LocalCorrelationPlan)


def build_all_images(
    plan: RegistrationPlan, level: int, images: Images, device: torch.device
) -> dict[Pyramids, LevelImages]:
    """The images of all terms of a level, by their pyramids."""
    found: dict[Pyramids, LevelImages] = {}
    for term in plan.levels[level].terms:
        if _pyramids(term) not in found:
            later = [step for finer in plan.levels[level:] for step in finer.terms if step.name == term.name]
            found[_pyramids(term)] = build_images(plan.levels[level], later, images, device)
    return found


def _pyramids(term: TermPlan) -> Pyramids:
    return term.fixed_pyramid, term.moving_pyramid


def _sampling(term: TermPlan) -> tuple[Pyramids, SamplerPlan]:
    return _pyramids(term), term.sampler


def _joined(samplers: list[AbstractSampler]) -> AbstractSampler:
    return samplers[0] if len(samplers) == 1 else JointSampler(samplers)
