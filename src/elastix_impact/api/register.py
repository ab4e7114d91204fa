"""Registration in one call."""

import contextlib
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path

from elastix_impact.errors import InputError, RegistrationFailedError
from elastix_impact.io.atomic import output_errors
from elastix_impact.io.warning import InputWarning
from elastix_impact.observers.progress import showing_progress
from elastix_impact.parameters.presets import DEFAULT
from elastix_impact.runs.case import Case
from elastix_impact.runs.presets import facts_of, find_preset, write_preset
from elastix_impact.runs.record import RunRecord
from elastix_impact.runs.run_case import run_case, work_folder
from elastix_impact.staging.earlier import INPUTS_FOLDER

from .inputs import ImageLike, Parameters, PointsLike, image_file, map_files, names_file, points_file
from .registration import Registration
from .watch import Callback, Watcher


def register(
    fixed: ImageLike,
    moving: ImageLike,
    parameters: Parameters | None = None,
    *,
    preset: str | None = None,
    fixed_mask: ImageLike | None = None,
    moving_mask: ImageLike | None = None,
    fixed_points: PointsLike | None = None,
    moving_points: PointsLike | None = None,
    fixed_labels: ImageLike | None = None,
    moving_labels: ImageLike | None = None,
    label_names: "str | PathLike[str] | Mapping[int, str] | None" = None,
    initial_transform: "str | PathLike[str] | Registration | None" = None,
    out: str | PathLike[str] | None = None,
    device: str | None = "auto",
    threads: int | None = None,
    seed: int | None = None,
    seeds: int = 1,
    deterministic: bool = False,
    data_folder: str | PathLike[str] | None = None,
    trusted_models: Sequence[str | PathLike[str]] | None = None,
    allow_outside: bool = False,
    evaluation: bool = True,
    callback: Callback | None = None,
    progress: bool = False,
    resume: bool = False,
    checkpoint_every: float = 30.0,
    raise_on_failure: bool = True,
    strict: bool = False,
) -> Registration:
    """Register the moving image to the fixed one, as ``elastix-impact register`` does.

    Parameters
    ----------
    fixed, moving
        A path (also of a DICOM folder), an `Image`, a SimpleITK image, or (array or tensor, `Grid`), axes (z, )y, x.
    parameters
        A parameter map as path, text or dict, or a list of them, one per stage.
    preset
        Instead of `parameters`: ``"rigid"``, ``"general"`` (default), ``"mono"``, ``"ct-ct"``, ``"ct-cbct"``,
        ``"mr-ct"``.
    fixed_mask, moving_mask
        Where the images count; in the forms of images.
    fixed_points, moving_points
        Landmarks to measure the error by: paths, or world points (N, D) in mm. Those of one image alone are carried
        to the other one.
    fixed_labels, moving_labels
        Segmentations to measure the overlap by; in the forms of images. The moving one is moved onto the fixed image.
    label_names
        What structures are called: a file, see docs/evaluation.md, or names by label; None = as label files say.
    initial_transform
        Where to start: a file of elastix or ITK, or an earlier `Registration`.
    out
        Folder for the files of the run, made if need be; None = a temporary one that goes with the result.
    device
        ``"auto"`` (the best there is), ``"cpu"``, ``"cuda"``, ``"cuda:N"``, ``"mps"``; None = what the map says.
    threads, seed, deterministic
        CPU threads; a random seed instead of the map's; whether a GPU too gives the same bytes from run to run.
    seeds
        With how many seeds, this one and the next ones, the case runs; the verdict then says how far the results
        differ, the result is that of the first. The others lie in ``out/seeds``; `callback` does not see them.
    data_folder
        What stands for /Data in a map's model paths; None = the working directory.
    trusted_models
        The only folders that models may come from; None = what $ELASTIX_IMPACT_TRUSTED_MODELS says, else any.
    allow_outside
        Whether values of the maps may name places outside `out`.
    evaluation
        Whether the result is measured.
    callback
        Called with the `IterationState` of every native iteration (on a GPU in batches); returning True stops the run,
        later stages included, and the result is what was reached.
    progress
        Whether progress is shown on stderr.
    resume
        Whether a run that was killed or interrupted is continued from the checkpoint that it left in `out`.
    checkpoint_every
        Seconds between two checkpoints in a loop, 0 = none; a temporary folder gets none.
    raise_on_failure
        Whether a registration that failed raises; else it is returned, and its `failure` says why.
    strict
        Whether a result whose verdict is bad is an error.

    Returns
    -------
    Registration
        Transform, registered image, measures, files.

    Raises
    ------
    RegistrationFailedError
        If it failed, e.g. because the images don't overlap, and `raise_on_failure`; or if the verdict is bad and
        `strict`. The sentence says what to do.
    ElastixImpactError
        If images, maps or models can't be used.

    Warns
    -----
    InputWarning
        Of what the command line warns of, and of a verdict that is bad.
    """
    if seeds < 1:
        raise InputError(f"{seeds} seeds", where="seeds", expected="a whole number above 0")
    if resume and out is None:
        raise InputError("there is nothing to resume without a folder", remedy="Give out=, the folder of the run")
    with _folder(out) as (folder, is_temporary), work_folder(folder, create=True, resume=resume) as work:
        given = work.path / INPUTS_FOLDER
        with output_errors(folder):
            given.mkdir(parents=True, exist_ok=True)
        pair = image_file("fixed", fixed, given), image_file("moving", moving, given)
        maps = _maps(parameters, preset, pair, given)
        case = Case(
            fixed=pair[0],
            moving=pair[1],
            maps=maps,
            out=folder,
            fixed_mask=None if fixed_mask is None else image_file("fixed_mask", fixed_mask, given),
            moving_mask=None if moving_mask is None else image_file("moving_mask", moving_mask, given),
            fixed_points=None if fixed_points is None else points_file("fixed_points", fixed_points, given),
            moving_points=None if moving_points is None else points_file("moving_points", moving_points, given),
            fixed_labels=None if fixed_labels is None else image_file("fixed_labels", fixed_labels, given),
            moving_labels=None if moving_labels is None else image_file("moving_labels", moving_labels, given),
            label_names=None if label_names is None else names_file(label_names, given),
            initial_transform=_transform_file(initial_transform),
            device=device,
            threads=threads,
            seed=seed,
            seeds=seeds,
            deterministic=deterministic,
            data_folder=_data_folder(data_folder, given if parameters is None else Path.cwd()),
            allow_outside=allow_outside,
            trusted_models=None if trusted_models is None else tuple(Path(one) for one in trusted_models),
            resume=resume,
            checkpoint_every=0.0 if is_temporary else checkpoint_every,
            evaluation=evaluation,
        )
        if not any(given.iterdir()):
            given.rmdir()
        watcher = Watcher(callback)
        with showing_progress(sys.stderr, "auto" if progress else "none", stages=len(maps)) as shown:
            record = run_case(case, observers=(watcher, *shown), on_note=_say if progress else None, folder=work)
        for text in record.warnings:
            warnings.warn(text, InputWarning, stacklevel=2)
        if raise_on_failure and record.status != "complete":
            raise RegistrationFailedError(
                f"the registration failed: {record.message}", where=None if is_temporary else str(record.out)
            )
        if record.status == "complete" and record.is_bad:
            _say_bad(record, strict=strict, where=None if is_temporary else str(record.out))
        return Registration(record, tuple(watcher.states), is_temporary=is_temporary)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _say_bad(record: RunRecord, *, strict: bool, where: str | None) -> None:
    """Raise if `strict`, else warn of a result whose verdict is bad."""
    assert record.verdict is not None
    text = record.verdict.lines()[0]
    if strict:
        raise RegistrationFailedError(text, where=where)
    warnings.warn(text, InputWarning, stacklevel=3)


@contextlib.contextmanager
def _folder(out: str | PathLike[str] | None) -> Iterator[tuple[Path, bool]]:
    """The folder of a run, and whether it is a temporary one; that goes if the run fails."""
    if out is not None:
        yield Path(out), False
        return
    folder = Path(tempfile.mkdtemp(prefix="elastix-impact-"))
    try:
        yield folder, True
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _data_folder(given: str | PathLike[str] | None, usual: Path) -> Path:
    return usual if given is None else Path(given)


def _maps(parameters: Parameters | None, preset: str | None, pair: tuple[Path, Path], folder: Path) -> tuple[Path, ...]:
    if parameters is not None and preset is not None:
        raise InputError("both parameters and a preset were given", expected="one of them")
    if parameters is not None:
        return map_files(parameters, folder)
    return write_preset(find_preset(preset or DEFAULT), facts_of(*pair), folder)


def _transform_file(given: "str | PathLike[str] | Registration | None") -> Path | None:
    if isinstance(given, Registration):
        return given.transform_file
    return None if given is None else Path(given)
