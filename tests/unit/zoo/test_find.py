"""Model paths of parameter maps, inside and outside the container."""

import shlex
import threading
import warnings
from pathlib import Path

import pytest

from elastix_impact.cli.main import main
from elastix_impact.errors import ModelError
from elastix_impact.zoo.built_in import built_in_mind
from elastix_impact.zoo.export.mind import export_mind
from elastix_impact.zoo.find import find_model
from elastix_impact.zoo.trust import trusting


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


@pytest.mark.parametrize(
    "written", ["MIND/R1D2_3D.pt", "/Data/Models/MIND/R1D2_3D.pt", "/Models/MIND/R1D2_3D.pt", "a/b/MIND/R1D2_3D.pt"]
)
def test_mind_without_a_file_is_made_and_nothing_is_written_beside_the_map(written: str, tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    maps.mkdir()
    with trusting((tmp_path / "trusted",)):
        found = find_model(written, map_folder=maps, data_folder=maps, dimension=3)
    assert found.read_bytes() == export_mind(tmp_path / "other.pt", 1, 2, 3).read_bytes()
    assert not found.is_relative_to(tmp_path)
    assert list(maps.iterdir()) == []


def test_mind_of_a_former_name_is_made_with_the_images_dimension(tmp_path: Path) -> None:
    found = find_model("MIND/R1D2.pt", map_folder=tmp_path, data_folder=None, dimension=2)
    assert found.name == "R1D2_2D.pt"


@pytest.mark.parametrize("written", ["MIND/R1D2_4D.pt", "MIND/R3D2_3D.pt", "TS/R1D2_3D.pt"])
def test_what_is_no_published_name_of_mind_is_not_made(written: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model file"):
        find_model(written, map_folder=tmp_path, data_folder=None, dimension=3)


def test_a_file_of_mind_that_is_there_is_taken_and_must_be_trusted(data: Path, tmp_path: Path) -> None:
    written = "/Data/Models/MIND/R1D2_3D.pt"
    assert find_model(written, map_folder=tmp_path, data_folder=data) == data / "Models/MIND/R1D2_3D.pt"
    with trusting((tmp_path / "trusted",)), pytest.raises(ModelError, match="outside the trusted folders"):
        find_model(written, map_folder=tmp_path, data_folder=data)


def test_the_built_in_model_comes_back_when_something_swept_it_away_also_to_many_threads_at_once() -> None:
    built_in_mind("R2D1_2D.pt").unlink()
    sizes: list[int] = []
    threads = [
        threading.Thread(target=lambda: sizes.append(built_in_mind("R2D1_2D.pt").stat().st_size)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sizes) == 4
    assert min(sizes) > 0


@pytest.mark.parametrize("written", ["weights/R1D2_3D.pt", "R2D2_2D.pt"])
def test_the_remedy_makes_mind_where_the_map_looks_for_it(written: str, tmp_path: Path) -> None:
    """The command in backticks is run as it stands."""
    with pytest.raises(ModelError) as caught:
        find_model(written, map_folder=tmp_path / "my maps", data_folder=None)
    command = str(caught.value.remedy).split("`")[1]
    assert command.startswith("elastix-impact models export mind")
    assert main(shlex.split(command)[1:]) == 0
    found = find_model(written, map_folder=tmp_path / "my maps", data_folder=None)
    assert found == tmp_path / "my maps" / written


@pytest.mark.parametrize(
    ("written", "folder", "path"),
    [
        ("TS/M730.pt", "", ""),
        ("net/TS/M730_2_Layers.pt", "net", ""),
        ("weights/M730.pt", "weights", "weights/TS/M730.pt"),
        ("SAM/Tiny_2_Layers.pt", "", ""),
    ],
)
def test_the_remedy_fetches_a_model_to_where_the_map_looks_for_it(
    written: str, folder: str, path: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError) as caught:
        find_model(written, map_folder=tmp_path, data_folder=None)
    remedy = str(caught.value.remedy)
    assert f"--to {tmp_path / folder}`" in remedy
    assert ("and write" in remedy) == bool(path)
    assert not path or f"and write {tmp_path / path} in the map" in remedy
