"""The container image's CPU variant, built and run for real: the folder contract, users, signals, exit codes."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import pytest
import SimpleITK as sitk
from container import BASE, IMAGE, ROOT, SETTINGS, Container, build_base, build_image, buildah, facts_of_image, why_not

from small_case import MAP, write_small_case

pytestmark = [pytest.mark.image, pytest.mark.timeout(1500)]

USER = "1234:2345"


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    if why_not():
        pytest.skip(why_not())
    subprocess.run(["make", "wheel"], cwd=ROOT, check=True, capture_output=True, timeout=300)
    began = time.monotonic()
    build_base(tmp_path_factory.mktemp("base"))
    based = time.monotonic()
    build_image()
    built = time.monotonic()
    name = buildah("from", IMAGE).stdout.strip()
    yield Container(name, f"base built in {based - began:.0f} s, image in {built - based:.0f} s")
    buildah("rm", name, check=False)
    buildah("rmi", IMAGE, check=False)
    buildah("rmi", BASE, check=False)


@pytest.fixture
def case(tmp_path: Path) -> Path:
    return write_small_case(tmp_path / "Data")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "Out"
    folder.mkdir()
    return folder


@contextlib.contextmanager
def _running(container: Container, case: Path, out: Path) -> Iterator[tuple[subprocess.Popen[str], Iterator[str]]]:
    """A run that goes on, and the lines of its progress."""
    with subprocess.Popen(
        ["buildah", *container.words("run", "--progress", "json", volumes=_volumes(case, out))],
        env=os.environ | SETTINGS, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, encoding="utf-8",
    ) as process:  # fmt: skip
        assert process.stderr is not None
        yield process, iter(process.stderr)


def _volumes(case: Path, out: Path) -> dict[Path, str]:
    return {case: "/Data:ro", out: "/Out"}


def _record(out: Path) -> dict:
    return json.loads((out / "registration.json").read_text(encoding="utf-8"))


def test_size_layers_and_start(container: Container, case: Path, out: Path, capsys) -> None:
    size, layers, entry = facts_of_image()
    assert size < 2.0
    assert entry == ["elastix-impact-container"]
    began = time.monotonic()
    assert container.run("--help").returncode == 0
    helped = time.monotonic() - began
    began = time.monotonic()
    with _running(container, case, out) as (process, lines):
        first = next(time.monotonic() - began for line in lines if '"event": "level"' in line)
        assert list(lines)
        assert process.wait() == 0
    with capsys.disabled():
        sys.stdout.write(
            f"\nimage: {size:.2f} GB, {layers} layers, {helped:.2f} s to --help, {first:.2f} s to the first iteration; "
            f"{container.times}\n"
        )
    assert helped < 5
    assert first < 30


def test_the_folder_contract_end_to_end(container: Container, case: Path, out: Path) -> None:
    """Read-only data of another spelling and format, a mask, landmarks; and the files belong to the folder's owner."""
    for name, new in (("FixedImage.mha", "Fixed_image.nii.gz"), ("MovingImage.mha", "Moving_image.nii.gz")):
        sitk.WriteImage(sitk.ReadImage(str(case / name)), str(case / new))
        (case / name).unlink()
    fixed = sitk.ReadImage(str(case / "Fixed_image.nii.gz"))
    sitk.WriteImage(sitk.Cast(fixed > -1000, sitk.sitkUInt8), str(case / "Fixed_mask.nii.gz"))
    os.chown(out, 1234, 2345)
    done = container.run(volumes=_volumes(case, out))
    assert done.returncode == 0, done.stderr
    assert "GPU: " in done.stderr
    assert "20 landmarks" in done.stdout
    errors = _record(out)["landmarks_mm"]
    assert errors["after"]["mean"] < 0.5 * errors["before"]["mean"]
    assert {path.name for path in out.iterdir()} >= {
        "result.0.mha", "TransformParameters.0.txt", "elastix.log", "registration.json", "evaluation.json",
    }  # fmt: skip
    for path in out.iterdir():
        assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345), path.name
        assert path.stat().st_mode & 0o044 == 0o044


def test_any_user(container: Container, case: Path, out: Path) -> None:
    out.chmod(0o777)
    done = container.run("--report", volumes=_volumes(case, out), user=USER)
    assert done.returncode == 0, done.stderr
    assert (out / "report.html").stat().st_uid == 1234
    done = container.run("doctor", user=USER)
    assert done.returncode == 0, done.stdout


def test_several_maps_in_order(container: Container, case: Path, out: Path) -> None:
    shift = MAP.replace("BSplineTransform", "TranslationTransform").replace("(MaximumNumberOfIterations 40)", "")
    shift += "(MaximumNumberOfIterations 20)\n"
    (case / "ParameterMap.1.txt").write_text((case / "ParameterMap.txt").read_text())
    (case / "ParameterMap.txt").write_text(shift)
    done = container.run(volumes=_volumes(case, out))
    assert done.returncode == 0, done.stderr
    stages = _record(out)["stages"]
    assert [Path(stage["parameter_map"]["path"]).name for stage in stages] == ["ParameterMap.txt", "ParameterMap.1.txt"]
    assert '"TranslationTransform"' in (out / "TransformParameters.0.txt").read_text()


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("FixedImage.mha", "no fixed image in this folder"),
        ("ParameterMap.txt", "no parameter map in this folder"),
    ],
)
def test_missing_pieces_are_named(container: Container, case: Path, out: Path, missing: str, said: str) -> None:
    (case / missing).unlink()
    done = container.run(volumes=_volumes(case, out))
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(out.glob("result*"))


def test_mind_is_made_where_it_is_missing_and_other_models_are_named(
    container: Container, case: Path, out: Path
) -> None:
    (case / "Models/MIND/R1D2_3D.pt").unlink()
    done = container.run(volumes=_volumes(case, out))
    assert done.returncode == 0, done.stderr
    path = case / "ParameterMap.txt"
    path.write_text(path.read_text().replace("MIND/R1D2_3D.pt", "TS/M730.pt"))
    done = container.run(volumes=_volumes(case, out))
    assert done.returncode == 2
    assert "models download TS/M730" in done.stderr


def test_nothing_mounted(container: Container) -> None:
    done = container.run()
    assert done.returncode == 2
    assert "no fixed image" in done.stderr


def test_words_reach_the_program(container: Container, case: Path, out: Path) -> None:
    volumes = _volumes(case, out)
    assert container.run("check", "/Data/ParameterMap.txt", volumes=volumes).returncode == 0
    assert container.run("--version").stdout.startswith("elastix-impact ")
    assert "Exit codes" in container.run("--help").stdout
    assert container.run("nonsense").returncode == 2
    assert container.run("elastix", "--version").returncode == 0
    done = container.run(
        "elastix", "-f", "/Data/FixedImage.mha", "-m", "/Data/MovingImage.mha", "-p", "/Data/ParameterMap.txt",
        "-out", "/Out", volumes=volumes,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    words = ["-tp", "/Out/TransformParameters.0.txt", "-in", "/Data/MovingImage.mha", "-out", "/Out"]
    assert container.run("transformix", *words, volumes=volumes).returncode == 0
    assert (out / "result.mha").exists() or (out / "result.mhd").exists()


def test_elastix_and_transformix_are_on_its_path(container: Container) -> None:
    for program in ("elastix", "transformix"):
        done = buildah("run", container.name, "--", program, "--version", check=False)
        assert done.returncode == 0
        assert program in done.stdout


def test_a_signal_stops_it_and_marks_what_is_done(container: Container, case: Path, out: Path) -> None:
    text = (case / "ParameterMap.txt").read_text()
    (case / "ParameterMap.txt").write_text(text.replace("Iterations 40", "Iterations 100000"))
    with _running(container, case, out) as (process, lines):
        next(line for line in lines if '"event": "iteration"' in line)
        inside = subprocess.run(["pgrep", "-f", "elastix-impact run --progress json"], capture_output=True, text=True)
        for number in inside.stdout.split():
            if "python" in os.readlink(f"/proc/{number}/exe"):
                os.kill(int(number), signal.SIGTERM)
        said = "".join(lines)
        assert process.wait(timeout=60) == 128 + signal.SIGTERM
    assert "terminated" in said
    record = _record(out)
    assert (record["complete"], record["status"]) == (False, "interrupted")
    assert not list(out.glob("result*"))


def test_the_result_is_an_image_on_the_fixed_grid(container: Container, case: Path, out: Path) -> None:
    text = (case / "ParameterMap.txt").read_text()
    (case / "ParameterMap.txt").write_text(text.replace('ResultImageFormat "mha"', 'ResultImageFormat "nii.gz"'))
    assert container.run(volumes=_volumes(case, out)).returncode == 0
    assert nib.load(out / "result.0.nii.gz").shape == sitk.ReadImage(str(case / "FixedImage.mha")).GetSize()


def test_the_makefile_and_the_dockerfile_name_the_same_things() -> None:
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    assert "elastix_impact-*.whl" in dockerfile
    assert shutil.which("sh") is None or subprocess.run(
        ["sh", "-n", str(ROOT / "docker" / "entrypoint.sh")], check=True
    )
