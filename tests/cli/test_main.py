"""The command as a whole: help, version, codes, and failures as one paragraph."""

import errno
import signal
import subprocess
import sys

import pytest

from elastix_impact import __version__
from elastix_impact.cli import run
from elastix_impact.cli.failures import Terminated, describe
from elastix_impact.cli.main import main
from elastix_impact.errors import DeviceError, RegistrationFailedError


def test_help_lists_every_command(capsys) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for command in ("run", "register", "elastix", "check", "evaluate", "models", "demo", "Exit codes"):
        assert command in text


def test_version(capsys) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"elastix-impact {__version__}\n"


@pytest.mark.parametrize("words", [[], ["nonsense"], ["register"], ["register", "-f", "a"], ["evaluate"]])
def test_wrong_words_are_bad_input(words: list[str], capsys) -> None:
    assert main(words) == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--threads", "0"], ["--threads", "x"], ["--seed", "-1"], ["--seed", str(2**32)]])
def test_options_say_what_they_need(option: list[str], capsys) -> None:
    assert main(["run", *option]) == 2
    assert "needs a whole number" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--help"], ["register", "--help"], ["elastix", "--help"], ["models", "--help"]])
def test_help_needs_neither_torch_nor_simpleitk(words: list[str]) -> None:
    code = (
        "import sys; from elastix_impact.cli.main import main; code = main(sys.argv[1:]); "
        "heavy = {'torch', 'SimpleITK', 'nibabel', 'numpy', 'rich'} & set(sys.modules); "
        "assert not heavy, heavy; sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def raising(error: BaseException):
    def fail(_arguments: object) -> int:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (DeviceError("cuda is absent", where="--device", remedy="Give --device cpu"), 2, "--device: cuda is absent"),
        (RegistrationFailedError("the metric is NaN"), 1, "the metric is NaN"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (Terminated(), 143, "terminated"),
        (MemoryError(), 1, "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), 1, "ImpactVoxelSize"),
        (OSError(errno.ENOSPC, "No space left on device", "/Out/x"), 2, "the disk is full: /Out/x"),
        (ZeroDivisionError("division by zero"), 1, "fault of elastix-impact"),
    ],
)
def test_every_failure_is_one_line_and_a_code(error: BaseException, code: int, words: str, capsys, monkeypatch) -> None:
    monkeypatch.setattr(run, "run_run", raising(error))
    assert main(["run"]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert words in captured.err
    assert captured.err.startswith("elastix-impact: error: ")
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err


def test_debug_shows_the_traceback(capsys, monkeypatch) -> None:
    monkeypatch.setattr(run, "run_run", raising(DeviceError("absent")))
    for words in (["--debug", "run"], ["run", "--debug"]):
        assert main(words) == 2
        assert "Traceback" in capsys.readouterr().err


def test_sigterm_is_raised_inside_the_command_and_the_old_handler_comes_back(monkeypatch, capsys) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def kill_me(_arguments: object) -> int:
        signal.raise_signal(signal.SIGTERM)
        return 0

    monkeypatch.setattr(run, "run_run", kill_me)
    assert main(["run"]) == 143
    assert signal.getsignal(signal.SIGTERM) is before
    assert "marked as incomplete" in capsys.readouterr().err


def test_a_full_disk_is_recognised_by_its_number() -> None:
    assert describe(OSError(errno.EDQUOT, "Disk quota exceeded"))[1] == 2
    assert "fault of elastix-impact" in describe(OSError(errno.EIO, "Input/output error"))[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["register", "-f", "a", "-m", "b", "-o", "o", "--fixed-maks", "c"],
            "--fixed-maks c (did you mean --fixed-mask?)",
        ),
        (["transform", "-t", "a", "--lables=b"], "--lables=b (did you mean --labels?)"),
        (["models", "inspect", "a.pt", "--qqq"], "unrecognized arguments: --qqq"),
    ],
)
def test_unknown_options_are_errors_that_name_the_nearest_known_one(words: list[str], said: str, capsys) -> None:
    assert main(words) == 2
    assert said in " ".join(capsys.readouterr().err.split())
