"""The same case with further seeds, and how far their results lie from the run's own."""

import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import final

from elastix_impact.errors import ElastixImpactError
from elastix_impact.io.read_transform import read_transform
from elastix_impact.io.scale import length_unit_of
from elastix_impact.io.warning import InputWarning
from elastix_impact.judging.evaluate import EVALUATION_FAILURES
from elastix_impact.judging.seeds import SeedRun, compare_seeds
from elastix_impact.judging.verdict import joined
from elastix_impact.judging.witness import Witness
from elastix_impact.resuming.checkpoint import FILE_NAME as CHECKPOINT
from elastix_impact.staging.earlier import SEEDS_FOLDER, is_complete
from elastix_impact.staging.folder import RunFolder
from elastix_impact.staging.swap import remove_tree
from elastix_impact.transforms.base import AbstractTransform

from .case import Case
from .inputs import CaseInputs
from .plans import SEEDS, CasePlan
from .record import RunRecord


@final
class FurtherSeeds:
    """The further runs of a case.

    Parameters
    ----------
    plan
        Of the run whose result is compared with theirs.
    run
        Runs a case.
    folder
        Of the run; they get folders of their own in it.
    tell
        Called with a line when one begins.
    """

    def __init__(
        self,
        case: Case,
        plan: CasePlan,
        folder: RunFolder,
        run: Callable[[Case], RunRecord],
        tell: Callable[[str], None],
    ) -> None:
        self._case, self._plan, self._folder, self._run, self._tell = case, plan, folder, run, tell

    def compare(self, inputs: CaseInputs, record: RunRecord, transform: AbstractTransform | None) -> None:
        """Run the case with each further seed; the record gets the comparison, its verdict the checks of it.

        Warns
        -----
        InputWarning
            If the result itself is not one that can be compared.
        """
        if record.verdict is None or transform is None or record.status != "complete" or record.message:
            why = record.message or "the result could not be judged"
            warnings.warn(f"no further seed was tried: {why}", InputWarning, stacklevel=2)
            return
        began = time.perf_counter()
        own = SeedRun(self._plan.stages[0].random_seed, transform)
        runs = [own, *(self._repeat(own.seed, repetition) for repetition in range(1, self._case.seeds))]
        seen = inputs.seen_by(self._plan.stages[-1])
        try:
            witness = Witness.of(seen.fixed, seen.moving, seen.fixed_mask, seen.moving_mask)
            record.seeds = compare_seeds(witness, runs, length_unit_of(inputs.fixed))
        except EVALUATION_FAILURES as error:
            warnings.warn(f"the results of the seeds could not be compared: {error}", InputWarning, stacklevel=2)
            return
        record.verdict = joined(record.verdict, record.seeds.verdict())
        record.seconds["seeds"] = time.perf_counter() - began
        record.finish("complete")

    def _repeat(self, own: int, repetition: int) -> SeedRun:
        """What the run with a further seed reached; one that an earlier process has finished is not made again."""
        seed = (own + repetition) % SEEDS
        self._tell(f"running again with seed {seed} ({repetition + 1} of {self._case.seeds})")
        case = replace(
            self._case, out=self._folder.path / SEEDS_FOLDER / str(seed), create_out=True, repetition=repetition,
            seeds=1, evaluation=False, carry=False, fixed_labels=None, moving_labels=None, label_names=None,
        )  # fmt: skip
        try:
            if not (case.resume and is_complete(case.out)):
                if not (case.out / CHECKPOINT).exists():
                    remove_tree(case.out)
                record = self._run(case)
                if record.status != "complete":
                    return SeedRun(seed, None, record.message)
            last = len(self._plan.stages) - 1
            name = f"TransformParameters.{last}.{self._plan.stages[last].output.transform_file_format}"
            return SeedRun(seed, read_transform(case.out / name).as_stored)
        except ElastixImpactError as error:
            return SeedRun(seed, None, str(error))
