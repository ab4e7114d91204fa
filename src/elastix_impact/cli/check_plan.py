"""`elastix-impact check --plan`: what a run of these maps on these images would take, before it is run."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .common import model_trial, positive, trusted_models
from .failures import say_warning

if TYPE_CHECKING:
    from collections.abc import Mapping

    from elastix_impact.io.system_memory import FreeMemory
    from elastix_impact.planning.forecast import Forecast

NEEDED = ("fixed", "moving")


def add_plan_options(parser: argparse.ArgumentParser) -> None:
    """Add --plan and the images that it is made for."""
    group = parser.add_argument_group(
        "forecast",
        "memory and time of each phase of a run of these maps, one stage after the other, from headers alone",
    )
    add = group.add_argument
    add("--plan", action="store_true", help="print it; exit code 2 if a phase can't fit into free memory")
    add("-f", "--fixed", type=Path, metavar="IMAGE", help="fixed image")
    add("-m", "--moving", type=Path, metavar="IMAGE", help="moving image")
    for name in ("fixed-mask", "moving-mask", "fixed-labels", "moving-labels"):
        add(f"--{name}", type=Path, metavar="IMAGE", help="if the run will have it")
    add("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps (default: the map's ImpactGPU)")
    add("--threads", type=positive, metavar="N", help="CPU threads of the run")


def plan_of(arguments: argparse.Namespace) -> "tuple[Forecast, Mapping[str, FreeMemory]]":
    """The forecast that was asked for, and the room for it; raises ElastixImpactError if maps or headers are faulty."""
    import torch

    from elastix_impact.parameters.plan import HandedOnPlan
    from elastix_impact.planning.foresee import foresee
    from elastix_impact.planning.pair import PairSizes
    from elastix_impact.runs.device import choose_device, choose_threads, torch_settings
    from elastix_impact.runs.plans import plan_case, resolve_for
    from elastix_impact.zoo.trust import trusting

    plan = plan_case(tuple(arguments.maps), None, arguments.data)
    devices = [
        torch.device("cpu") if isinstance(stage, HandedOnPlan) else choose_device(arguments.device, stage)[0]
        for stage in plan.stages
    ]
    roles = ("fixed", "moving", "fixed_mask", "moving_mask", "fixed_labels", "moving_labels")
    named = {role: getattr(arguments, role) for role in roles}
    files = {
        f"{role} image" if role in NEEDED else role.replace("_", " "): path for role, path in named.items() if path
    }
    pair = PairSizes.of(files)
    resolved = resolve_for(plan, pair.dimension)
    with (
        trusting(trusted_models(arguments)),
        model_trial(arguments.model_timeout),
        torch_settings(choose_threads(arguments.threads), devices[0]),
    ):
        return foresee(pair, resolved.stages, plan.finders, devices, initial=False, evaluation=True)


def plan_text(forecast: "Forecast", room: "Mapping[str, FreeMemory]") -> str:
    """The table, and what there is, without the last line end."""
    from elastix_impact.io.system_memory import GIB

    there = [
        f"memory of {device} that the run can have: {free.bytes / GIB:.2f} GiB {free.limit}"
        for device, free in room.items()
    ]
    return "\n".join([forecast.to_text(), *there])


def plan_json(forecast: "Forecast", room: "Mapping[str, FreeMemory]") -> dict[str, Any]:
    """The same for programs: bytes and seconds."""
    return {"forecast": forecast.to_json(), "room": {device: asdict(free) for device, free in room.items()}}


def refuse_what_cannot_fit(forecast: "Forecast", room: "Mapping[str, FreeMemory]") -> None:
    """Say on stderr what may not fit; raise InputError for what can't."""
    from elastix_impact.io.collect_warnings import collecting_warnings
    from elastix_impact.planning.fit import check_fit

    with collecting_warnings([], say_warning):
        check_fit(forecast, room)
