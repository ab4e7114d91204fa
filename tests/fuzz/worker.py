"""A process of its own that reads what may end it."""

import multiprocessing
import traceback
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

HANG_SECONDS = 20.0


class Worker:
    """Calls one function again and again in a child process, which is started anew after it has died."""

    def __init__(self, function: Callable[[Any], str]) -> None:
        self._function = function
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, self._function), daemon=True)
        self._process.start()
        there.close()

    def __call__(self, given: Any) -> str:
        """What the function says; ``"died ..."``, ``"hangs"`` or ``"traceback ..."`` where it says nothing."""
        self._pipe.send(given)
        try:
            if self._pipe.poll(HANG_SECONDS + 60 * (self._first)):
                self._first = False
                return self._pipe.recv()
            said = "hangs"
        except (EOFError, ConnectionResetError):
            self._process.join()
            said = f"died with {self._process.exitcode}"
        self.__exit__(None, None, None)
        self._start()
        return said

    _first = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _serve(pipe: Connection, function: Callable[[Any], str]) -> None:
    from elastix_impact.errors import ElastixImpactError

    warnings.simplefilter("ignore")
    while True:
        given = pipe.recv()
        try:
            said = function(given)
        except ElastixImpactError as error:
            said = f"refused {type(error).__name__} {error}"
        except BaseException:
            said = f"traceback {traceback.format_exc()}"
        pipe.send(said)
