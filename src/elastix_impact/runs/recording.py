"""The log and the record of a run: whatever happens, they say how it ended."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from elastix_impact.errors import ElastixImpactError, OutputError
from elastix_impact.observers.log import RunLog
from elastix_impact.observers.log_text import footer, header
from elastix_impact.resuming.checkpoint import FILE_NAME as CHECKPOINT
from elastix_impact.staging.folder import RunFolder
from elastix_impact.staging.staged import keeps_result, publish
from elastix_impact.staging.swap import RECORD

from .case import Case
from .plans import CasePlan
from .record import RunRecord, Status, versions

LOG_NAME = "elastix.log"

_CONTINUE = "The same command with --resume continues the run."


@contextlib.contextmanager
def recorded(record: RunRecord, folder: RunFolder, case: Case, plan: CasePlan, echo: TextIO | None) -> Iterator[RunLog]:
    """Open the log; whatever happens in the block, log and `registration.json` say how it ended.

    A staged run then takes its target over; one that did not end well only where no earlier result is lost, and if it
    can't be continued. An error says where the files are else, and if the run can be continued.
    """
    began = time.perf_counter()
    kept = folder.path / CHECKPOINT
    log = RunLog(folder.path / LOG_NAME, append=case.resume and kept.exists(), level=case.log_level, echo=echo)
    folder.note(folder.path / LOG_NAME)
    try:
        folder.write_text(RECORD, record.to_text())
        yield log
    except BaseException as error:
        record.finish(*_ending(error))
        _end(record, folder, case, plan, log, time.perf_counter() - began)
        if kept.exists() and record.status == "interrupted":
            _add_note(error, _CONTINUE)
        _say_where(error, record, folder)
        raise
    _end(record, folder, case, plan, log, time.perf_counter() - began)


def _ending(error: BaseException) -> tuple[Status, str]:
    """How an error ends a run: status and message."""
    if isinstance(error, ElastixImpactError):
        return "error", str(error)
    if isinstance(error, Exception):
        return "error", f"{type(error).__name__}: {error}"
    return "interrupted", str(error) or "The run was interrupted"


def _add_note(error: BaseException, text: str) -> None:
    if text not in getattr(error, "__notes__", ()):
        error.add_note(text)


def _end(record: RunRecord, folder: RunFolder, case: Case, plan: CasePlan, log: RunLog, seconds: float) -> None:
    """Write how the run ended, and put its files where they belong; raises OutputError where that fails."""
    record.seconds["total"] = seconds
    staged = folder.path != folder.target
    complete = record.status == "complete"
    moves = staged and (complete or not (keeps_result(folder) or (folder.path / CHECKPOINT).exists()))
    record.out, record.staged_in = (folder.target, folder.path) if moves else (folder.path, None)
    try:
        _write_end(record, log)
        folder.write_text(RECORD, record.to_text())
        if moves:
            publish(folder, len(plan.stages), sorted(plan.result_names), [*case.input_files().values(), *case.maps])
    except BaseException as error:
        record.out, record.staged_in = folder.path, None
        if complete:
            record.finish(*_ending(error))
        with contextlib.suppress(OutputError):
            folder.write_text(RECORD, record.to_text())
        if complete or not isinstance(error, OutputError):
            _say_where(error, record, folder)
            raise


def _say_where(error: BaseException, record: RunRecord, folder: RunFolder) -> None:
    """Add to an error where the files of its run are, unless they are in their places."""
    if record.out != folder.target:
        earlier = "; the earlier result in the folder above it is as it was" if keeps_result(folder) else ""
        _add_note(error, f"What the run had is in {record.out}{earlier}.")


def _write_end(record: RunRecord, log: RunLog) -> None:
    """The log's last lines."""
    with contextlib.closing(log):
        log.info(footer(record.landmarks, record.seconds["total"], record.processors.remark()))
        if record.seeds is not None:
            log.info(record.seeds.to_text())
        if record.verdict is not None:
            log.info("\n".join(record.verdict.lines()))
        if record.status != "complete":
            log.error(f"the run is not complete ({record.status}): {record.message}")


def told(log: RunLog, on_warning: Callable[[str], None] | None) -> Callable[[str], None]:
    """A function that puts a warning into the log and hands it on."""

    def tell(text: str) -> None:
        log.warning(text)
        if on_warning is not None:
            on_warning(text)

    return tell


def noted(log: RunLog, on_note: Callable[[str], None] | None) -> Callable[[str], None]:
    """A function that puts a line into the log and hands it on."""

    def tell(text: str) -> None:
        log.info(text)
        if on_note is not None:
            on_note(text)

    return tell


def run_header(case: Case, plan: CasePlan, record: RunRecord) -> str:
    """The log's first lines."""
    return header(
        versions(), started=record.started, threads=record.threads, command=record.command, files=case.input_files(),
        out=record.out, remarks=[*(f"WARNING: {text}" for text in record.warnings), *plan.hints],
    )  # fmt: skip
