"""The measures of a run, stage after stage, put into its record, files and log."""

import time
import warnings
from collections.abc import Sequence
from typing import final

from torch import Tensor

from elastix_impact.evaluation.summary import EvaluationSummary
from elastix_impact.io.warning import InputWarning
from elastix_impact.judging.evaluate import EVALUATION_FAILURES, Judge
from elastix_impact.judging.files import evaluation_files
from elastix_impact.judging.stages import stage_table
from elastix_impact.judging.text import evaluation_text
from elastix_impact.observers.log import RunLog
from elastix_impact.parameters.plan import StagePlan
from elastix_impact.registration.observe import Observer
from elastix_impact.staging.folder import RunFolder
from elastix_impact.transforms.base import AbstractTransform

from .inputs import CaseInputs
from .record import RunRecord


@final
class RunMeasures:
    """Measures a run's transforms; what goes wrong there is a warning, the first time.

    Parameters
    ----------
    observers
        Are told ``evaluation`` as a phase whenever a measuring begins.
    wanted
        Whether anything is measured at all.
    """

    def __init__(
        self,
        inputs: CaseInputs,
        record: RunRecord,
        folder: RunFolder,
        log: RunLog,
        observers: Sequence[Observer],
        *,
        wanted: bool,
    ) -> None:
        self._inputs, self._record, self._folder, self._log = inputs, record, folder, log
        self._observers, self._wanted = observers, wanted
        self._judges: dict[bool, Judge] = {}
        self._last: tuple[AbstractTransform | None, EvaluationSummary] | None = None

    def after_stage(self, plan: StagePlan, transform: AbstractTransform | None) -> None:
        """Measure what the last stage of the record, that of `plan`, reached: the whole transform so far, if known."""
        summary = None if transform is None else self._measure(plan, transform)
        if summary is not None:
            self._record.stage_evaluations[len(self._record.stages) - 1] = summary
            self._log.info(f"\n{stage_table(self._record.stage_rows)}\n")

    def at_end(self, plan: StagePlan, transform: AbstractTransform | None) -> None:
        """Measure the result, unless that was done, and write the files of it; None if there is none to apply.

        `plan` is that of the last stage.
        """
        summary = self._measure(plan, transform)
        if summary is None:
            return
        self._record.evaluation = summary
        if transform is not None:
            for name, text in evaluation_files(summary).items():
                self._folder.write_text(name, text)
            self._log.info(evaluation_text(summary))

    def moved_labels(self, plan: StagePlan, transform: AbstractTransform | None) -> Tensor | None:
        """The moving labels on the fixed image's grid, if they were moved there to be measured."""
        judge, labels = self._judges.get(plan.use_direction_cosines), self._inputs.labels
        if judge is None or labels is None or transform is None or labels[0].grid != self._inputs.fixed.grid:
            return None
        return judge.moved_labels(transform)

    def _measure(self, plan: StagePlan, transform: AbstractTransform | None) -> EvaluationSummary | None:
        if not self._wanted:
            return None
        if self._last is not None and self._last[0] is transform:
            return self._last[1]
        began = time.perf_counter()
        for observer in self._observers:
            observer.on_phase(plan.number_of_levels - 1, "evaluation")
        try:
            summary = self._judge(plan).evaluate(transform)
        except EVALUATION_FAILURES as error:
            self._wanted = False
            warnings.warn(f"the result could not be judged: {error}", InputWarning, stacklevel=2)
            return None
        self._last = transform, summary
        seconds = self._record.seconds
        seconds["evaluation"] = seconds.get("evaluation", 0.0) + time.perf_counter() - began
        return summary

    def _judge(self, plan: StagePlan) -> Judge:
        """The judge of transforms of the images as `plan` sees them."""
        key = plan.use_direction_cosines
        if key not in self._judges:
            self._judges[key] = Judge(self._inputs.seen_by(plan).judged(None))
        return self._judges[key]
