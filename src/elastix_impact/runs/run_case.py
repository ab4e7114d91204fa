"""A case end to end: files in, a run folder out. The command line, the container and batches all come through here."""

import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

import torch
from torch import Tensor

from elastix_impact.carrying.carried_file import CarriedFile
from elastix_impact.carrying.propagate import propagate
from elastix_impact.io.warning import InputWarning
from elastix_impact.judging.course import Course
from elastix_impact.judging.guarding import GuardReport
from elastix_impact.judging.run_verdict import verdict_of
from elastix_impact.judging.verdict import failed_verdict
from elastix_impact.observers.log import LogObserver, RunLog
from elastix_impact.observers.log_text import duration, stage_header
from elastix_impact.parameters.plan import HandedOnPlan, RegistrationPlan, StagePlan
from elastix_impact.registration.observe import Observer
from elastix_impact.registration.register import register
from elastix_impact.registration.result import RegistrationResult, StopReason
from elastix_impact.resuming.checkpoint import Checkpoint, FinishedStage
from elastix_impact.resuming.fingerprint import fingerprint
from elastix_impact.transforms.base import AbstractTransform

from .case import Case
from .collect_warnings import collecting_warnings
from .device import choose_device, choose_threads, torch_settings
from .folder import RunFolder
from .guard import guard_stage
from .handed_on import run_handed_on
from .inputs import CaseInputs, read_inputs
from .measures import RunMeasures
from .plans import CasePlan, FindModel, find_models, plan_case, resolve_for
from .record import RunRecord, StageRecord
from .recording import recorded, run_header, told
from .stage import Stage
from .stage_files import StageFilesObserver
from .transform_files import TransformFiles


def run_case(
    case: Case,
    *,
    observers: Sequence[Observer] = (),
    command: Sequence[str] = (),
    log_echo: TextIO | None = None,
    earlier_warnings: Sequence[str] = (),
    on_warning: Callable[[str], None] | None = None,
) -> RunRecord:
    """Run a case: check, read, register stage after stage, write, evaluate.

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

    Returns
    -------
    RunRecord
        With `status` ``"complete"``, or ``"failed"`` and the sentence of the stop reason if a registration failed.

    Raises
    ------
    ElastixImpactError
        For input that can't be used. Faults of the maps and missing models are found before an image is read; once
        the folder is open, `elastix.log` and `registration.json` say what happened, whatever happens.
    """
    record = RunRecord(out=case.out, command=tuple(command), warnings=list(earlier_warnings))
    with collecting_warnings(record.warnings, on_warning):
        plan = plan_case(case.maps, case.seed, case.data_folder, case.trusted_models)
        devices = [_device(case, stage) for stage in plan.stages]
        models = find_models(plan)
        folder = RunFolder.open(case.out, create=case.create_out)
    record.out, record.files = folder.path, folder.files
    record.threads, record.deterministic = choose_threads(case.threads), case.deterministic
    with recorded(record, folder, case, log_echo) as log:
        log.info(run_header(case, plan, record))
        with collecting_warnings(record.warnings, told(log, on_warning)):
            inputs = read_inputs(case, plan.stages)
            record.inputs = inputs.facts()
            plan = resolve_for(plan, inputs.fixed.grid.dimension)
            checkpoint = _checkpoint(case, plan, inputs, models, devices, folder, record)
            measures = RunMeasures(inputs, record, folder, log, observers, wanted=case.evaluation)
            _run_stages(plan, devices, inputs, folder, log, record, observers, checkpoint, measures)
            checkpoint.remove()
    return record


def _checkpoint(
    case: Case,
    plan: CasePlan,
    inputs: CaseInputs,
    models: Sequence[Path],
    devices: Sequence[torch.device],
    folder: RunFolder,
    record: RunRecord,
) -> Checkpoint:
    """What an earlier process left if the run is to be continued, else a new checkpoint in a cleared folder."""
    began = time.perf_counter()
    depends_on = fingerprint(plan.stages, inputs.by_words(), models, devices, record.threads, record.deterministic)
    record.seconds["checkpoints"] = time.perf_counter() - began
    checkpoint = Checkpoint(folder.path, case.checkpoint_every, depends_on, record)
    if not (case.resume and checkpoint.resume()):
        checkpoint.remove()
        folder.clear_stages(len(case.maps), plan.result_names, [*case.input_files().values(), *case.maps])
    return checkpoint


def _device(case: Case, plan: StagePlan) -> torch.device:
    """Where a stage runs; itk-elastix runs on the CPU."""
    if isinstance(plan, HandedOnPlan):
        return torch.device("cpu")
    device, notes = choose_device(case.device, plan, strict=case.strict_gpu)
    for note in notes:
        warnings.warn(note, InputWarning, stacklevel=2)
    return device


def _run_stages(
    plan: CasePlan,
    devices: Sequence[torch.device],
    inputs: CaseInputs,
    folder: RunFolder,
    log: RunLog,
    record: RunRecord,
    observers: Sequence[Observer],
    checkpoint: Checkpoint,
    measures: RunMeasures,
) -> None:
    """Run stage after stage, each from the result of the one before; the record says how it ended."""
    transform, name, course = inputs.initial, None, Course(inputs.initial, [])
    if transform is not None:
        name = TransformFiles(folder, plan.stages[0], inputs.fixed.grid).write_initial(transform)
    for number, finished in enumerate(checkpoint.stages):
        record.stages.append(finished)
        transform, name = finished.transform, finished.transform_file
        course.stages.append(transform)
        for observer in observers:
            observer.on_start(plan.stages[number], "an earlier run")
        measures.after_stage(plan.stages[number], transform)
    for number, device in list(enumerate(devices))[len(checkpoint.stages) :]:
        stage = Stage(number, plan.stages[number], inputs, transform, name, folder, log, device)
        log.info(stage_header(number, Path(stage.plan.source)))
        if isinstance(stage.plan, HandedOnPlan):
            is_last = number + 1 == len(devices)
            outcome = run_handed_on(
                stage, stage.plan, seed=plan.seed, threads=record.threads, is_last=is_last, observers=observers
            )
            record.stages.append(outcome.record)
            transform, name = outcome.transform, outcome.record.transform_file
            course.stages.append(transform)
            checkpoint.finish_stage(FinishedStage(outcome.record.to_json(), transform, name))
            measures.after_stage(stage.plan, transform)
            continue
        with torch_settings(record.threads, device, deterministic=record.deterministic):
            result, name, guard = _run_stage(stage, stage.plan, plan.finders[number], observers, checkpoint)
        record.stages.append(StageRecord(stage.plan, plan.effective[number], result, guard))
        if result.stop_reason.is_failure:
            measures.at_end(stage.plan, None)
            record.finish("failed", result.stop_reason.value)
            record.verdict = failed_verdict(record.message)
            return
        transform = result.transform
        course.stages.append(transform)
        is_stopped = result.stop_reason is StopReason.STOPPED_BY_OBSERVER
        if not is_stopped:
            checkpoint.finish_stage(FinishedStage(record.stages[-1].to_json(), transform, name))
        measures.after_stage(stage.plan, transform)
        if is_stopped:
            record.message = result.stop_reason.value
            break
    last = plan.stages[len(record.stages) - 1]
    measures.at_end(last, transform)
    record.carried += _carry(inputs, transform, last, folder, measures.moved_labels(last, transform))
    seen, reports = inputs.seen_by(last), [stage.to_json() for stage in record.stages]
    record.verdict = verdict_of(
        seen.judged(None), seen.moving_mask, course, plan.stages, reports, record.stage_evaluations, record.evaluation
    )
    record.finish("complete", record.message)


def _carry(
    inputs: CaseInputs, transform: AbstractTransform | None, plan: StagePlan, folder: RunFolder, moved: Tensor | None
) -> list[CarriedFile]:
    """Carry what the inputs give for it to the other image; `plan` is that of the last stage."""
    return propagate(
        inputs.carried, inputs.frames(plan), transform, folder.path,
        label_names=inputs.label_names, moved=moved, note=folder.note,
    )  # fmt: skip


def _run_stage(
    stage: Stage,
    plan: RegistrationPlan,
    find_model: FindModel,
    observers: Sequence[Observer],
    checkpoint: Checkpoint,
) -> tuple[RegistrationResult, str | None, GuardReport | None]:
    """Register and guard one stage and write its final files, unless it failed; also the transform file's name."""
    began = time.perf_counter()
    log_observer, files_observer = LogObserver(stage.log), StageFilesObserver(stage, plan)
    inputs = stage.inputs.seen_by(plan)
    result = register(
        plan,
        inputs.fixed,
        inputs.moving,
        fixed_mask=inputs.fixed_mask,
        moving_mask=inputs.moving_mask,
        landmarks=inputs.landmarks,
        initial=stage.initial,
        find_model=find_model,
        device=stage.device,
        observers=[log_observer, files_observer, *observers],
        keeper=checkpoint,
        resume_from=checkpoint.registration,
    )
    log_observer.write_summary(result.levels)
    result, guard = guard_stage(stage, plan, result)
    name = None if result.stop_reason.is_failure else stage.write_final(result.current)
    stage.log.info(
        f"Time used for running elastix with this parameter file:\n  {duration(time.perf_counter() - began)}."
    )
    return result, name, guard
