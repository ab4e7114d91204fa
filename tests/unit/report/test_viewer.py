"""The volumes inside the viewer's page: small copies that lie where the images lie."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from elastix_impact.cli.main import main
from elastix_impact.errors import InputError
from elastix_impact.report.viewer import LONGEST, write_viewer
from small_case import write_small_case


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("viewer")
    write_small_case(folder / "Data")
    assert main(["run", "--data", str(folder / "Data"), "--out", str(folder / "Out"), "--quiet"]) == 0
    return folder / "Out"


def _volumes(page: Path, folder: Path) -> dict[str, sitk.Image]:
    found = {}
    for volume in json.loads(re.findall(r"show\((\[\{.*)\);$", page.read_text(encoding="utf-8"), re.MULTILINE)[0]):
        path = folder / "volume.nii.gz"
        path.write_bytes(base64.b64decode(volume["data"]))
        found[volume["name"]] = sitk.ReadImage(str(path))
    return found


def test_copies_lie_where_the_fixed_image_lies(out: Path, tmp_path: Path) -> None:
    volumes = _volumes(write_viewer(out, tmp_path / "v.html"), tmp_path)
    assert list(volumes) == ["fixed", "moving, before", "moving, registered"]
    fixed = sitk.ReadImage(json.loads((out / "registration.json").read_text())["inputs"]["fixed"]["path"])
    for copy in volumes.values():
        assert max(copy.GetSize()) <= LONGEST
        assert copy.GetPixelID() == sitk.sitkUInt8
        middles = [
            image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()])
            for image in (fixed, copy)
        ]
        np.testing.assert_allclose(middles[0], middles[1], atol=1e-3)
        extents = [np.multiply(image.GetSize(), image.GetSpacing()) for image in (fixed, copy)]
        np.testing.assert_allclose(extents[0], extents[1], atol=max(copy.GetSpacing()))


def test_the_registered_copy_is_nearer_to_the_fixed_one(out: Path, tmp_path: Path) -> None:
    volumes = {name: sitk.GetArrayFromImage(one) for name, one in _volumes(write_viewer(out), tmp_path).items()}
    away = {name: np.abs(one.astype(float) - volumes["fixed"]).mean() for name, one in volumes.items()}
    assert away["moving, registered"] < 0.7 * away["moving, before"]


def test_a_run_without_a_result_has_no_viewer(tmp_path: Path) -> None:
    data = write_small_case(tmp_path / "Data")
    (data / "MovingImage.mha").write_bytes(b"no image")
    assert main(["run", "--data", str(data), "--out", str(tmp_path / "Out"), "--quiet"]) == 2
    with pytest.raises(InputError, match="the volumes can't be shown"):
        write_viewer(tmp_path / "Out")
