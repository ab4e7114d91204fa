"""What an input stands for, and that no result takes its place, whatever it is called."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from elastix_impact.errors import OutputError
from elastix_impact.io.input_files import file_facts, files_of_input, refuse_overwriting, what_became


def image(path: Path, value: int = 0) -> Path:
    sitk.WriteImage(sitk.GetImageFromArray(np.full((3, 4, 5), value, np.int16)), str(path))
    return path


@pytest.mark.parametrize(("name", "data"), [("a.mhd", "a.raw"), ("a.nhdr", "a.raw"), ("a.hdr", "a.img")])
def test_a_header_and_its_voxels(name: str, data: str, tmp_path: Path) -> None:
    path = image(tmp_path / name)
    assert files_of_input(path) == (path, tmp_path / data)


@pytest.mark.parametrize("named", ["LIST\nslice0.raw\nslice1.raw\n", "slice%d.raw 0 1 1\n"])
def test_a_header_of_many_files(named: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mhd"
    path.write_text(f"ObjectType = Image\nElementDataFile = {named}")
    parts = [tmp_path / f"slice{k}.raw" for k in range(2)]
    for part in parts:
        part.write_bytes(b"0")
    assert files_of_input(path) == (path, *parts)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.mhd", "ObjectType = Image\nElementDataFile = s%d.raw 0 999999999 1\n"),
        ("a.mhd", "NDims = 3\n"),
        ("a.nhdr", "NRRD0004\ntype: short\ndimension: 1\nsizes: 1\nencoding: raw\ndata file: s%q 0 1 1\n"),
    ],
)
def test_a_header_that_makes_no_sense_stands_for_itself(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert files_of_input(path) == (path,)


def test_a_chain_of_transforms_from_any_folder_even_if_it_bites_its_tail(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    first, second, third, itk = (tmp_path / name for name in ("0.txt", "b/1.txt", "2.toml", "t.tfm"))
    itk.write_text("#Insight Transform File V1.0\n")
    first.write_text('(Transform "File")\n(TransformFileName "t.tfm")\n(InitialTransformParametersFileName "2.toml")\n')
    second.write_text(f'(TransformParameters 1 2)\n(InitialTransformParameterFileName "{first}")\n')
    third.write_text('InitialTransformParameterFileName = "b/1.txt"\n')
    assert set(files_of_input(third)) == {first, second, third, itk}


def test_a_folder_is_what_lies_in_it(tmp_path: Path) -> None:
    slices = [tmp_path / f"{k}.dcm" for k in range(3)]
    for one in slices:
        one.write_bytes(b"0")
    assert files_of_input(tmp_path) == tuple(slices)


def name_as_is(path: Path, place: Path) -> Path:
    return path


def name_with_detours(path: Path, place: Path) -> Path:
    return path.parent / "sub" / ".." / path.name


def name_through_a_link(path: Path, place: Path) -> Path:
    place.symlink_to(path)
    return place


def name_through_a_linked_folder(path: Path, place: Path) -> Path:
    place.with_suffix("").symlink_to(path.parent)
    return place.with_suffix("") / path.name


def name_of_a_hard_link(path: Path, place: Path) -> Path:
    os.link(path, place)
    return place


@pytest.mark.parametrize(
    "named", [name_as_is, name_with_detours, name_through_a_link, name_through_a_linked_folder, name_of_a_hard_link]
)
def test_no_result_takes_the_place_of_an_input(named, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    path = image(tmp_path / "a.mha")
    result = named(path, tmp_path / "b.mha")
    with pytest.raises(OutputError, match=r"would replace the input .*a\.mha"):
        refuse_overwriting([tmp_path / "new.mha", result], [path])
    refuse_overwriting([tmp_path / "new.mha"], [path])


def test_nor_that_of_its_voxels_and_a_headers_voxels_take_no_place_either(tmp_path: Path) -> None:
    path = image(tmp_path / "a.mhd")
    with pytest.raises(OutputError, match=r"the input .*a\.raw"):
        refuse_overwriting([tmp_path / "a.raw"], [path])
    (tmp_path / "a.mhd").rename(tmp_path / "b.mhd")
    with pytest.raises(OutputError, match=r"the input .*a\.raw"):
        refuse_overwriting([tmp_path / "a.mhd"], [tmp_path / "b.mhd"])


def test_the_hash_is_that_of_all_files_and_tells_changes(tmp_path: Path) -> None:
    path = image(tmp_path / "a.mhd")
    facts = file_facts(path)
    parts = [one.read_bytes() for one in (path, tmp_path / "a.raw")]
    assert facts["sha256"] == hashlib.sha256(b"".join(parts)).hexdigest()
    assert (facts["files"], facts["bytes"]) == (2, sum(map(len, parts)))
    assert what_became(facts) is None
    image(path, 1)
    assert what_became(facts) == "changed", "the header is the same, the voxels are not"
    path.unlink()
    assert what_became(facts) == "missing"
    assert what_became({"path": "of an earlier version"}) is None


def test_a_map_is_itself_whatever_it_names(tmp_path: Path) -> None:
    start, use = tmp_path / "start.txt", tmp_path / "map.txt"
    start.write_text("(Transform ...)")
    use.write_text(f'(InitialTransformParameterFileName "{start}")')
    facts = file_facts(use, alone=True)
    assert facts["sha256"] == hashlib.sha256(use.read_bytes()).hexdigest()
    start.write_text("another one")
    assert what_became(facts) is None
