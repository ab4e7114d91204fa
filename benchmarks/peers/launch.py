"""`python launch.py SECONDS REPORT.json COMMAND ...`: runs a command and reports what it cost.

A process of its own, because Linux hands the peak memory of a parent down to the child that it starts: this one is
small. REPORT.json gets CPU and wall seconds, peak resident memory in MiB and the exit code; the command is ended after
SECONDS of CPU time.
"""

import json
import resource
import subprocess
import sys
import time


def main(seconds: str, report: str, *command: str) -> None:
    """Run the command; its words go where this process' words go."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 5))
    began = time.perf_counter()
    code = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = {
        "cpu_s": usage.ru_utime + usage.ru_stime, "wall_s": time.perf_counter() - began,
        "peak_mib": usage.ru_maxrss / 1024, "code": code,
    }  # fmt: skip
    with open(report, "w", encoding="utf-8") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
