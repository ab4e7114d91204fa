"""The forecast of a run: its phases in order, each from what is held when it begins and what it takes beside that."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import torch

from elastix_impact.io.system_memory import FreeMemory
from elastix_impact.parameters.plan import (
    HandedOnPlan,
    LinearTransformPlan,
    RegistrationPlan,
    SplineTransformPlan,
    StagePlan,
)

from . import ends
from .costs import FindModel, ModelCosts
from .forecast import Forecast, Phase
from .level import LevelAmount, level_amount
from .machine import process_bytes, slowness
from .pair import PairSizes
from .search import SECONDS, search_bytes

SMALLER_IMAGES = "Crop the images to the region of interest, or resample them to larger voxels"
COARSER_FEATURES = (
    "Make ImpactVoxelSize larger, select fewer layers, set ImpactPCA to 8, or tile with (ImpactPatchSize0 64 64 64)"
)
COARSER_LATTICE = "Make LocalCorrelationVoxelSize or ImpactLatticeSpacing larger, or take fewer samples"
FEWER_LABELS = "Leave out the labels, or measure them afterwards with `elastix-impact evaluate`"


@final
@dataclass(frozen=True, eq=False)
class ForecastRequest:
    """What a forecast is made for.

    Attributes
    ----------
    stages, finders, devices
        One of each per stage.
    has_initial
        Whether an initial transform is given.
    evaluation
        Whether the result is measured.
    room
        By device, what is free; see `room_for`.
    """

    stages: Sequence[StagePlan]
    finders: Sequence[FindModel]
    devices: Sequence[torch.device]
    pair: PairSizes
    has_initial: bool = False
    evaluation: bool = True
    room: Mapping[str, FreeMemory] = field(default_factory=dict)


def forecast(request: ForecastRequest) -> Forecast:
    """The forecast of a run; models are tried out on a small image each, no voxel is read."""
    pair, notes = request.pair, dict[str, None]()
    maker = _Phases(pair)
    maker.add("reading", pair.reading_bytes, ends.START_SECONDS + ends.READING_SECONDS * _voxels(pair), SMALLER_IMAGES)
    maker.held = pair.held_bytes
    for number, (plan, find, device) in enumerate(zip(request.stages, request.finders, request.devices)):
        if isinstance(plan, HandedOnPlan):
            notes[f"stage {number} runs in itk-elastix and is not counted"] = None
            continue
        costs = ModelCosts(find, device, _room(request, device), notes)
        maker.stage(number, plan, costs, searched=number == 0 and not request.has_initial)
        if request.evaluation:
            deformable = any(isinstance(one, RegistrationPlan) and isinstance(one.transform, SplineTransformPlan)
                             for one in request.stages[: number + 1])  # fmt: skip
            maker.held = pair.held_bytes + ends.moved_label_bytes(pair)
            amount = ends.evaluation_bytes(pair, deformable=deformable)
            remedy = FEWER_LABELS if pair.fixed_labels else SMALLER_IMAGES
            maker.add(f"stage {number}: evaluation", amount, ends.evaluation_seconds(pair), remedy)
    seconds = ends.VERDICT_SECONDS + ends.SCENE_SECONDS * _voxels(pair)
    maker.add("verdict", ends.verdict_bytes(pair), seconds, SMALLER_IMAGES)
    return Forecast(tuple(maker.phases), tuple(notes))


def _room(request: ForecastRequest, device: torch.device) -> float:
    """Bytes that a pass of a model may take beside what is held."""
    free = request.room.get(str(device))
    if free is None:
        return math.inf
    return max(0.0, free.bytes - (process_bytes(request.pair.held_bytes) if device.type == "cpu" else 0))


def _voxels(pair: PairSizes) -> int:
    return pair.fixed.voxels + pair.moving.voxels


@final
class _Phases:
    """Collects phases; `held` is what the process holds between them."""

    def __init__(self, pair: PairSizes) -> None:
        self.phases: list[Phase] = []
        self.held = 0.0
        self._pair, self._cpu = pair, torch.device("cpu")

    def add(
        self,
        name: str,
        beside: float,
        seconds: float,
        remedy: str,
        device: torch.device | None = None,
        own: float = 0.0,
    ) -> None:
        """A phase that takes `beside` beside what is held, on a GPU beside its `own`."""
        device = device or self._cpu
        on_cpu = device.type == "cpu"
        amount = process_bytes(self.held + own + beside) if on_cpu else int(own + beside)
        self.phases.append(Phase(name, str(device), amount, seconds * slowness(device), remedy))

    def stage(self, number: int, plan: RegistrationPlan, costs: ModelCosts, *, searched: bool) -> None:
        """The phases of a stage, from its search to its result image."""
        pair, name, device = self._pair, f"stage {number}", costs.device
        if any(level.sample_where_both_see for level in plan.levels):
            self.add(f"{name}: fields of view", ends.SEEN_BYTES * max(pair.fixed.voxels, pair.moving.voxels),
                     ends.SCENE_SECONDS * _voxels(pair), SMALLER_IMAGES)  # fmt: skip
            self.held += _voxels(pair)  # a flag per voxel
        linear = plan.transform
        if searched and isinstance(linear, LinearTransformPlan) and linear.search is not None:
            amount = search_bytes(linear.search, pair.fixed.grid, pair.moving.grid)
            self.add(f"{name}: search", amount, SECONDS[pair.dimension], "Make SearchVoxelSize larger")
        for level in range(plan.number_of_levels):
            self._level(f"{name}, level {level}", level_amount(plan, level, pair, costs), device)
        if plan.output.write_result_image:
            order = plan.output.resample_interpolation_order
            self.add(f"{name}: result image", ends.result_bytes(pair, order), ends.RESULT_SECONDS * pair.fixed.voxels,
                     SMALLER_IMAGES, device)  # fmt: skip

    def _level(self, name: str, amount: LevelAmount, device: torch.device) -> None:
        remedy = COARSER_FEATURES if amount.has_models else SMALLER_IMAGES
        self.add(f"{name}: features", amount.features, amount.features_seconds, remedy, device, amount.held)
        if amount.estimation_seconds:
            self.add(f"{name}: estimation", amount.estimation, amount.estimation_seconds,
                     "Make NumberOfSamplesForExactGradient smaller", device, amount.held)  # fmt: skip
        self.add(f"{name}: loop", amount.loop, amount.loop_seconds, COARSER_LATTICE, device, amount.held)
