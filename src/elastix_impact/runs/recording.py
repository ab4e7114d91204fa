"""The log and the record of a run: whatever happens, they say how it ended."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from elastix_impact.errors import ElastixImpactError
from elastix_impact.observers.log import RunLog
from elastix_impact.observers.log_text import footer, header
from elastix_impact.resuming.checkpoint import FILE_NAME as CHECKPOINT

from .case import Case
from .folder import RunFolder
from .plans import CasePlan
from .record import FILE_NAME, RunRecord, versions

LOG_NAME = "elastix.log"

_CONTINUE = "The same command with --resume continues the run."


@contextlib.contextmanager
def recorded(record: RunRecord, folder: RunFolder, case: Case, echo: TextIO | None) -> Iterator[RunLog]:
    """Open the log; whatever happens in the block, log and `registration.json` say how it ended.

    What interrupts a run that can be continued gets a note that says so.
    """
    began = time.perf_counter()
    kept = folder.path / CHECKPOINT
    log = RunLog(folder.path / LOG_NAME, append=case.resume and kept.exists(), level=case.log_level, echo=echo)
    folder.note(folder.path / LOG_NAME)
    folder.write_text(FILE_NAME, record.to_text())
    try:
        yield log
    except ElastixImpactError as error:
        record.finish("error", str(error))
        raise
    except Exception as error:
        record.finish("error", f"{type(error).__name__}: {error}")
        raise
    except BaseException as error:
        record.finish("interrupted", str(error) or "The run was interrupted")
        if kept.exists() and _CONTINUE not in getattr(error, "__notes__", ()):
            error.add_note(_CONTINUE)
        raise
    finally:
        record.seconds["total"] = time.perf_counter() - began
        log.info(footer(record.landmarks, record.seconds["total"]))
        if record.seeds is not None:
            log.info(record.seeds.to_text())
        if record.verdict is not None:
            log.info("\n".join(record.verdict.lines()))
        if record.status != "complete":
            log.error(f"the run is not complete ({record.status}): {record.message}")
        log.close()
        folder.write_text(FILE_NAME, record.to_text())


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
