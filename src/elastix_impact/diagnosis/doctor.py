"""Whether this machine has what registering needs: versions, devices, memory, folders, a small run on each device."""

import os
import platform
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal, final

import torch

from elastix_impact.io.system_memory import free_memory_of_system
from elastix_impact.runs.device import choose_threads, present_devices
from elastix_impact.runs.record import versions
from elastix_impact.zoo.load import sixteen_bits

from .gpu import cuda_version, gpu_line
from .self_test import try_device

Verdict = Literal["ok", "note", "bad"]

OPTIONAL = {
    "itk-elastix": 'components of elastix that are not native: pip install "elastix-impact[itk]"',
    "timm": 'models export sam, dinov2: pip install "elastix-impact[export]"',
    "dynamic-network-architectures": 'models export nnunet and its kin: pip install "elastix-impact[export]"',
}
"""Libraries that may lack, and for what they are."""

GOOD_ENOUGH = 1.5
"""mm that the test registration may be off by."""

LITTLE_MEMORY, LITTLE_DISK = 4e9, 2e9
"""Bytes below which a chest CT gets tight."""


@final
@dataclass(frozen=True)
class Finding:
    """One thing looked at: ``"ok"``, ``"note"`` (works, with a limit) or ``"bad"`` (doesn't), and what to do."""

    name: str
    verdict: Verdict
    text: str


def examine() -> Iterator[Finding]:
    """All findings, one after the other as they come; nothing is fetched from the network."""
    yield Finding("versions", "ok", ", ".join(f"{name} {version}" for name, version in versions().items()))
    yield _pytorch()
    for library, purpose in OPTIONAL.items():
        yield _library(library, purpose)
    yield _processor()
    yield _memory()
    for name, folder in _folders().items():
        yield _folder(name, folder)
    yield _commands()
    for device in present_devices():
        yield _try(device)


def _pytorch() -> Finding:
    built = f"CUDA {cuda_version()}" if torch.backends.cuda.is_built() else "the CPU"
    line = gpu_line()
    works = torch.cuda.is_available() or torch.backends.mps.is_available()
    verdict: Verdict = "bad" if "fails" in line else "ok" if works else "note"
    return Finding("GPU", verdict, f"{line.removeprefix('GPU: ')} (PyTorch {torch.__version__}, built for {built})")


def _processor() -> Finding:
    cores, load = os.cpu_count() or 1, os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    busy = load > cores / 2
    hint = f"; busy: {load:.1f} processes wanted them in the last minute, and a run takes longer" if busy else ""
    text = f"{platform.machine()}, {cores} cores, {choose_threads(None)} threads used{hint}"
    return Finding("processor", "note" if busy else "ok", text)


def _library(name: str, purpose: str) -> Finding:
    try:
        return Finding(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, "note", f"not installed; only needed for {purpose}")


def _memory() -> Finding:
    free = free_memory_of_system()
    if free is None:
        return Finding("memory", "note", "the system does not tell how much is free")
    little = free.bytes < LITTLE_MEMORY
    hint = "; close programs, or give ImpactPatchSize tiles and a coarser ImpactVoxelSize" if little else ""
    return Finding("memory", "note" if little else "ok", f"free: {free}{hint}")


def _folders() -> dict[str, Path]:
    from huggingface_hub import constants

    return {"temporary files": Path(tempfile.gettempdir()), "downloads": Path(constants.HF_HUB_CACHE)}


def _folder(name: str, folder: Path) -> Finding:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(there, os.W_OK):
        remedy = "set TMPDIR" if name == "temporary files" else "set HF_HOME"
        return Finding(name, "bad", f"{folder} can't be written; {remedy} to a folder that can")
    free = shutil.disk_usage(there).free
    offline = ", offline (HF_HUB_OFFLINE)" if name == "downloads" and os.environ.get("HF_HUB_OFFLINE") else ""
    verdict: Verdict = "note" if free < LITTLE_DISK else "ok"
    return Finding(name, verdict, f"{folder}, {free / 1e9:.0f} GB free{offline}")


def _commands() -> Finding:
    paths = {name: shutil.which(name) for name in ("elastix", "transformix")}
    found = ", ".join(path for path in paths.values() if path)
    return Finding(
        "elastix commands",
        "ok" if found else "note",
        found or "none on the PATH; `elastix-impact install-commands DIR` makes some for programs that call them",
    )


def _try(device: str) -> Finding:
    """A short registration with a known answer."""
    began = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            before, after = try_device(torch.device(device), Path(folder))
    except Exception as error:  # whatever it is, it is the finding
        what = str(error).splitlines()[0] if str(error) else ""
        return Finding(f"registration on {device}", "bad", f"fails: {type(error).__name__}: {what}")
    seconds = time.perf_counter() - began
    bits = str(sixteen_bits(torch.device(device))).removeprefix("torch.")
    text = f"error {before:.2f} -> {after:.2f} mm in {seconds:.1f} s; mixed precision would use {bits}"
    return Finding(f"registration on {device}", "ok" if after < GOOD_ENOUGH else "bad", text)
