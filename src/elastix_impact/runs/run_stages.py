"""The stages of a case, one after the other, each from the result of the one before, and what follows the last."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import final

import torch

from elastix_impact.carrying.propagate import propagate
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
from elastix_impact.staging.folder import RunFolder
from elastix_impact.transforms.base import AbstractTransform

from .device import torch_settings
from .guard import guard_stage
from .handed_on import run_handed_on
from .inputs import CaseInputs
from .measures import RunMeasures
from .plans import CasePlan, FindModel
from .record import RunRecord, StageRecord
from .stage import Stage
from .stage_files import StageFilesObserver
from .transform_files import TransformFiles


@final
class StageRunner:
    """Runs the stages of a case; the record says how it ended.

    Attributes
    ----------
    transform
        The whole map so far, None = the identity, or of a kind that can't be read here.
    """

    def __init__(
        self,
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
        self._plan, self._devices, self._inputs, self._folder = plan, devices, inputs, folder
        self._log, self._record, self._observers = log, record, observers
        self._checkpoint, self._measures = checkpoint, measures
        self.transform: AbstractTransform | None = inputs.initial
        self._course, self._file = Course(inputs.initial, []), self._initial_file()

    def run(self) -> None:
        """Run them all, those that an earlier process has finished excepted."""
        for number, finished in enumerate(self._checkpoint.stages):
            for observer in self._observers:
                observer.on_start(self._plan.stages[number], "an earlier run")
            self._take(finished)
        reason = None
        for number in range(len(self._checkpoint.stages), len(self._devices)):
            reason = self._run_stage(number)
            if reason is not None:
                break
        plan = self._plan.stages[len(self._record.stages) - 1]
        if reason is not None and reason.is_failure:
            self._measures.at_end(plan, None)
            self._record.finish("failed", reason.value)
            self._record.verdict = failed_verdict(self._record.message)
            return
        self._finish(plan, "" if reason is None else reason.value)

    def _initial_file(self) -> str | None:
        if self.transform is None:
            return None
        return TransformFiles(self._folder, self._plan.stages[0], self._inputs.fixed.grid).write_initial(self.transform)

    def _take(self, finished: FinishedStage) -> None:
        """Go on from a stage that an earlier process has finished."""
        self._record.stages.append(finished)
        self._reach(finished.transform, finished.transform_file)

    def _reach(self, transform: AbstractTransform | None, name: str | None) -> None:
        """Go on from what the record's last stage has reached, after it was measured."""
        self.transform, self._file = transform, name
        self._course.stages.append(transform)
        self._measures.after_stage(self._plan.stages[len(self._record.stages) - 1], transform)

    def _run_stage(self, number: int) -> StopReason | None:
        """Run one stage; the reason if it failed or was stopped."""
        plan = self._plan.stages[number]
        stage = Stage(
            number, plan, self._inputs, self.transform, self._file, self._folder, self._log, self._devices[number]
        )
        self._log.info(stage_header(number, Path(plan.source)))
        if isinstance(plan, HandedOnPlan):
            self._hand_on(stage, plan)
            return None
        with torch_settings(self._record.threads, stage.device, deterministic=self._record.deterministic):
            result, name, guard = self._register(stage, plan, self._plan.finders[number])
        self._record.stages.append(StageRecord(plan, self._plan.effective[number], result, guard))
        if result.stop_reason.is_failure:
            return result.stop_reason
        is_stopped = result.stop_reason is StopReason.STOPPED_BY_OBSERVER
        if not is_stopped:
            self._keep(result.transform, name)
        self._reach(result.transform, name)
        return result.stop_reason if is_stopped else None

    def _hand_on(self, stage: Stage, plan: HandedOnPlan) -> None:
        is_last = stage.number + 1 == len(self._devices)
        outcome = run_handed_on(stage, plan, threads=self._record.threads, is_last=is_last, observers=self._observers)
        self._record.stages.append(outcome.record)
        self._keep(outcome.transform, outcome.record.transform_file)
        self._reach(outcome.transform, outcome.record.transform_file)

    def _keep(self, transform: AbstractTransform | None, name: str | None) -> None:
        """Write a checkpoint after the record's last stage."""
        self._checkpoint.finish_stage(FinishedStage(self._record.stages[-1].to_json(), transform, name))

    def _register(
        self, stage: Stage, plan: RegistrationPlan, find_model: FindModel
    ) -> tuple[RegistrationResult, str | None, GuardReport | None]:
        """Register and guard a stage and write its final files, unless it failed; also the transform file's name."""
        began, log = time.perf_counter(), LogObserver(stage.log)
        files = () if self._plan.repetition else (StageFilesObserver(stage, plan),)
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
            observers=[log, *files, *self._observers],
            keeper=self._checkpoint,
            resume_from=self._checkpoint.registration,
        )
        log.write_summary(result.levels)
        result, guard = guard_stage(stage, plan, result)
        name = None if result.stop_reason.is_failure else stage.write_final(result.current)
        seconds = duration(time.perf_counter() - began)
        stage.log.info(f"Time used for running elastix with this parameter file:\n  {seconds}.")
        return result, name, guard

    def _finish(self, plan: StagePlan, message: str) -> None:
        """Measure and judge the result, carry along what the inputs give for it; `plan` is that of the last stage."""
        record, inputs, measures = self._record, self._inputs, self._measures
        measures.at_end(plan, self.transform)
        record.carried += propagate(
            inputs.carried, inputs.frames(plan), self.transform, self._folder.path,
            label_names=inputs.label_names, moved=measures.moved_labels(plan, self.transform), note=self._folder.note,
        )  # fmt: skip
        seen, reports = inputs.seen_by(plan), [stage.to_json() for stage in record.stages]
        record.verdict = verdict_of(
            seen.judged(None), seen.moving_mask, self._course, self._plan.stages, reports, record.stage_evaluations,
            record.evaluation,
        )  # fmt: skip
        record.finish("complete", message)
