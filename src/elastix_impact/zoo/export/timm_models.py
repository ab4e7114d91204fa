"""Networks of timm (Wightman), the library that has the public vision networks."""

import warnings
from types import ModuleType

import torch

from elastix_impact.errors import ModelError
from elastix_impact.zoo.failures import essence

from .weights import needs_extra

MISSING_OPERATORS = ("nms", "qnms")
"""Operators that torchvision's Python code names; its compiled part, which has them, fits only the PyTorch it was
built with. No network here uses them."""


def import_timm() -> ModuleType:
    """The package timm with `timm.models`, also beside a torchvision that was built for another PyTorch.

    Raises
    ------
    ModelError
        If it is not installed, or can't be imported.
    """
    try:
        return _imported()
    except ImportError as error:
        raise needs_extra("timm") from error
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise _broken(error) from error
    _declare_operators()
    try:
        return _imported()
    except (ImportError, RuntimeError) as error:
        raise _broken(error) from error


def _imported() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        import timm
        import timm.models
    return timm


_declared: list[torch.library.Library] = []
"""Kept, because the declarations end with the object."""


def _declare_operators() -> None:
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in MISSING_OPERATORS:
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _declared.append(library)


def _broken(error: Exception) -> ModelError:
    return ModelError(
        f"timm can't be imported: {essence(error)}",
        remedy="Install torch, torchvision and timm that fit each other; the extra export asks for timm",
    )
