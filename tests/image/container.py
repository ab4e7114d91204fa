"""A container image that is built and run without a Docker engine: buildah, chroot isolation, a debootstrapped base."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BASE, IMAGE = "localhost/elastix-impact-test-base:py", "localhost/elastix-impact-test"

SETTINGS = {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}

WHEELS = Path("/opt/wheels")
"""Where a machine may keep PyTorch's CPU wheel; else it comes from pytorch.org."""

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def why_not() -> str:
    """Why no image can be built here; "" if it can."""
    missing = [tool for tool in ("buildah", "debootstrap") if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} not installed (apt-get install buildah debootstrap)"
    return "" if os.geteuid() == 0 else "only root can build images by chroot"


def buildah(*words: str, check: bool = True, timeout: float = 900) -> subprocess.CompletedProcess[str]:
    """Run buildah."""
    done = subprocess.run(
        ["buildah", *words], env=os.environ | SETTINGS, capture_output=True, encoding="utf-8", timeout=timeout
    )
    assert not check or done.returncode == 0, done.stderr
    return done


def build_base(folder: Path) -> None:
    """Debian with Python, as an image; the archive's files are kept below the temporary folder for the next time."""
    if buildah("images", "-q", BASE, check=False).stdout.strip():
        return
    words = ["--variant=minbase", "--include=python3,python3-venv,ca-certificates", "bookworm", str(folder / "debian")]
    subprocess.run(["debootstrap", *words], check=True, capture_output=True, timeout=600)
    container = buildah("from", "scratch").stdout.strip()
    buildah("add", "-q", container, str(folder / "debian"), "/")
    buildah("commit", "-q", container, BASE)
    buildah("rm", container)
    shutil.rmtree(folder / "debian")


def build_image() -> None:
    """The CPU variant, from the wheel beside the Dockerfile."""
    words = ["bud", "-q", "--build-arg", f"BASE_IMAGE={BASE}", "--build-arg", "VARIANT=cpu", "-t", IMAGE]
    if WHEELS.is_dir():
        words += ["--build-arg", "TORCH_INDEX=default", "--build-arg", f"PIP_OPTIONS=--find-links {WHEELS}"]
        words += ["-v", f"{WHEELS}:{WHEELS}:ro"]
    if CERTIFICATES.exists():
        words += ["-v", f"{CERTIFICATES}:{CERTIFICATES}:ro"]
    buildah(*words, str(ROOT / "docker"))


@dataclass(frozen=True)
class Container:
    """A container of the image, waiting; `run` does what ``docker run`` does."""

    name: str
    times: str

    def words(self, *words: str, volumes: dict[Path, str] | None = None, user: str = "") -> list[str]:
        """The command line of a run, the image's entry point included."""
        mounts = [word for host, inside in (volumes or {}).items() for word in ("-v", f"{host}:{inside}")]
        who = ["--user", user] if user else []
        return ["run", *mounts, *who, self.name, "--", "elastix-impact-container", *words]

    def run(
        self, *words: str, volumes: dict[Path, str] | None = None, user: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end; the exit code is that of the program inside."""
        return buildah(*self.words(*words, volumes=volumes, user=user), check=False)


def facts_of_image() -> tuple[float, int, list[str]]:
    """Size in GB, number of layers, and the entry point."""
    image = json.loads(buildah("inspect", "--type", "image", IMAGE).stdout)
    (listed,) = json.loads(buildah("images", "--json", IMAGE).stdout)
    number, unit = listed["size"].split()
    size = float(number) * {"MB": 1e-3, "GB": 1.0}[unit]
    layers = image["OCIv1"]["rootfs"]["diff_ids"]
    return size, len(layers), image["OCIv1"]["config"]["Entrypoint"]
