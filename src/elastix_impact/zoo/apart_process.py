"""The process that looks into one model for `apart`: the request comes on stdin, the answer goes to stdout as JSON."""

import json
import os
import sys
import warnings
from pathlib import Path

from elastix_impact.child_process import end_with_parent
from elastix_impact.errors import ElastixImpactError, ModelError

LARGEST_FILE_WRITTEN = 64 << 20


def main() -> None:
    """Answer the request; what the model prints goes to stderr."""
    answer = os.dup(1)
    os.dup2(2, 1)
    request = json.loads(sys.stdin.read())
    text = _found(request["what"], Path(request["path"]), request["trusted"], request["memory"])
    with os.fdopen(answer, "w", encoding="utf-8") as file:
        file.write(text)


def _found(what: str, path: Path, trusted: list[str] | None, memory: int) -> str:
    from elastix_impact.zoo.failures import is_memory_short
    from elastix_impact.zoo.inspect import inspect_model
    from elastix_impact.zoo.report_json import to_json
    from elastix_impact.zoo.trust import trusting
    from elastix_impact.zoo.verify import verify_model

    warnings.simplefilter("ignore")
    _limit(memory)
    try:
        with trusting(None if trusted is None else [Path(one) for one in trusted]):
            return to_json(inspect_model(path) if what == "inspect" else verify_model(path))
    except (ElastixImpactError, RuntimeError, MemoryError) as error:
        if is_memory_short(error):
            error = ModelError(
                f"the model takes more than the {memory / 1e9:.1f} GB of memory that it may",
                where=str(path),
                remedy="Don't use it if you don't know its source; else close other programs",
            )
        if not isinstance(error, ElastixImpactError):
            raise
        return json.dumps({"error": [type(error).__name__, error.what, error.where, error.expected, error.remedy]})


def _limit(memory: int) -> None:
    """Let this process take so many more bytes than it has now, and write no large file."""
    try:
        import resource
    except ImportError:  # Windows
        return
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    for kind, most in (
        (resource.RLIMIT_AS, pages * os.sysconf("SC_PAGE_SIZE") + memory),
        (resource.RLIMIT_FSIZE, LARGEST_FILE_WRITTEN),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    end_with_parent()
    main()
