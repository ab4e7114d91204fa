"""Which processor a run uses, and how many threads."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.utils.deterministic

from elastix_impact.errors import DeviceError
from elastix_impact.parameters.plan import RegistrationPlan

MAXIMUM_DEFAULT_THREADS = 8


def choose_device(
    asked: str | None, plan: RegistrationPlan, *, strict: bool = False
) -> tuple[torch.device, tuple[str, ...]]:
    """The device for one parameter map, and sentences that the user should read.

    Parameters
    ----------
    asked
        ``"cpu"``, ``"cuda"``, ``"cuda:N"``, ``"mps"``, ``"auto"`` (the best that is present), or None: what the map's
        ImpactGPU wishes.
    plan
        The resolved map.
    strict
        Whether a GPU that the map wishes and that is absent is an error, as in elastix, instead of a note.

    Raises
    ------
    DeviceError
        If the device asked for is absent or its name is not understood.
    """
    if asked is None:
        return _wished_device(plan, strict=strict)
    name = asked.lower()
    if name == "auto":
        return torch.device(_best_device()), ()
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise DeviceError(
            f'"{asked}" is not the name of a device',
            where="--device",
            expected="auto, cpu, cuda, cuda:N or mps",
            remedy="Leave --device out to follow ImpactGPU in the map",
        )
    if not is_present(name):
        raise DeviceError(
            f"{asked} was asked for and is absent; this machine has {', '.join(present_devices())}",
            where="--device",
            remedy=f"Give --device {present_devices()[-1]}, or install a PyTorch build that can use that GPU",
        )
    return torch.device(name), ()


def _wished_device(plan: RegistrationPlan, *, strict: bool) -> tuple[torch.device, tuple[str, ...]]:
    wishes = [impact.gpu for level in plan.levels for impact in level.impact_metrics]
    gpu = max(wishes, default=-1)
    if gpu < 0:
        return torch.device("cpu"), ()
    name = f"cuda:{gpu}"
    notes = (
        () if min(wishes) == gpu else (f"{plan.source}: ImpactGPU differs between levels; all levels run on {name}",)
    )
    if is_present(name):
        return torch.device(name), notes
    what = f"ImpactGPU {gpu} asks for {name}, and this machine has only {', '.join(present_devices())}"
    if strict:
        raise DeviceError(what, where=plan.source, remedy="Set (ImpactGPU -1) to run on the CPU")
    return torch.device("cpu"), (f"{plan.source}: {what}: running on the CPU, which is much slower",)


def present_devices() -> tuple[str, ...]:
    """Names of the devices of this machine, the CPU first."""
    cuda = tuple(f"cuda:{k}" for k in range(torch.cuda.device_count())) if torch.cuda.is_available() else ()
    mps = ("mps",) if torch.backends.mps.is_available() else ()
    return ("cpu", *mps, *cuda)


def is_present(name: str) -> bool:
    """Whether this machine has the device `name`; ``"cuda"`` means the first one."""
    return ("cuda:0" if name == "cuda" else name) in present_devices()


def _best_device() -> str:
    present = present_devices()
    return next((name for name in ("cuda:0", "mps") if name in present), "cpu")


def choose_threads(asked: int | None) -> int:
    """The number of CPU threads: what was asked, else OMP_NUM_THREADS, else the usable cores up to 8.

    Usable are the physical cores that this process may run on and that the container's quota grants.
    """
    if asked is not None:
        return asked
    if os.environ.get("OMP_NUM_THREADS", "").isdigit():
        return max(1, int(os.environ["OMP_NUM_THREADS"]))
    return max(1, min(MAXIMUM_DEFAULT_THREADS, _physical_cores(), _quota_cores()))


def _physical_cores() -> int:
    logical = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    siblings = set()
    for cpu in logical:
        path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        try:
            siblings.add(path.read_text(encoding="ascii").strip())
        except OSError:
            return len(logical)
    return len(siblings)


def _quota_cores() -> int:
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return MAXIMUM_DEFAULT_THREADS
    return MAXIMUM_DEFAULT_THREADS if quota == "max" else max(1, int(quota) // int(period))


@contextlib.contextmanager
def torch_settings(threads: int, device: torch.device, *, deterministic: bool = False) -> Iterator[None]:
    """Run with `threads` threads in true float32; restores what was set before.

    A CPU always uses deterministic algorithms, a GPU if `deterministic`: the same seed then gives the same bytes on
    the same device. Without TF32 a GPU's features agree with a CPU's; ImpactUseMixedPrecision is the fast way.
    """
    memory: Any = torch.utils.deterministic
    before = torch.get_num_threads(), torch.get_deterministic_debug_mode(), memory.fill_uninitialized_memory
    tf32 = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.set_num_threads(threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    if deterministic or device.type == "cpu":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs to be deterministic
        # The same as torch.use_deterministic_algorithms, which loads PyTorch's compiler: a second of every command.
        torch.set_deterministic_debug_mode("error")
        memory.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.set_deterministic_debug_mode(before[1])
        memory.fill_uninitialized_memory = before[2]
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = tf32
