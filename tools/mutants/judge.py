"""A plugin of pytest that runs collected tests again and again, each time in a fork with one fault planted.

PyTorch, the package and the tests are imported once; a fork with a fault then costs no more than its tests. First all
tests run once, to learn which lines each of them passes and how long it takes.
"""

import json
import os
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from .faults import Fault, faults_in
from .plant import plant

SURVIVED, KILLED, IMPOSSIBLE, UNSEEN = "survived", "killed", "impossible", "unseen"
BROKEN = 3
"""Exit status of a child in which not a test went wrong, but this program."""
TIME_FACTOR = 5.0
"""CPU time that tests may take with a fault, in their time without; after that they hang, and it counts as seen."""


@dataclass(frozen=True)
class Wanted:
    """What is asked for: rooms by name with their folder, faults per room, seed, and CPU seconds of tests per fault."""

    rooms: dict[str, Path]
    faults: int
    seed: int
    seconds: float


@dataclass
class Judge:
    """The plugin; `outcomes` holds a word of this module for each fault, by room, once pytest has ended."""

    wanted: Wanted
    outcomes: dict[str, list[tuple[Fault, str]]] = field(default_factory=dict)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of pytest's own loop."""
        if session.testsfailed:
            raise session.Interrupted(f"{session.testsfailed} files of tests can't be collected")
        tests = _tests_by_line(session, self.wanted)
        for room, folder in self.wanted.rooms.items():
            every = [fault for path in sorted(folder.rglob("*.py")) for fault in faults_in(path)]
            drawn = random.Random(self.wanted.seed).sample(every, min(self.wanted.faults, len(every)))
            _check_that_sound_code_passes(session, tests, every)
            self.outcomes[room] = []
            for fault in sorted(drawn, key=lambda fault: (str(fault.path), fault.line)):
                chosen = _quickest(tests[str(fault.path), fault.line], self.wanted.seconds)
                self.outcomes[room].append((fault, _outcome(session, fault, chosen)))
        return True


def _check_that_sound_code_passes(
    session: pytest.Session, tests: dict[tuple[str, int], dict[int, float]], faults: list[Fault]
) -> None:
    """A fault that is none must survive, or whatever is planted would count as seen."""
    fault = next(fault for fault in faults if tests[str(fault.path), fault.line])
    sound = replace(fault, text=fault.path.read_text(encoding="utf-8"))
    if _outcome(session, sound, _quickest(tests[str(fault.path), fault.line], 0.0)) != SURVIVED:
        raise RuntimeError(f"tests fail where nothing was planted, in {fault.path}")


def _outcome(session: pytest.Session, fault: Fault, chosen: dict[int, float]) -> str:
    if not chosen:
        return UNSEEN

    def run() -> int:
        if not plant(fault):
            return 2
        return int(_fails(session, list(chosen)))

    status = _forked(run, TIME_FACTOR * sum(chosen.values()) + 10)
    return {0: SURVIVED, 2: IMPOSSIBLE}.get(status, KILLED)


def _fails(session: pytest.Session, chosen: list[int]) -> bool:
    """Whether one of these tests fails; those behind it don't run."""
    for place, following in zip(chosen, [*chosen[1:], None]):
        item = session.items[place]
        item.config.hook.pytest_runtest_protocol(
            item=item, nextitem=None if following is None else session.items[following]
        )
        if session.testsfailed:
            return True
    return False


def _quickest(tests: dict[int, float], seconds: float) -> dict[int, float]:
    """The quickest tests, as many as take so many seconds together, the quickest first."""
    chosen, spent = {}, 0.0
    for place, took in sorted(tests.items(), key=lambda test: test[1]):
        spent += took
        if spent > seconds and chosen:
            break
        chosen[place] = took
    return chosen


def _forked(run: Callable[[], int], seconds: float) -> int:
    """What a function returns in a child that may take so many CPU seconds; -1 if it died."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == BROKEN:
            raise RuntimeError("planting faults itself went wrong, see above")
        return status
    status, complaints = BROKEN, os.fdopen(os.dup(2), "w")
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
        status = run()
    except BaseException:
        traceback.print_exc(file=complaints)
        complaints.flush()
        status = BROKEN
    finally:
        os._exit(status)


def _tests_by_line(session: pytest.Session, wanted: Wanted) -> dict[tuple[str, int], dict[int, float]]:
    """For each file and line the tests that pass it, by their places in `session.items`, and their CPU seconds."""
    handle, name = tempfile.mkstemp()
    os.close(handle)
    try:
        status = _forked(lambda: _write_lines(session, wanted, Path(name)), 3600)
        if status:
            raise session.Interrupted("a test fails without any fault: run it by itself")
        seen = json.loads(Path(name).read_text())
    finally:
        os.unlink(name)
    tests: dict[tuple[str, int], dict[int, float]] = defaultdict(dict)
    for place, (took, lines) in enumerate(seen):
        for path, line in lines:
            tests[path, line][place] = took
    return tests


def _write_lines(session: pytest.Session, wanted: Wanted, target: Path) -> int:
    folders = tuple(f"{folder}{os.sep}" for folder in wanted.rooms.values())
    passed: set[tuple[str, int]] = set()

    def here(frame: FrameType, event: str, _: Any) -> Any:
        passed.add((frame.f_code.co_filename, frame.f_lineno))
        return here

    def calls(frame: FrameType, event: str, argument: Any) -> Any:
        return here(frame, event, argument) if frame.f_code.co_filename.startswith(folders) else None

    seen = []
    for place in range(len(session.items)):
        passed.clear()
        began = time.process_time()
        sys.settrace(calls)
        fails = _fails(session, [place])
        sys.settrace(None)
        if fails:
            print(session.items[place].nodeid, file=sys.__stderr__)
            return 1
        seen.append((time.process_time() - began, sorted(passed)))
    target.write_text(json.dumps(seen))
    return 0
