"""What `run`, `register` and `demo` share: their options, running the case, and the words at the end."""

import argparse
import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .failures import BAD_INPUT, FAILED, say, say_end, say_note, say_warning
from .report import add_report
from .time_limit import duration, time_limit
from .watchdog import ending_after

if TYPE_CHECKING:
    from elastix_impact.runs.case import Case
    from elastix_impact.runs.record import RunRecord
    from elastix_impact.staging.folder import RunFolder
    from elastix_impact.zoo.apart import Limits


MODEL_SECONDS = 600
"""How long a model may take while it is tried out."""

_PER_LEVEL = re.compile(r"\.R\d+\.|/")


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command that registers."""
    parser.add_argument(
        "--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps (default: the map's ImpactGPU)"
    )
    parser.add_argument(
        "--threads", type=positive, metavar="N", help="CPU threads (default: physical cores, at most 8)"
    )
    parser.add_argument("--seed", type=seed, metavar="N", help="random seed instead of the map's RandomSeed")
    parser.add_argument(
        "--seeds", type=positive, default=1, metavar="N",
        help="run N - 1 times more, with the next seeds, into DIR/seeds/SEED, and let the verdict say how far the "
        "results differ (takes N times as long; with --resume finished ones are kept; default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--deterministic", action="store_true", help="the same bytes from run to run on a GPU too; a CPU always does so"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue a killed or interrupted run from its checkpoint, if it left one",
    )
    parser.add_argument(
        "--checkpoint-every", type=seconds, default=30.0, metavar="SECONDS",
        help="time between two checkpoints (default: 30; 0: none)",
    )  # fmt: skip
    parser.add_argument(
        "--time-limit", type=duration, metavar="TIME",
        help="stop with a checkpoint and exit code 3 after this time, e.g. 55m or 1h30m; --resume continues",
    )  # fmt: skip
    add_trust_option(parser)
    add_model_limits(parser)
    parser.add_argument(
        "--no-evaluation", dest="evaluation", action="store_false", help="do not measure the result (saves its time)"
    )
    parser.add_argument(
        "--report", action="store_true", help="make report.html, a page to look at, in the output folder"
    )
    parser.add_argument(
        "--progress",
        choices=("auto", "plain", "json", "none"),
        default="auto",
        help="on stderr: a bar or plain lines, whatever suits it (auto), lines, JSON objects, or nothing",
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 if the verdict on the result is bad (see docs/verdict.md)"
    )
    parser.add_argument("--quiet", action="store_true", help="the same as --progress none")
    parser.add_argument("--json", action="store_true", help="print the record of the run as JSON on stdout")


def add_label_names_option(add: Callable[..., argparse.Action]) -> None:
    """Add the option that says what structures are called."""
    add(
        "--label-names",
        type=Path,
        metavar="FILE",
        help="names of the structures: TotalSegmentator's or nnU-Net's JSON, an ITK-SNAP or 3D Slicer table, or CSV "
        "(default: as the label files say)",
    )


def add_trust_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that says where models may come from; an environment variable says it for every command."""
    parser.add_argument(
        "--trusted-models",
        type=Path,
        action="append",
        metavar="DIR",
        help="load models from this folder only; a TorchScript file is a program (again: a further folder; "
        "default: $ELASTIX_IMPACT_TRUSTED_MODELS, else any; set and empty: none)",
    )


def trusted_models(arguments: argparse.Namespace) -> tuple[Path, ...] | None:
    """The folders that models may come from; None = what the environment says."""
    named: list[Path] | None = arguments.trusted_models
    return None if named is None else tuple(named)


def model_trial(seconds: float = MODEL_SECONDS, code: int = BAD_INPUT) -> AbstractContextManager[None]:
    """What ends this process if models that are tried before a run take longer."""
    return ending_after(
        seconds,
        f"the models did not come to an end within {seconds:g} s on two small images. `elastix-impact models verify` "
        "tells which one does not; --model-timeout gives a slow one more time",
        code,
    )


def add_model_limits(parser: argparse.ArgumentParser) -> None:
    """Add the option that says how long a model may take while it is looked into."""
    parser.add_argument(
        "--model-timeout", type=duration, default=MODEL_SECONDS, metavar="TIME",
        help="end the process that tries a model out after this time, e.g. 90 or 10m (default: 10m)",
    )  # fmt: skip


def model_limits(arguments: argparse.Namespace) -> "Limits":
    """What a model may take while it is looked into."""
    from elastix_impact.zoo.apart import Limits

    return Limits(seconds=arguments.model_timeout)


def positive(text: str) -> int:
    """A whole number above 0, for argparse."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"needs a whole number above 0, got {text!r}")
    return int(text)


def seconds(text: str) -> float:
    """A number of seconds from 0 on, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"needs a number of seconds from 0 on, got {text!r}")
    return value


def seed(text: str) -> int:
    """A whole number from 0 to 2**32 - 1, for argparse."""
    if not text.isdigit() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"needs a whole number from 0 to {2**32 - 1}, got {text!r}")
    return int(text)


def run_and_report(
    case: "Case", arguments: argparse.Namespace, warned: Sequence[str] = (), folder: "RunFolder | None" = None
) -> "RunRecord":
    """Run a case by these options, with progress on stderr; print what was measured and written on stdout.

    `warned` holds the warnings said before, for the record; for `folder` see `run_case`.
    """
    from elastix_impact.diagnosis.gpu import CONTAINER, gpu_line
    from elastix_impact.observers.progress import showing_progress
    from elastix_impact.parameters.text import count_parameter_maps
    from elastix_impact.runs.run_case import run_case

    case = replace(
        case, threads=arguments.threads, seed=arguments.seed, seeds=arguments.seeds, resume=arguments.resume,
        deterministic=arguments.deterministic, trusted_models=trusted_models(arguments),
        checkpoint_every=arguments.checkpoint_every, evaluation=arguments.evaluation,
    )  # fmt: skip
    form = "none" if arguments.quiet else arguments.progress
    if os.environ.get(CONTAINER) and form != "none":
        say_note(gpu_line())
    stages = sum(map(count_parameter_maps, case.maps))
    with showing_progress(sys.stderr, form, stages=stages) as observers, time_limit(arguments.time_limit):
        record = run_case(
            case,
            observers=observers,
            command=arguments.command_line,
            earlier_warnings=warned,
            on_warning=say_warning,
            on_note=None if form == "none" else say_note,
            folder=folder,
            trial=model_trial(arguments.model_timeout),
        )
    say_end(status=record.status, out=record.out, seconds=record.seconds["total"])
    if arguments.report:
        record.files += add_report(record.out)
    sys.stdout.write(record.to_text() if arguments.json else report_text(record))
    return record


def exit_code(record: "RunRecord", *, strict: bool = False) -> int:
    """0 if the run is complete (and, if `strict`, its verdict is not bad); else 1, after a paragraph on stderr."""
    if record.status == "complete" and not (strict and record.is_bad):
        return 0
    if record.status == "complete":
        say(f"--strict: the verdict on the result is bad. See {record.out / 'registration.json'}.")
        return FAILED
    say(f"the registration failed: {record.message}. See {record.out / 'elastix.log'}.")
    return FAILED


def report_text(record: "RunRecord") -> str:
    """The verdict, what was measured and carried along, and the files; those of single levels are only counted."""
    from elastix_impact.judging.stages import stage_table
    from elastix_impact.judging.text import evaluation_text

    parts = ["\n".join(record.verdict.lines())] if record.verdict else []
    if record.seeds:
        parts.append(record.seeds.to_text())
    if record.evaluation:
        parts.append(evaluation_text(record.evaluation))
    if len(record.stages) > 1 and record.stage_evaluations:
        parts.append(stage_table(record.stage_rows))
    if record.carried:
        parts.append("\n".join(one.to_text() for one in record.carried))
    final = [name for name in record.files if not _PER_LEVEL.search(name)]
    more = len(record.files) - len(final)
    parts.append(f"{record.out}: {', '.join(final)}{f' and {more} more' if more else ''}\n")
    return "\n\n".join(parts)
