"""The models of a stage: which files they are and what a pass of each costs."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import torch

from elastix_impact.errors import ElastixImpactError
from elastix_impact.parameters.metric_plan import ModelPlan
from elastix_impact.zoo.cost import ModelCost, model_cost
from elastix_impact.zoo.load import load_model

FindModel = Callable[[str, int], Path]
"""Turns a model's path as the map writes it, and the model's dimension, into an existing file."""


@final
@dataclass(frozen=True, eq=False)
class ModelCosts:
    """Tries models out, on the device on which they will run.

    Attributes
    ----------
    room
        Bytes that a pass of a model may take; more is taken in tiles.
    notes
        Collects sentences about what was found.
    """

    find_model: FindModel
    device: torch.device
    room: float = math.inf
    notes: dict[str, None] = field(default_factory=dict)

    def of(self, plan: ModelPlan, *, mixed_precision: bool) -> ModelCost | None:
        """What a model costs; None if it can't be tried, which the run itself will tell."""
        try:
            model = load_model(self.find_model(plan.path, plan.dimension), self.device, mixed_precision=mixed_precision)
            return model_cost(model, plan.dimension, plan.channels, plan.layers_mask)
        except ElastixImpactError:
            self.notes[f"{plan.path} could not be tried: its memory and time are not counted"] = None
            return None
