"""The process behind `cleared_folder`: standard library only, run as a script.

Its first line of input is a folder, as JSON; each further one the number of a process that works there, 0 for none any
more. Input that ends with ``null`` means that all is well. If it just ends, whoever started this was killed: then the
working process ends too, and the folder goes.
"""

import contextlib
import json
import os
import shutil
import signal
import sys


def main() -> None:
    """Wait for the end."""
    folder = json.loads(sys.stdin.readline() or "null")
    worker = 0
    for line in sys.stdin:
        said = json.loads(line)
        if said is None:
            return
        worker = int(said)
    if worker:
        with contextlib.suppress(OSError):
            os.kill(worker, getattr(signal, "SIGKILL", signal.SIGTERM))
    if folder is not None:
        for _ in range(2):  # a file may have been made meanwhile
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
