"""From a model path as a parameter map writes it to the file on this machine."""

import difflib
import shlex
import warnings
from pathlib import Path, PurePosixPath

from elastix_impact.errors import ModelError

from .built_in import built_in_mind
from .catalog import find_entry
from .export.mind import mind_settings
from .model_file import opened
from .old_names import present_names

CONTAINER_DATA = PurePosixPath("/Data")
"""The folder that published maps name; in the container it is the mounted case."""


def find_model(
    path_in_map: str,
    *,
    map_folder: Path,
    data_folder: Path | None,
    dimension: int | None = None,
) -> Path:
    """The model file that a map means.

    A relative path is tried from the working directory, then from the map's folder. An absolute path is
    taken as it is; if absent and below ``/Data`` (or ``/Models``), it is looked up under `data_folder`, so
    that one map runs inside and outside the container. A file published under a former name is found
    under its present one, with a warning. Where there is no such file and the map means MIND by its
    published name, the built-in model is taken, see `built_in_mind`.

    Parameters
    ----------
    path_in_map
        The value of ``ImpactModelsPath``.
    map_folder
        The folder of the parameter map.
    data_folder
        What ``--data`` gave, or None.
    dimension
        The model's dimension, 2 or 3, which former MIND names leave out; None = look for 3, then 2.

    Raises
    ------
    ModelError
        If there is no such file (it lists what was tried, model files with similar names, and the command that
        fetches it), or if it can't be opened or lies outside the trusted folders (see `trust`).
    """
    candidates = _candidates(path_in_map, map_folder, data_folder)
    tried = _tried(candidates, dimension)
    path = next((path for path in tried if path.is_file()), None)
    if path is None:
        return _without_a_file(path_in_map, candidates, tried, data_folder)
    if path not in candidates:
        warnings.warn(
            f'the model "{path_in_map}" is published as {path.parent.name}/{path.name} now; that file is used',
            stacklevel=2,
        )
    with opened(path):
        return path


def _tried(candidates: list[Path], dimension: int | None) -> list[Path]:
    """The candidates, then where files of these former names are today."""
    present = [path for candidate in candidates for path in present_names(candidate, dimension)]
    return list(dict.fromkeys([*candidates, *present]))


def _without_a_file(path_in_map: str, candidates: list[Path], tried: list[Path], data_folder: Path | None) -> Path:
    """The built-in MIND model if the map means that; raises as `find_model` otherwise."""
    meant = next((path for path in tried if path.parent.name == "MIND" and mind_settings(path.name)), None)
    if meant is not None:
        return built_in_mind(meant.name)
    raise ModelError(
        f"no such model file; tried {', '.join(map(str, tried))}",
        where=path_in_map,
        remedy=_advice(path_in_map, candidates, data_folder),
    )


def _candidates(path_in_map: str, map_folder: Path, data_folder: Path | None) -> list[Path]:
    written = PurePosixPath(path_in_map)
    if not written.is_absolute():
        return list(dict.fromkeys([Path.cwd() / written, map_folder.absolute() / written]))
    candidates = [Path(written)]
    if data_folder is not None and written.is_relative_to(CONTAINER_DATA):
        candidates.append(data_folder / written.relative_to(CONTAINER_DATA))
    elif data_folder is not None and written.is_relative_to("/Models"):
        candidates.append(data_folder / written.relative_to("/"))
    return candidates


def _advice(path_in_map: str, candidates: list[Path], data_folder: Path | None) -> str:
    present = _models_near(candidates)
    by_name = {path.name.lower(): path for path in present}
    near = difflib.get_close_matches(PurePosixPath(path_in_map).name.lower(), by_name, n=3, cutoff=0.5)
    advice: list[str] = []
    if near:
        advice.append(f"Did you mean {' or '.join(str(by_name[name]) for name in near)}?")
    elif present:
        advice.append(f"Models present: {', '.join(sorted(str(path) for path in present)[:8])}")
    elif data_folder is None and path_in_map.startswith(("/Data/", "/Models/")):
        advice.append("Name the folder that holds Models/ with --data")
    advice += _command(path_in_map, candidates)
    return ". ".join(advice).replace("?.", "?") or "Put the model there, or correct the path in the map"


def _command(path_in_map: str, candidates: list[Path]) -> list[str]:
    """How to get a published model to where the map looks for it."""
    wanted = candidates[-1]
    settings = mind_settings(wanted.name)
    if settings is not None:
        numbers = "--radius {} --dilation {} --dim {}".format(*settings)
        return [f"Make it with `elastix-impact models export mind {numbers} --out {shlex.quote(str(wanted))}`"]
    try:
        entry = find_entry("/".join(PurePosixPath(path_in_map).parts[-2:]))
    except ModelError:
        return []
    known = PurePosixPath(entry.name)
    looked_for = [path for path in (wanted, *present_names(wanted)) if path.parts[-2:] == known.parts]
    place = next(iter(looked_for), wanted.parent / known)
    folder = shlex.quote(str(place.parents[1]))
    fetch = f"Fetch it with `elastix-impact models download {known.with_suffix('')} --to {folder}`"
    return [fetch if looked_for else f"{fetch} and write {place} in the map"]


def _models_near(candidates: list[Path]) -> list[Path]:
    """All .pt files below the Models folder of each candidate, or below the candidate's own folder."""
    folders: dict[Path, None] = {}
    for path in candidates:
        roots = [parent for parent in path.parents if parent.name == "Models"] or [path.parent]
        folders[roots[0]] = None
    return [file for folder in folders if folder.is_dir() for file in sorted(folder.glob("**/*.pt"))]
