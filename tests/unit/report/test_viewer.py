"""The volumes inside the viewer's page: small copies that lie where the images lie."""

import base64
import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from elastix_impact.cli.main import main
from elastix_impact.errors import InputError
from elastix_impact.report.viewer import write_viewer
from elastix_impact.report.viewer_volumes import LONGEST
from small_case import structures, world_points, write_small_case, write_small_labels


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("viewer")
    write_small_labels(write_small_case(folder / "Data"))
    assert main(["run", "--data", str(folder / "Data"), "--out", str(folder / "Out"), "--quiet"]) == 0
    return folder / "Out"


def _content(page: Path) -> dict[str, Any]:
    """What the page's program is given."""
    return json.loads(re.findall(r"show\((\{\"images\".*)\);$", page.read_text(encoding="utf-8"), re.MULTILINE)[0])


def _volumes(page: Path, folder: Path, kind: str = "images") -> dict[str, sitk.Image]:
    found = {}
    for volume in _content(page)[kind]:
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
    page = write_viewer(out)
    steps = {one["name"]: (one["low"], one["step"]) for one in _content(page)["images"]}
    volumes = {
        name: steps[name][0] + steps[name][1] * sitk.GetArrayFromImage(one).astype(float)
        for name, one in _volumes(page, tmp_path).items()
    }
    away = {name: np.abs(one - volumes["fixed"])[3:-3, 3:-3, 3:-3].mean() for name, one in volumes.items()}
    assert away["moving, registered"] < 0.6 * away["moving, before"]
    fixed = sitk.GetArrayFromImage(sitk.ReadImage(str(out.parent / "Data" / "FixedImage.mha")))
    middle = np.abs(volumes["fixed"] - fixed)[2:-2, 2:-2, 2:-2]
    assert np.median(middle) < steps["fixed"][1]


def test_structures_are_layers_the_moving_ones_as_shells(out: Path, tmp_path: Path) -> None:
    page = write_viewer(out)
    layers = {name: sitk.GetArrayFromImage(one) for name, one in _volumes(page, tmp_path, "labels").items()}
    wanted = structures(world_points())
    assert list(layers) == ["fixed", "before", "after"]
    assert (layers["fixed"] == wanted).mean() > 0.999
    for name in ("before", "after"):
        assert set(np.unique(layers[name])) == {0, 1, 2}
        assert 0.2 < (layers[name] > 0).sum() / (wanted > 0).sum() < 0.8
    places = {name: np.argwhere(one > 0).mean(axis=0) for name, one in layers.items()}
    away = {name: np.linalg.norm(place - places["fixed"]) for name, place in places.items()}
    assert away["after"] < 0.5 * away["before"]


def test_landmarks_and_names_are_in_the_page(out: Path) -> None:
    content = _content(write_viewer(out))
    assert [one["name"] for one in content["structures"]] == ["label 1", "label 2"]
    rows = list(csv.DictReader((out / "landmarks.csv").read_text(encoding="utf-8").splitlines()))
    assert len(content["landmarks"]) == len(rows) == 20
    first = content["landmarks"][0]
    assert first["place"] == [
        -float(rows[0]["fixed_x_mm"]),
        -float(rows[0]["fixed_y_mm"]),
        float(rows[0]["fixed_z_mm"]),
    ]
    assert first["error"] == float(rows[0]["after_mm"])


def test_names_of_structures_cannot_end_the_program(out: Path, tmp_path: Path) -> None:
    shutil.copytree(out, tmp_path / "Out")
    evaluation = json.loads((out / "evaluation.json").read_text())
    evaluation["labels"]["after"]["labels"][0]["name"] = "</script><b>"
    (tmp_path / "Out" / "evaluation.json").write_text(json.dumps(evaluation))
    page = write_viewer(tmp_path / "Out")
    assert _content(page)["structures"][0]["name"] == "</script><b>"
    assert "</script><b>" not in page.read_text(encoding="utf-8")


def test_a_run_without_a_result_has_no_viewer(tmp_path: Path) -> None:
    data = write_small_case(tmp_path / "Data")
    (data / "MovingImage.mha").write_bytes(b"no image")
    assert main(["run", "--data", str(data), "--out", str(tmp_path / "Out"), "--quiet"]) == 2
    with pytest.raises(InputError, match="the volumes can't be shown"):
        write_viewer(tmp_path / "Out")
