"""Under which names the results of `apply_to_files` are written; what can't work is said before anything is read."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

from elastix_impact.errors import InputError, OutputError
from elastix_impact.io.atomic import output_errors
from elastix_impact.io.formats import KNOWN_SUFFIXES
from elastix_impact.io.images import check_file
from elastix_impact.io.input_files import refuse_overwriting

from .request import ApplyRequest

Kind = Literal["image", "labels", "points", "mesh", "field", "jacobian"]

EXPORT_SUFFIXES = (".tfm", ".h5", ".hdf5", ".txt")
_IMAGES: tuple[Kind, ...] = ("image", "labels", "field", "jacobian")


@final
@dataclass(frozen=True)
class Target:
    """One result: what it is, from which file, into which file."""

    kind: Kind
    source: Path | None
    path: Path


def plan_targets(request: ApplyRequest) -> list[Target]:
    """The results of a request with their names.

    Raises
    ------
    InputError
        If there is nothing to do, or an input is missing.
    OutputError
        If results have no place, share one, would replace their source, or their names fit no format.
    """
    wanted = list(_wanted(request))
    if not wanted and request.export is None:
        raise InputError(
            "there is nothing to do",
            where="command line",
            remedy="Give --image, --labels, --points, --mesh, --field, --jacobian or --export",
        )
    if request.export is not None and not request.export.name.lower().endswith(EXPORT_SUFFIXES):
        raise OutputError(
            "ITK's transform files have another suffix", where=str(request.export), expected=", ".join(EXPORT_SUFFIXES)
        )
    for kind, source in wanted:
        if source is not None and not source.is_dir():
            check_file(source, "image" if kind in _IMAGES else "file")
    targets = _named(wanted, request.output)
    _check(targets)
    given = (*request.transforms, *(source for _, source in wanted if source is not None), request.reference)
    results = (*(target.path for target in targets), request.export)
    refuse_overwriting((one for one in results if one is not None), (one for one in given if one is not None))
    return targets


def make_room(path: Path) -> None:
    """Make the folder that a result goes into, just before it is written; raises OutputError."""
    with output_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)


def _wanted(request: ApplyRequest) -> Iterator[tuple[Kind, Path | None]]:
    given: dict[Kind, tuple[Path, ...]] = {
        "points": request.points,
        "mesh": request.meshes,
        "image": request.images,
        "labels": request.labels,
    }
    for kind, paths in given.items():
        for path in paths:
            yield kind, path
    if request.field:
        yield "field", None
    if request.jacobian:
        yield "jacobian", None


def _named(wanted: list[tuple[Kind, Path | None]], output: Path | None) -> list[Target]:
    if not wanted:
        return []
    if output is None:
        raise OutputError(
            "no place for the results was given", where="command line", remedy="Give --output FILE, or a folder"
        )
    if len(wanted) == 1 and output.suffix and not output.is_dir():
        return [Target(*wanted[0], output)]
    if output.name.lower().endswith(KNOWN_SUFFIXES) or output.is_file():
        raise OutputError(
            f"{len(wanted)} results don't fit into one file", where=str(output), remedy="Give a folder with --output"
        )
    return [Target(kind, source, output / _name(kind, source)) for kind, source in wanted]


def _name(kind: Kind, source: Path | None) -> str:
    if source is None:
        return f"{kind}.mha"
    return f"{source.resolve().name}.mha" if source.is_dir() else source.name


def _check(targets: Iterable[Target]) -> None:
    taken: dict[Path, Target] = {}
    for target in targets:
        path = target.path.resolve()
        if path in taken:
            raise OutputError(
                f"{taken[path].source} and {target.source} have the same name",
                where=str(target.path),
                remedy="Apply the transform to them one by one",
            )
        if target.kind in _IMAGES and not path.name.lower().endswith(KNOWN_SUFFIXES):
            raise OutputError("unknown image format", where=str(target.path), expected=" ".join(KNOWN_SUFFIXES))
        taken[path] = target
