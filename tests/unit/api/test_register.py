"""`elastix_impact.register`: inputs in every form give one result; what goes wrong names what was given."""

import gc
import json
import weakref
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

import elastix_impact as ei
from elastix_impact.api.inputs import map_text
from elastix_impact.cli.main import main
from elastix_impact.errors import InputError, RegistrationFailedError
from elastix_impact.io.warning import InputWarning
from elastix_impact.parameters.text import parse_parameter_text
from elastix_impact.runs.record import RunRecord
from small_case import MAP, MOTION, SIZE, write_small_case


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_small_case(tmp_path_factory.mktemp("api") / "Data")
    (folder / "ParameterMap.txt").write_text(MAP.replace("Iterations 40", "Iterations 15"))
    return folder


@pytest.fixture(scope="module")
def by_files(data: Path) -> ei.Registration:
    return _register(data, data / "FixedImage.mha", data / "MovingImage.mha")


def _register(data: Path, fixed: object, moving: object, **more: object) -> ei.Registration:
    settings = {"parameters": data / "ParameterMap.txt", "data_folder": data, "seed": 3, "threads": 2, "device": "cpu"}
    return ei.register(fixed, moving, **{**settings, **more})


def _forms(path: Path) -> dict[str, object]:
    image = ei.read_image(path)
    return {
        "text": str(path),
        "Image": image,
        "SimpleITK": sitk.ReadImage(str(path)),
        "numpy": (image.data.numpy().astype(np.int16), image.grid),
        "tensor": (image.data.double(), image.grid),
    }


@pytest.mark.parametrize("form", ["text", "Image", "SimpleITK", "numpy", "tensor"])
def test_every_form_of_image_gives_the_same_result(data: Path, by_files: ei.Registration, form: str) -> None:
    images = (_forms(data / f"{role}Image.mha")[form] for role in ("Fixed", "Moving"))
    found = _register(data, *images)
    torch.testing.assert_close(found.transform.parameters, by_files.transform.parameters, rtol=0, atol=0)
    assert torch.equal(found.warped.data, by_files.warped.data)


def test_it_is_what_the_command_line_does(data: Path, by_files: ei.Registration, tmp_path: Path) -> None:
    words = [
        "-f",
        str(data / "FixedImage.mha"),
        "-m",
        str(data / "MovingImage.mha"),
        "-p",
        str(data / "ParameterMap.txt"),
    ]
    more = ["--data", str(data), "--seed", "3", "--threads", "2", "--device", "cpu", "--quiet"]
    assert main(["register", *words, *more, "-o", str(tmp_path)]) == 0
    theirs = (tmp_path / "TransformParameters.0.txt").read_text()
    assert by_files.transform_file.read_text() == theirs


def test_the_result_says_everything(data: Path) -> None:
    masks = sitk.Cast(sitk.ReadImage(str(data / "FixedImage.mha")) > -300, sitk.sitkUInt8)
    points = [ei.read_points(data / f"{role}_landmarks.txt", None).world_points for role in ("Fixed", "Moving")]
    labels = {
        f"{role}_labels": sitk.ReadImage(str(data / f"{role.title()}Image.mha")) > 0 for role in ("fixed", "moving")
    }
    found = _register(
        data, data / "FixedImage.mha", data / "MovingImage.mha", fixed_mask=masks, fixed_points=points[0],
        moving_points=points[1].numpy(), **labels,
    )  # fmt: skip
    assert found.metrics["landmarks_mm"]["before"]["mean"] == pytest.approx(np.linalg.norm(MOTION))
    assert found.metrics["landmarks_mm"]["after"]["mean"] < 4
    assert found.metrics["labels"]["after"]["mean_dice"] > found.metrics["labels"]["before"]["mean_dice"]
    assert found.record["inputs"]["fixed_mask"]["path"].startswith(str(found.out))
    assert [s.iteration for s in found.iterations] == [*range(15), *range(15)]
    assert [s.level for s in found.iterations] == [0] * 15 + [1] * 15
    assert "TRE 7.07 -> " in repr(found)
    assert "mean Dice" in repr(found)
    assert found.warped.grid.size == SIZE
    assert found.to_itk().GetSize() == SIZE
    page = found._repr_html_()
    assert page.count("<img ") == 6
    assert "TRE 7.07" in page


def test_points_images_and_labels_are_carried_along(data: Path, by_files: ei.Registration) -> None:
    points = torch.tensor([[0.0, 80.0, -960.0]])
    assert torch.equal(by_files.apply(points), by_files.transform.map_points(points.double()))
    image = by_files.apply(data / "MovingImage.mha")
    assert (by_files.warped.data == -1000).any()  # outside, as the map says
    assert (image.data - by_files.warped.data).abs().max() < 1  # the file's numbers are whole
    nearest = by_files.apply(data / "MovingImage.mha", order=0)
    assert (nearest.data != image.data).any()
    moving = ei.read_image(data / "MovingImage.mha")
    labels = by_files.apply(ei.Image((moving.data > 0).int() * 7, moving.grid), labels=True)
    assert set(labels.data.unique().tolist()) == {0, 7}


def test_a_temporary_folder_goes_with_the_result(data: Path, tmp_path: Path) -> None:
    found = _register(data, data / "FixedImage.mha", data / "MovingImage.mha")
    folder, alive = found.out, weakref.ref(found)
    saved = found.save(tmp_path / "kept")
    assert {path.name for path in saved.iterdir()} == {path.name for path in folder.iterdir()}
    del found
    gc.collect()
    assert alive() is None
    assert not folder.exists()
    assert ei.read_initial_transform(saved / "TransformParameters.0.txt").dimension == 3


def test_a_folder_that_is_given_stays(data: Path, tmp_path: Path) -> None:
    found = _register(data, data / "FixedImage.mha", data / "MovingImage.mha", out=tmp_path / "out")
    assert found.out == tmp_path / "out"
    assert not (found.out / "inputs").exists()  # nothing came from memory
    del found
    gc.collect()
    assert (tmp_path / "out" / "result.0.mha").exists()


def test_stages_start_where_an_earlier_result_ends(data: Path, by_files: ei.Registration) -> None:
    shift = MAP.replace("BSplineTransform", "TranslationTransform").replace("Iterations 40", "Iterations 5")
    pair = data / "FixedImage.mha", data / "MovingImage.mha"
    chain = _register(data, *pair, parameters=[shift, data / "ParameterMap.txt"])
    assert len(chain.record["stages"]) == 2
    again = _register(data, *pair, parameters=shift, initial_transform=by_files)
    point = torch.zeros(1, 3)
    assert (again.transform.map_points(point.double()) - by_files.transform.map_points(point.double())).norm() < 5
    assert (again.out / "InitialTransform.0.txt").exists()


def test_a_callback_sees_all_and_stops_the_whole_chain(data: Path) -> None:
    seen = []

    def watch(state: ei.IterationState) -> bool:
        seen.append(state)
        return state.level == 1 and state.iteration == 3

    pair = data / "FixedImage.mha", data / "MovingImage.mha"
    found = _register(data, *pair, parameters=[data / "ParameterMap.txt"] * 2, callback=watch)
    assert tuple(seen) == found.iterations
    assert [(s.stage, s.level, s.iteration) for s in seen][-1] == (0, 1, 3)
    (stage,) = found.record["stages"]
    assert stage["stop_reason"] == "STOPPED_BY_OBSERVER"
    assert found.record["complete"]
    assert found.warped.grid.size == SIZE


def test_a_callback_that_raises_is_heard(data: Path, tmp_path: Path) -> None:
    def broken(_: ei.IterationState) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        _register(data, data / "FixedImage.mha", data / "MovingImage.mha", callback=broken, out=tmp_path)
    assert json.loads((tmp_path / "registration.json").read_text())["status"] == "error"


def test_a_dict_is_a_map() -> None:
    text = map_text(
        {"Transform": "EulerTransform", "Sizes": [1, 2.5], "NewSamplesEveryIteration": True, "Model": Path("a")}
    )
    found = parse_parameter_text(text, "dict")
    assert found.values("Transform") == ("EulerTransform",)
    assert found.values("NewSamplesEveryIteration") == ("true",)
    assert found.values("Sizes") == ("1", "2.5")
    assert found.values("Model") == ("a",)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"fixed": np.zeros((4, 4, 4))}, "fixed: an array needs a Grid beside it"),
        ({"moving": 3}, "moving: got a int"),
        ({"fixed_mask": (np.zeros((4, 4, 4)), ei.Grid.axis_aligned((5, 4, 4), (1.0,) * 3, (0.0,) * 3))},
         r"fixed_mask: the array has shape \(4, 4, 4\), its grid \(4, 4, 5\)"),
        ({"fixed_points": np.zeros(7), "moving_points": np.zeros(7)}, r"fixed_points: landmarks of shape \(7,\)"),
        ({"parameters": 5}, "parameters: got a int"),
        ({"parameters": []}, "there is no map"),
        ({"preset": "rigid"}, "both parameters and a preset"),
        ({"fixed": (np.array([["a"]]), ei.Grid.axis_aligned((1, 1), (1.0,) * 2, (0.0,) * 2))}, "fixed: the array"),
    ],
)  # fmt: skip
def test_errors_name_what_was_given(data: Path, arguments: dict[str, object], said: str) -> None:
    given = {"fixed": data / "FixedImage.mha", "moving": data / "MovingImage.mha", **arguments}
    with pytest.raises(InputError, match=said):
        _register(data, **given)


def test_images_that_do_not_overlap(data: Path) -> None:
    moving = ei.read_image(data / "MovingImage.mha").shifted((500.0, 0.0, 0.0))
    with pytest.raises(ei.ElastixImpactError, match="overlap"):
        _register(data, data / "FixedImage.mha", moving)


def test_a_failed_registration_is_an_error_with_its_sentence(data: Path, monkeypatch, tmp_path: Path) -> None:
    failed = RunRecord(tmp_path, (), status="failed", message="The metric became infinite or NaN")
    monkeypatch.setattr("elastix_impact.api.register.run_case", lambda *_, **__: failed)
    with pytest.raises(RegistrationFailedError, match="the registration failed: The metric became infinite or NaN"):
        _register(data, data / "FixedImage.mha", data / "MovingImage.mha")


def test_the_verdict_is_there_a_bad_one_warns_and_strict_raises(data: Path, by_files: ei.Registration) -> None:
    assert by_files.verdict is not None
    assert by_files.verdict.word in ("good", "look")
    assert by_files.record["verdict"] == by_files.verdict.to_json()
    text = MAP.replace("Length 1.0", "Length 40").replace("Iterations 40", "Iterations 15")
    images = data / "FixedImage.mha", data / "MovingImage.mha"
    settings = {"parameters": text + "(RequiredRatioOfValidSamples 0)\n"}
    with pytest.warns(InputWarning, match="verdict: bad"):
        found = _register(data, *images, **settings)
    assert found.verdict is not None
    assert found.verdict.word == "bad"
    assert "verdict bad" in repr(found)
    with pytest.raises(RegistrationFailedError, match="verdict: bad"):
        _register(data, *images, **settings, strict=True)
