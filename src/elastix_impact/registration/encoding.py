"""States as plain values that a file can hold, and back: tensors, numbers, texts, lists and dictionaries.

Only the kinds listed here are made again, each by its own constructor, so that a file can't name anything else.
"""

import dataclasses
from enum import Enum
from typing import Any

import torch
from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.metrics.base import MetricValue
from elastix_impact.optimizers.adam import AdamState
from elastix_impact.optimizers.asgd import AsgdState
from elastix_impact.optimizers.base import Evaluation, LineSearchReport
from elastix_impact.optimizers.gradient_descent import GradientDescentState
from elastix_impact.optimizers.lbfgs import LbfgsState
from elastix_impact.optimizers.regular_step import RegularStepState
from elastix_impact.optimizers.wolfe import LineSearch, LineSearchEnd, Trial
from elastix_impact.searching.report import FoundPose, SearchReport
from elastix_impact.transforms.affine import AffineLogTransform, AffineTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.composite import CompositeTransform
from elastix_impact.transforms.displacement_field import DisplacementFieldTransform
from elastix_impact.transforms.euler import EulerTransform
from elastix_impact.transforms.similarity import SimilarityTransform
from elastix_impact.transforms.translation import TranslationTransform

from .result import IterationRecord, LevelRecord, StopReason
from .stepping import LineSearchState

KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        AdamState, AsgdState, GradientDescentState, LbfgsState, RegularStepState, LineSearchState,
        Evaluation, LineSearchReport, LineSearch, Trial, MetricValue,
        IterationRecord, LevelRecord, SearchReport, FoundPose,
        Grid, AffineLogTransform, AffineTransform, BSplineTransform, CompositeTransform,
        DisplacementFieldTransform, EulerTransform, SimilarityTransform, TranslationTransform,
    )
}  # fmt: skip
"""Records that a state may hold, by name."""

ENUMS: dict[str, type[Enum]] = {kind.__name__: kind for kind in (LineSearchEnd, StopReason)}


def encode(value: Any) -> Any:
    """The value in plain types, tensors copied to the CPU.

    Raises
    ------
    TypeError
        If it holds a kind that is not listed: it could not be made again.
    """
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Tensor():
            return value.detach().cpu().clone()
        case Enum() if type(value).__name__ in ENUMS:
            return {"enum": type(value).__name__, "name": value.name}
        case dict():
            return {"dict": [[key, encode(item)] for key, item in value.items()]}
        case list():
            return [encode(item) for item in value]
    if type(value).__name__ in KINDS:
        fields = {name: encode(getattr(value, name)) for name in _names_of(type(value))}
        return {"kind": type(value).__name__, "fields": fields}
    if isinstance(value, tuple):
        return {"tuple": [encode(item) for item in value]}
    raise TypeError(f"a state can't hold a {type(value).__name__}")


def _names_of(kind: Any) -> tuple[str, ...]:
    """The fields of a named tuple or a dataclass."""
    return tuple(field.name for field in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else kind._fields


def decode(value: Any, device: torch.device) -> Any:
    """What `encode` was given, its tensors on `device`."""
    match value:
        case Tensor():
            return value.to(device)
        case list():
            return [decode(item, device) for item in value]
        case {"tuple": items}:
            return tuple(decode(item, device) for item in items)
        case {"dict": pairs}:
            return {key: decode(item, device) for key, item in pairs}
        case {"enum": kind, "name": name}:
            return ENUMS[kind][name]
        case {"kind": kind, "fields": fields}:
            return KINDS[kind](**{name: decode(item, device) for name, item in fields.items()})
        case _:
            return value
