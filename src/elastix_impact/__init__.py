"""elastix-impact: medical image registration by what a pretrained network sees in the images.

The names below are the public surface. Each is imported when it is first used, so that ``import elastix_impact`` and
the ``--help`` of the command line cost nothing.
"""

import importlib
from typing import Any

from ._version import __version__
from .short_spin import spin_shortly

spin_shortly()

_HOMES = {
    "ElastixImpactError": "errors",
    "Grid": "geometry.grid",
    "Image": "geometry.image",
    "ImpactLoss": "metrics.impact.loss",
    "IterationState": "api.watch",
    "Registration": "api.registration",
    "RegistrationResult": "registration.result",
    "StopReason": "registration.result",
    "apply_transform": "applying.apply",
    "export_feature_model": "zoo.export.feature_module",
    "export_mind": "zoo.export.mind",
    "inspect_model": "zoo.inspect",
    "invert_points": "transforms.inverse",
    "plan_or_raise": "parameters.resolve",
    "read_image": "io.images",
    "read_initial_transform": "io.read_transform",
    "read_labels": "io.images",
    "read_mask": "io.masks",
    "read_parameter_map": "parameters.text",
    "read_points": "io.points",
    "register": "api.register",
    "resample": "transforms.resample",
    "target_registration_error": "evaluation.landmarks",
    "write_image": "io.images",
}
"""Public name -> module that defines it."""

__all__ = ["__version__", *_HOMES]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
