"""What a run depends on, hashed part by part, so that a run is continued only by its own like."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from elastix_impact import __version__
from elastix_impact.geometry.image import Image
from elastix_impact.parameters.plan import HandedOnPlan, StagePlan
from elastix_impact.registration.encoding import encode

Fingerprint = Mapping[str, str]
"""What it is of, in words, -> its value or hash."""


def fingerprint(
    stages: Sequence[StagePlan],
    inputs: Mapping[str, Any],
    models: Sequence[Path],
    devices: Sequence[torch.device],
    threads: int,
    deterministic: bool,
) -> dict[str, str]:
    """The fingerprint of a run.

    Parameters
    ----------
    inputs
        Images, points and transforms by what they are in words; None counts too. Images count by their voxels and
        geometry, wherever their files lie.
    """
    seeds = [stage.random_seed for stage in stages]
    return {
        "the version of elastix-impact": __version__,
        "the version of PyTorch": str(torch.__version__),
        "the device": ", ".join(device.type for device in devices),
        "the number of threads": str(threads),
        "--deterministic": str(deterministic),
        "the random seed": ", ".join(map(str, seeds)),
        "the parameter maps": _hash([_settings(stage) for stage in stages]),
        **{role: _hash(_parts(value)) for role, value in inputs.items()},
        "the models": ", ".join(_file_hash(path) for path in models),
    }


def differences(one: Fingerprint, other: Fingerprint) -> list[str]:
    """What differs between two fingerprints, in words, with the values where they are short."""
    found: list[str] = []
    for name in dict.fromkeys([*one, *other]):
        before, now = one.get(name, "none"), other.get(name, "none")
        if before != now:
            is_short = max(len(before), len(now)) < 40
            found.append(f"{name} ({before} then, {now} now)" if is_short else name)
    return found


def _settings(stage: StagePlan) -> str:
    """All that a map says but where it lies and the seed; of a map that is handed on, the file."""
    if isinstance(stage, HandedOnPlan):
        return _file_hash(Path(stage.source))
    settings = {name: value for name, value in stage.to_json().items() if name not in ("source", "random_seed")}
    return json.dumps(settings, default=str, sort_keys=True)


def _parts(value: Any) -> Any:
    return [value.data, encode(value.grid)] if isinstance(value, Image) else encode(value)


def _hash(value: Any) -> str:
    """SHA-256 of plain values and tensors."""
    digest = hashlib.sha256()
    _feed(digest, value)
    return digest.hexdigest()


def _feed(digest: Any, value: Any) -> None:
    if isinstance(value, Tensor):
        plain = value.detach().cpu().contiguous()
        digest.update(f"{plain.dtype} {tuple(plain.shape)} ".encode())
        digest.update(plain.numpy().data.cast("B") if plain.numel() else b"")
    elif isinstance(value, dict):
        for key, item in value.items():
            digest.update(f"{key}:".encode())
            _feed(digest, item)
    elif isinstance(value, list | tuple):
        digest.update(f"{len(value)}[".encode())
        for item in value:
            _feed(digest, item)
    else:
        digest.update(f"{value!r};".encode())


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
