"""Free memory is what the strictest limit leaves: of the machine, of a control group or of one above it, of ulimit."""

import subprocess
import sys
from pathlib import Path

import pytest

from elastix_impact.io.system_memory import FreeMemory, free_memory_of_system, memory_of_process

GIB = 1 << 30
NO_LIMIT = 9223372036854771712
"""What version 1 writes for none."""


def _plant(root: Path, files: dict[str, str]) -> Path:
    machine = {
        "proc/meminfo": f"MemTotal: {24 << 20} kB\nMemAvailable: {20 << 20} kB\n",
        "proc/self/status": f"VmSize:\t{1 << 20} kB\nVmData:\t{1 << 19} kB\nVmHWM:\t900 kB\nVmRSS:\t800 kB\n",
        "proc/self/limits": "Max data size             unlimited            unlimited            bytes\n",
    }
    for name, text in (machine | files).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def _group(folder: str, **files: str) -> dict[str, str]:
    return {f"sys/fs/cgroup/{folder}/memory.{name}": text for name, text in files.items()}


def test_without_limits_the_machine_rules(tmp_path: Path) -> None:
    root = _plant(tmp_path, {"proc/self/cgroup": "0::/\n"})
    assert free_memory_of_system(root) == FreeMemory(20 * GIB, "of the machine")


def test_a_group_leaves_its_limit_less_what_is_used_but_for_file_cache(tmp_path: Path) -> None:
    own = _group("a", max=f"{4 * GIB}\n", high="max\n", current=f"{3 * GIB}\n", stat=f"anon 1\ninactive_file {GIB}\n")
    root = _plant(tmp_path, {"proc/self/cgroup": "0::/a\n"} | own)
    assert free_memory_of_system(root) == FreeMemory(2 * GIB, "by the cgroup /a")


def test_the_soft_limit_counts_too(tmp_path: Path) -> None:
    own = _group("a", max=f"{4 * GIB}\n", high=f"{GIB}\n", current="0\n", stat="")
    root = _plant(tmp_path, {"proc/self/cgroup": "0::/a\n"} | own)
    assert free_memory_of_system(root) == FreeMemory(GIB, "by the cgroup /a")


def test_a_group_above_may_be_stricter(tmp_path: Path) -> None:
    own = _group("a/b/c", max=f"{8 * GIB}\n", current="0\n", stat="")
    above = _group("a", max=f"{3 * GIB}\n", current=f"{2 * GIB}\n", stat="inactive_file 0\n")
    root = _plant(tmp_path, {"proc/self/cgroup": "0::/a/b/c\n"} | own | above)
    assert free_memory_of_system(root) == FreeMemory(GIB, "by the cgroup /a")


def test_a_container_sees_its_own_group_at_the_root(tmp_path: Path) -> None:
    own = {
        "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2 * GIB}\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{GIB}\n",
        "sys/fs/cgroup/memory/memory.stat": f"cache 5\ntotal_inactive_file {GIB // 2}\n",
    }
    root = _plant(tmp_path, {"proc/self/cgroup": "5:cpu:/x\n4:memory:/docker/0123\n0::/\n"} | own)
    assert free_memory_of_system(root) == FreeMemory(3 * GIB // 2, "by the cgroup /")


def test_the_first_version_s_number_for_no_limit_is_none(tmp_path: Path) -> None:
    own = {
        "sys/fs/cgroup/memory/a/memory.limit_in_bytes": f"{NO_LIMIT}\n",
        "sys/fs/cgroup/memory/a/memory.usage_in_bytes": f"{GIB}\n",
    }
    root = _plant(tmp_path, {"proc/self/cgroup": "4:cpuset,memory:/a\n"} | own)
    assert free_memory_of_system(root) == FreeMemory(20 * GIB, "of the machine")


def test_a_group_that_is_over_its_limit_leaves_nothing(tmp_path: Path) -> None:
    own = _group("a", max=f"{GIB}\n", current=f"{2 * GIB}\n", stat="inactive_file 0\n")
    root = _plant(tmp_path, {"proc/self/cgroup": "0::/a\n"} | own)
    assert free_memory_of_system(root) == FreeMemory(0, "by the cgroup /a")


@pytest.mark.parametrize(
    ("line", "bytes_left", "words"),
    [
        (f"Max address space         {3 * GIB}           {3 * GIB}           bytes\n", 2 * GIB, "by ulimit -v"),
        (f"Max data size             {GIB}           unlimited           bytes\n", GIB // 2, "by ulimit -d"),
    ],
)
def test_ulimit(tmp_path: Path, line: str, bytes_left: int, words: str) -> None:
    root = _plant(tmp_path, {"proc/self/limits": line})
    assert free_memory_of_system(root) == FreeMemory(bytes_left, words)


def test_a_system_that_does_not_tell(tmp_path: Path) -> None:
    assert free_memory_of_system(tmp_path) is None
    assert memory_of_process(tmp_path) is None


def test_memory_of_the_process(tmp_path: Path) -> None:
    assert memory_of_process(_plant(tmp_path, {})) == (800 << 10, 900 << 10)


def test_a_child_under_ulimit_sees_it() -> None:
    code = "from elastix_impact.io.system_memory import free_memory_of_system as f; print(f().bytes, f().limit)"
    script = f'ulimit -v {2 << 20}; exec "$0" -c "{code}"'
    said = subprocess.run(["bash", "-c", script, sys.executable], capture_output=True, text=True, check=True).stdout
    left, _, words = said.strip().partition(" ")
    assert words == "by ulimit -v"
    assert GIB < int(left) < 2 * GIB
