"""A case end to end: files in, a run folder out. The command line, the container and batches all come through here."""

import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TextIO

import torch

from elastix_impact.errors import ImageError
from elastix_impact.io.collect_warnings import collecting_warnings
from elastix_impact.io.input_files import file_facts
from elastix_impact.io.warning import InputWarning
from elastix_impact.parameters.plan import HandedOnPlan, RegistrationPlan, StagePlan
from elastix_impact.planning.fit import check_fit
from elastix_impact.planning.foresee import foresee
from elastix_impact.planning.pair import PairSizes
from elastix_impact.registration.observe import Observer
from elastix_impact.resuming.checkpoint import FILE_NAME as CHECKPOINT
from elastix_impact.resuming.checkpoint import Checkpoint
from elastix_impact.resuming.fingerprint import fingerprint
from elastix_impact.staging.earlier import refuse_inputs
from elastix_impact.staging.folder import RunFolder
from elastix_impact.staging.outside import check_inside
from elastix_impact.staging.staged import staged
from elastix_impact.zoo.trust import trusting

from .case import Case
from .device import choose_device, choose_threads, torch_settings
from .inputs import CaseInputs, read_inputs
from .measures import RunMeasures
from .plans import CasePlan, find_models, plan_case, resolve_for, try_models
from .record import RunRecord
from .recording import noted, recorded, run_header, told
from .run_stages import StageRunner
from .seeds import FurtherSeeds


def run_case(
    case: Case,
    *,
    observers: Sequence[Observer] = (),
    command: Sequence[str] = (),
    log_echo: TextIO | None = None,
    earlier_warnings: Sequence[str] = (),
    on_warning: Callable[[str], None] | None = None,
    on_note: Callable[[str], None] | None = None,
    folder: RunFolder | None = None,
    trial: AbstractContextManager[None] | None = None,
) -> RunRecord:
    """Run a case: check, read, register stage after stage, write, evaluate, compare seeds.

    Parameters
    ----------
    observers
        Watch every stage, beside the log and the files.
    command
        The command line, for the record.
    log_echo
        Stream that gets what `elastix.log` gets.
    earlier_warnings
        What the caller has warned of already, for the record.
    on_warning
        Called with each warning as it comes; all of them are in the record too.
    on_note
        Called with a line when the case begins again with a further seed; observers do not watch that.
    folder
        That of `work_folder`, if the caller has put something there; None = it is made here.
    trial
        Entered while the models are tried before the first stage; None = nothing.

    Returns
    -------
    RunRecord
        With `status` ``"complete"``, or ``"failed"`` and the sentence of the stop reason if a registration failed. Its
        `out` is where the files are: the folder in which the run worked, if an earlier result has kept its place.

    Raises
    ------
    ElastixImpactError
        For input that can't be used. Faults of the maps and missing models are found before an image is read; once
        the folder is open, `elastix.log` and `registration.json` say what happened, whatever happens.
    """
    record = RunRecord(out=case.out, command=tuple(command), warnings=list(earlier_warnings))
    with trusting(case.trusted_models):
        with collecting_warnings(record.warnings, on_warning):
            plan = plan_case(case.maps, case.seed, case.data_folder, case.repetition)
            devices = [_device(case, stage) for stage in plan.stages]
            models = find_models(plan)
            files = _files_read(case, plan, models)
            refuse_inputs(
                case.out, len(plan.stages), plan.result_names, plan.feature_folders, [*files.values(), *case.maps]
            )
            if not case.allow_outside:
                check_inside(plan.raw, plan.stages, case.out)
        opened = nullcontext(folder) if folder else work_folder(case.out, create=case.create_out, resume=case.resume)
        with opened as folder:
            record.out, record.files = folder.target, folder.files
            record.threads, record.deterministic = choose_threads(case.threads), case.deterministic
            with recorded(record, folder, case, plan, log_echo) as log:
                log.info(run_header(case, plan, record))
                with collecting_warnings(record.warnings, told(log, on_warning)):
                    with trial or nullcontext():
                        log.info(_foresee(case, plan, devices, record))
                    inputs = read_inputs(case, plan.stages)
                    record.inputs = inputs.facts()
                    record.files_read = [{"role": role, **file_facts(path.absolute())} for role, path in files.items()]
                    plan = resolve_for(plan, inputs.fixed.grid.dimension)
                    checkpoint = _checkpoint(case, plan, inputs, models, devices, folder, record)
                    measures = RunMeasures(inputs, record, folder, log, observers, wanted=case.evaluation)
                    stages = StageRunner(plan, devices, inputs, folder, log, record, observers, checkpoint, measures)
                    stages.run()
                    if case.seeds > 1:
                        seeds = FurtherSeeds(case, plan, folder, _run_again(command), noted(log, on_note))
                        seeds.compare(inputs, record, stages.transform)
                    checkpoint.remove()
    return record


def work_folder(out: Path, *, create: bool, resume: bool) -> AbstractContextManager[RunFolder]:
    """The folder that a case into `out` works in, under the lock of `out`; see `staged`."""
    return staged(out, create=create, continues=CHECKPOINT if resume else None)


def _run_again(command: Sequence[str]) -> Callable[[Case], RunRecord]:
    """What runs a case in a folder that is part of another run's."""
    return lambda case: run_case(case, command=command, folder=RunFolder.open(case.out, create=True))


def _files_read(case: Case, plan: CasePlan, models: Sequence[Path]) -> dict[str, Path]:
    """The files that a case reads, maps excluded, by role."""
    files, first = case.input_files(), plan.stages[0]
    if isinstance(first, RegistrationPlan) and first.initial_transform is not None:
        files.setdefault("initial transform", Path(first.initial_transform))
    return files | {f"model {path.name}": path for path in models}


def _foresee(case: Case, plan: CasePlan, devices: Sequence[torch.device], record: RunRecord) -> str:
    """Try the models, and put the forecast of memory and time into the record; its table.

    Raises
    ------
    ElastixImpactError
        If a model does not run, a map is for another dimension, or the run can't fit into memory.
    """
    files = case.input_files()
    try:
        pair = PairSizes.of(files)
    except ImageError:  # `read_inputs` says why
        try_models(plan)
        return "No forecast: a header can't be read."
    resolved = resolve_for(plan, pair.dimension)
    try_models(resolved)
    with torch_settings(record.threads, devices[0], deterministic=record.deterministic):
        made, room = foresee(
            pair, resolved.stages, plan.finders, devices, initial="initial transform" in files,
            evaluation=case.evaluation,
        )  # fmt: skip
    record.forecast = made.to_json()
    check_fit(made, room)
    return made.to_text()


def _checkpoint(
    case: Case,
    plan: CasePlan,
    inputs: CaseInputs,
    models: Sequence[Path],
    devices: Sequence[torch.device],
    folder: RunFolder,
    record: RunRecord,
) -> Checkpoint:
    """What an earlier process left if the run is to be continued, else a new checkpoint."""
    began = time.perf_counter()
    depends_on = fingerprint(plan.stages, inputs.by_words(), models, devices, record.threads, record.deterministic)
    record.seconds["checkpoints"] = time.perf_counter() - began
    checkpoint = Checkpoint(folder.path, case.checkpoint_every, depends_on, record)
    if not (case.resume and checkpoint.resume()):
        checkpoint.remove()
    return checkpoint


def _device(case: Case, plan: StagePlan) -> torch.device:
    """Where a stage runs; itk-elastix runs on the CPU."""
    if isinstance(plan, HandedOnPlan):
        return torch.device("cpu")
    device, notes = choose_device(case.device, plan, strict=case.strict_gpu)
    for note in notes:
        warnings.warn(note, InputWarning, stacklevel=2)
    return device
