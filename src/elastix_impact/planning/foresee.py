"""The forecast of a case and the room for it: what a run and `check --plan` share."""

from collections.abc import Sequence

import torch

from elastix_impact.io.system_memory import FreeMemory, free_memory_of_system, memory_of_process
from elastix_impact.parameters.plan import RegistrationPlan, StagePlan
from elastix_impact.zoo.memory import free_memory

from .costs import FindModel
from .forecast import Forecast
from .pair import PairSizes
from .run import ForecastRequest, forecast


def foresee(
    pair: PairSizes,
    stages: Sequence[StagePlan],
    finders: Sequence[FindModel],
    devices: Sequence[torch.device],
    *,
    initial: bool,
    evaluation: bool,
) -> tuple[Forecast, dict[str, FreeMemory]]:
    """The forecast, and the room that there is for it, see `room_for`.

    Parameters
    ----------
    stages, finders, devices
        Of each stage.
    initial, evaluation
        Whether an initial transform is given beside the maps, and whether the result is measured.
    """
    first, room = stages[0], room_for(devices)
    named = isinstance(first, RegistrationPlan) and first.initial_transform is not None
    return forecast(ForecastRequest(stages, finders, devices, pair, initial or named, evaluation, room)), room


def room_for(devices: Sequence[torch.device]) -> dict[str, FreeMemory]:
    """By device, the memory that this process can have in all; devices that don't tell are left out.

    On the CPU that is what it has and what is free; on a GPU what is free.
    """
    found: dict[str, FreeMemory] = {}
    free, own = free_memory_of_system(), memory_of_process()
    if free is not None and own is not None:
        found["cpu"] = FreeMemory(free.bytes + own[0], free.limit)
    for device in devices:
        on_gpu = None if device.type == "cpu" else free_memory(device)
        if on_gpu is not None:
            found[str(device)] = FreeMemory(on_gpu, "free")
    return found
