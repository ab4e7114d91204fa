"""Model paths of parameter maps, inside and outside the container."""

import warnings
from pathlib import Path

import pytest

from elastix_impact.errors import ModelError
from elastix_impact.zoo.find import find_model


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("TS/M730.pt", "MIND/R1D2_3D.pt", "MIND/R1D2_2D.pt", "SAM2.1/SAM2.1_Tiny.pt"):
        file = tmp_path / "case" / "Models" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"model")
    return tmp_path / "case"


def test_container_paths_are_looked_up_under_the_data_folder(data: Path, tmp_path: Path) -> None:
    for written in ("/Data/Models/TS/M730.pt", "/Models/TS/M730.pt"):
        assert find_model(written, map_folder=tmp_path, data_folder=data) == data / "Models/TS/M730.pt"


def test_an_absolute_path_that_exists_is_taken(data: Path, tmp_path: Path) -> None:
    path = data / "Models/TS/M730.pt"
    assert find_model(str(path), map_folder=tmp_path, data_folder=None) == path


def test_relative_paths_working_directory_first(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = find_model("Models/TS/M730.pt", map_folder=data, data_folder=None)
    assert found == data / "Models/TS/M730.pt"
    (tmp_path / "Models/TS").mkdir(parents=True)
    (tmp_path / "Models/TS/M730.pt").write_bytes(b"nearer")
    assert find_model("Models/TS/M730.pt", map_folder=data, data_folder=None) == tmp_path / "Models/TS/M730.pt"


@pytest.mark.parametrize(
    ("written", "dimension", "present"),
    [
        ("/Data/Models/TS/M730_2_Layers.pt", 3, "TS/M730.pt"),
        ("/Data/Models/TS/M730_1_Layer.pt", 3, "TS/M730.pt"),
        ("/Data/Models/MIND/R1D2.pt", 3, "MIND/R1D2_3D.pt"),
        ("/Data/Models/MIND/R1D2.pt", 2, "MIND/R1D2_2D.pt"),
        ("/Data/Models/MIND/R1D2.pt", None, "MIND/R1D2_3D.pt"),
        ("/Data/Models/SAM2.1/Tiny_1_Layers.pt", 2, "SAM2.1/SAM2.1_Tiny.pt"),
        ("/Data/Models/SAM/Tiny_2_Layers.pt", 2, "SAM2.1/SAM2.1_Tiny.pt"),
    ],
)
def test_former_names_are_found_with_a_warning(
    data: Path, tmp_path: Path, written: str, dimension: int | None, present: str
) -> None:
    with pytest.warns(UserWarning, match="is published as"):
        found = find_model(written, map_folder=tmp_path, data_folder=data, dimension=dimension)
    assert found == data / "Models" / present


def test_a_former_name_that_exists_is_taken_without_a_warning(data: Path, tmp_path: Path) -> None:
    old = data / "Models/TS/M730_2_Layers.pt"
    old.write_bytes(b"old")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_model("/Data/Models/TS/M730_2_Layers.pt", map_folder=tmp_path, data_folder=data) == old


def test_what_was_tried_and_near_names_are_listed(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Did you mean") as caught:
        find_model("/Data/Models/TS/M731.pt", map_folder=tmp_path, data_folder=data)
    assert "/Data/Models/TS/M731.pt" in caught.value.what
    assert str(data / "Models/TS/M731.pt") in caught.value.what
    assert str(data / "Models/TS/M730.pt") in str(caught.value.remedy)


def test_without_a_data_folder_the_remedy_is_to_name_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="--data"):
        find_model("/Data/Models/TS/M731.pt", map_folder=tmp_path, data_folder=None)
