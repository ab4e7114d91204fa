"""Weights from files that others published: read without running code, put into a network that they fit."""

import pickle
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn, serialization

from elastix_impact.errors import ModelError
from elastix_impact.zoo.failures import essence
from elastix_impact.zoo.packing import check_packing_of

NESTS = ("model", "state_dict", "teacher", "module")
"""Keys under which checkpoints keep their weights."""

MOST_NAMED = 3
"""Weights named in an error, per kind of fault."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """The state dict in a checkpoint (``.pt``, ``.pth``, ``.safetensors``), on the CPU; no code of the file is run.

    Raises
    ------
    ModelError
        If the file can't be read, or holds something else than named tensors.
    """
    content = _read_safetensors(path) if path.suffix == ".safetensors" else read_pickle(path)
    while isinstance(content, dict) and (nest := next((key for key in NESTS if _is_mapping(content, key)), None)):
        content = content[nest]
    if not isinstance(content, dict) or not content or not all(isinstance(w, Tensor) for w in content.values()):
        raise ModelError(
            f"holds {_kind(content)}, not the weights of a network",
            where=str(path),
            expected="a dictionary of names and tensors, as the authors publish it",
        )
    return content


def _is_mapping(content: dict[str, Any], key: str) -> bool:
    return isinstance(content.get(key), Mapping)


def _kind(content: object) -> str:
    if isinstance(content, dict):
        return f"a dictionary with {', '.join(map(str, list(content)[:MOST_NAMED])) or 'nothing'}"
    return f"a {type(content).__name__}"


def read_pickle(path: Path, stand_ins: Sequence[type] = ()) -> Any:
    """What `torch.load` finds in a file if it may meet nothing but tensors, numbers, texts and `stand_ins`.

    Raises
    ------
    ModelError
        If the file can't be read, holds other objects, or inflates beyond all measure.
    """
    check_packing_of(path)
    try:
        with _allowed(stand_ins):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        refused = re.search(r"GLOBAL (\S+)", str(error))
        what = f"holds a {refused[1]}" if refused else "can't be read as tensors and numbers alone"
        raise ModelError(
            f"the checkpoint {what}, which would have to be run to be read",
            where=str(path),
            expected="weights, numbers and texts, as the network's authors write them",
            remedy="If you trust the file, load it in Python and save its weights (state_dict) anew",
        ) from error
    except OSError as error:
        raise ModelError(f"the checkpoint can't be read: {error.strerror}", where=str(path)) from error
    except (RuntimeError, ValueError, EOFError, KeyError, AttributeError, TypeError) as error:
        raise _damaged(path, error) from error


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise needs_extra("safetensors") from error
    try:
        return load_file(path)
    except OSError as error:
        raise ModelError(f"the checkpoint can't be read: {error.strerror or error}", where=str(path)) from error
    except (SafetensorError, ValueError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> ModelError:
    return ModelError(
        f"the checkpoint can't be read: {essence(error)}",
        where=str(path),
        remedy="Fetch it again; it may be damaged",
    )


def needs_extra(library: str) -> ModelError:
    """The error for a library of the extra ``export`` that is not installed."""
    return ModelError(
        f"{library} is not installed, which the network comes from",
        remedy='Install it: pip install "elastix-impact[export]"',
    )


@contextmanager
def _allowed(stand_ins: Sequence[type]) -> Iterator[None]:
    """Let `torch.load` meet these, and nothing else beside tensors, while this lasts."""
    before = serialization.get_safe_globals()
    serialization.clear_safe_globals()
    try:
        serialization.add_safe_globals(list(stand_ins))
        yield
    finally:
        serialization.clear_safe_globals()
        serialization.add_safe_globals(list(before))


def load_weights(
    network: nn.Module,
    weights: Mapping[str, Tensor],
    *,
    network_name: str,
    where: str,
    remedy: str,
    optional: tuple[str, ...] = (),
) -> None:
    """Put weights into a network whose tensors may have several names.

    Parameters
    ----------
    network_name, where, remedy
        For the error: what the network is, where the weights come from, what to do if they don't fit.
    optional
        Beginnings of names that may lack.

    Raises
    ------
    ModelError
        If weights are missing, unknown or of another shape.
    """
    tensors: dict[str, Tensor] = network.state_dict(keep_vars=True)
    given = {id(tensors[name]) for name in weights if name in tensors}
    faults = {
        "missing": [name for name, t in tensors.items() if id(t) not in given and not name.startswith(optional)],
        "unknown": [name for name in weights if name not in tensors],
        "of another shape": [name for name, t in weights.items() if name in tensors and t.shape != tensors[name].shape],
    }
    said = [f"{len(names)} {kind} ({_some(names)})" for kind, names in faults.items() if names]
    if said:
        raise ModelError(
            f"the weights are not those of the {network_name}: {'; '.join(said)}", where=where, remedy=remedy
        )
    network.load_state_dict(weights, strict=False)


def _some(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (", ..." if len(names) > MOST_NAMED else "")
