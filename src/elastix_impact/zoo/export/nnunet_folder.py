"""Where things lie in a trained-model folder of nnU-Net v2."""

import json
import re
from pathlib import Path
from typing import Any, TypeVar

from elastix_impact.errors import ModelError

PLANS, DATASET, FINGERPRINT = "plans.json", "dataset.json", "dataset_fingerprint.json"

Kind = TypeVar("Kind")


def find_model_folder(folder: Path, configuration: str | None = None) -> Path:
    """The folder that holds plans.json: `folder`, its parent if it is a fold, or the only one inside it.

    Parameters
    ----------
    configuration
        Chooses among several inside `folder` by the last part of their names, e.g. ``"3d_fullres"``.

    Raises
    ------
    ModelError
        If there is none, or more than one.
    """
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "no such folder"
        raise ModelError(what, where=str(folder), expected=_EXPECTED, remedy="If it is a zip file, unpack it first")
    parent = folder.resolve().parent
    if (folder / PLANS).is_file():
        return folder
    if is_fold(folder) and (parent / PLANS).is_file():
        return parent
    inside = sorted(path.parent for pattern in (f"*/{PLANS}", f"*/*/{PLANS}") for path in folder.glob(pattern))
    found = [path for path in inside if configuration and path.name.endswith(f"__{configuration}")] or inside
    if len(found) == 1:
        return found[0]
    if not found:
        raise ModelError(f"holds no {PLANS}", where=str(folder), expected=_EXPECTED)
    names = ", ".join(path.relative_to(folder).as_posix() for path in found)
    raise ModelError(f"holds {len(found)} trained models", where=str(folder), remedy=f"Choose one of {names}")


_EXPECTED = f"a folder such as nnUNetTrainer__nnUNetPlans__3d_fullres, with {PLANS}, {DATASET} and fold_0"


def is_fold(folder: Path) -> bool:
    """Whether a folder is named as nnU-Net names folds: ``fold_0``, ``fold_all``."""
    return folder.resolve().name.startswith("fold_")


def find_checkpoint(folder: Path, fold: str | None, checkpoint: str) -> Path:
    """The checkpoint's file in a model folder.

    Parameters
    ----------
    fold
        ``"0"``, ``"fold_0"``, ``"all"`` ...; None = ``fold_all`` if there, else the first.

    Raises
    ------
    ModelError
        If the fold or the file is missing; it lists those there are.
    """
    folds = sorted(path.name for path in folder.glob("fold_*") if path.is_dir())
    wanted = f"fold_{fold.removeprefix('fold_')}" if fold else "fold_all" if "fold_all" in folds else (*folds, None)[0]
    if wanted not in folds:
        raise ModelError(
            f"has no folder {wanted or 'fold_0'}",
            where=str(folder),
            remedy=f"Choose one of its folds: {', '.join(folds)}" if folds else "Unpack the weights completely",
        )
    path = folder / str(wanted) / checkpoint
    if not path.is_file():
        others = ", ".join(sorted(one.name for one in path.parent.glob("*.pth")))
        raise ModelError(
            "no such checkpoint",
            where=str(path),
            remedy=f"Choose one of those there: {others}" if others else "Unpack the weights completely",
        )
    return path


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object.

    Raises
    ------
    ModelError
        If it is missing, or not such a file.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError("no such file", where=str(path), expected=_EXPECTED) from error
    except OSError as error:
        raise ModelError(f"can't be read: {error.strerror}", where=str(path)) from error
    except ValueError as error:
        raise ModelError(f"is not JSON: {error}", where=str(path), remedy="Unpack the weights again") from error
    if not isinstance(content, dict):
        raise ModelError(f"holds a JSON {type(content).__name__}", where=str(path), expected="a JSON object")
    return content


def entry(mapping: dict[str, Any], key: str, kind: type[Kind], where: str) -> Kind:
    """The value of a key that must be there.

    Raises
    ------
    ModelError
        If it is missing or not of `kind`; `where` names the file.
    """
    value = mapping.get(key)
    if isinstance(value, kind):
        return value
    got = "is missing" if key not in mapping else f"is {value!r:.60}"
    raise ModelError(f"{key} {got}", where=where, expected=f"{key} as nnU-Net v2 writes it, a {_WORDS[kind]}")


_WORDS: dict[type, str] = {dict: "JSON object", list: "list", str: "text", int: "whole number"}


def dataset_name(folder: Path, configuration: str | None = None) -> str:
    """The dataset's name, e.g. ``"Dataset291_TotalSegmentator_part1_organs_1559subj"``.

    From the names of the model folder and the folders above it, else from plans.json, else the folder's own name.
    For the parameters see `find_model_folder`.

    Raises
    ------
    ModelError
        As `find_model_folder` and `read_json`.
    """
    model_folder = find_model_folder(folder, configuration).resolve()
    names = [path.name for path in (model_folder, *model_folder.parents)]
    named = next((name for name in names if re.match(r"Dataset\d+", name)), None)
    return named or str(read_json(model_folder / PLANS).get("dataset_name") or names[0])
