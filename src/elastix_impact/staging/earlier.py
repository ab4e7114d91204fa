"""What an earlier run left in a folder, and what the next one would take the place of."""

import glob
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from elastix_impact.io.formats import HEADER_SUFFIXES
from elastix_impact.io.headers.check import data_files_of
from elastix_impact.io.input_files import identities, identity, refuse_overwriting

from .swap import RECORD, is_inside

SEEDS_FOLDER = "seeds"
"""In a run's folder: a folder per further seed, called by the seed of the first stage."""

PRESET_FOLDER = "preset"
"""In a run's folder: the maps and the model of the preset that it was given by name."""

INPUTS_FOLDER = "inputs"
"""In a run's folder: what came from memory."""

_OF_A_STAGE = r"(TransformParameters|IterationInfo|FixedImagePyramid0|MovingImagePyramid0{names})\.(\d+)([.-].*)?\.\w+"
_OF_A_RUN = re.compile(
    r"registration\.json|elastix\.log|checkpoint\.pt|evaluation\.json|(landmarks|labels)\.csv|(report|viewer)\.html|"
    r"InitialTransform\.\d+\.(txt|toml)|(moved_labels|fixed_points_in_moving|moving_points_in_fixed)\.[\w.]+"
)


def record_of(folder: Path) -> dict[str, Any]:
    """The record in a folder; empty if there is none that can be read."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def is_complete(folder: Path) -> bool:
    """Whether the record in a run's folder says that it is complete."""
    return record_of(folder).get("complete") is True


def result_files(folder: Path, stages: int, result_names: Iterable[str]) -> list[str]:
    """Names of the files in a folder that go when a run puts its result there; files of others are none of them.

    They are those that the record there lists, those under the names that a run of so many stages may write, and those
    of further seeds.

    Parameters
    ----------
    result_names
        First parts of the names of result images.
    """
    found = dict.fromkeys([*_recorded(folder), *_by_pattern(folder, stages, tuple(result_names))])
    for seed in sorted((folder / SEEDS_FOLDER).glob("[0-9]*")):
        if (seed / RECORD).is_file():
            found |= dict.fromkeys(f"{SEEDS_FOLDER}/{seed.name}/{name}" for name in result_files(seed, stages, ()))
    return list(found)


def aside_files(folder: Path, keep: Iterable[Path]) -> list[str]:
    """Names of the earlier run's own copies of maps and inputs, without what is in `keep`."""
    if not record_of(folder):
        return []
    kept = identities(keep)
    paths = [*(folder / PRESET_FOLDER).rglob("*"), *(folder / INPUTS_FOLDER).rglob("*")]
    return _names(folder, (path for path in paths if identity(path) not in kept))


def refuse_inputs(
    folder: Path, stages: int, result_names: Iterable[str], folders: Iterable[str], inputs: Iterable[Path]
) -> None:
    """Refuse a run whose result would take the place of a file that it reads; raises OutputError.

    For `result_names` see `result_files`; `folders` are those that feature maps go to.
    """
    if folder.is_dir():
        names = result_files(folder, stages, result_names)
        elsewhere = _elsewhere(folder, result_names, folders)
        refuse_overwriting([*(folder / name for name in names), *elsewhere], inputs)


def _elsewhere(folder: Path, result_names: Iterable[str], folders: Iterable[str]) -> Iterator[Path]:
    """Files outside a folder, or below it, that a run into it may write over: its maps may name other folders."""
    for name in (one for one in result_names if Path(one).name != one):
        yield from (folder / name).parent.glob(f"{glob.escape(Path(name).name)}.*")
    for below in folders:
        yield from (folder / below).glob("*.mha")


def _recorded(folder: Path) -> Iterator[str]:
    """The files that the record lists, and those of their voxels."""
    listed = record_of(folder).get("files")
    for name in listed if isinstance(listed, list) else ():
        if isinstance(name, str) and is_inside(name) and (folder / name).is_file():
            yield name
            if name.lower().endswith(HEADER_SUFFIXES):
                yield from _names(folder, data_files_of(folder / name))


def _by_pattern(folder: Path, stages: int, result_names: tuple[str, ...]) -> Iterator[str]:
    names = "".join(f"|{re.escape(name)}" for name in result_names)
    strict = re.compile(_OF_A_STAGE.format(names=names))
    loose = re.compile(_OF_A_STAGE.format(names=names), re.IGNORECASE), re.compile(_OF_A_RUN.pattern, re.IGNORECASE)
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        stage, run = strict.fullmatch(path.name), _OF_A_RUN.fullmatch(path.name)
        if not (stage or run) and _is_found_by_any_spelling(path):
            stage, run = loose[0].fullmatch(path.name), loose[1].fullmatch(path.name)
        if path.is_file() and (run or (stage and int(stage[2]) < stages)):
            yield path.name


def _is_found_by_any_spelling(path: Path) -> bool:
    """Whether the file system takes capitals for small letters."""
    other = path.with_name(path.name.swapcase())
    return other.name != path.name and identity(other) == identity(path)


def _names(folder: Path, paths: Iterable[Path]) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in paths if path.is_file() and path.is_relative_to(folder)]
