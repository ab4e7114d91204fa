"""Files that hold less than their headers promise, or promise nonsense: refused before ITK sees them."""

import gzip
import struct
import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from elastix_impact.errors import ImageError
from elastix_impact.io.images import read_image
from elastix_impact.io.warning import InputWarning

VOXELS = np.random.default_rng(0).integers(1, 1000, (6, 7, 8)).astype(np.int16)


def _write(path: Path, *, compress: bool = False) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(VOXELS), str(path), useCompression=compress)


def test_a_whole_stream_with_half_the_voxels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    _write(path)
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content[: 352 + VOXELS.nbytes // 2]))
    with pytest.raises(ImageError, match=f"holds {VOXELS.nbytes // 2} bytes of voxels of {VOXELS.nbytes}"):
        read_image(path)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("suffix", [".tif", ".mha", ".nrrd", ".nii", ".nii.gz"])
def test_files_cut_short_anywhere_are_refused(tmp_path: Path, suffix: str, compress: bool) -> None:
    path, cut = tmp_path / f"a{suffix}", tmp_path / f"cut{suffix}"
    _write(path, compress=compress)
    content = path.read_bytes()
    for share in np.linspace(0.02, 0.98, 25):
        cut.write_bytes(content[: int(share * len(content))])
        with pytest.raises(ImageError):
            read_image(cut)


@pytest.mark.parametrize(("header", "data"), [("a.mhd", "a.raw"), ("a.nhdr", "a.raw")])
def test_a_data_file_cut_short_is_refused(tmp_path: Path, header: str, data: str) -> None:
    _write(tmp_path / header)
    (tmp_path / data).write_bytes((tmp_path / data).read_bytes()[:-1])
    with pytest.raises(ImageError, match=r"holds \d+ bytes of voxels"):
        read_image(tmp_path / header)


def test_half_a_picture_is_refused(tmp_path: Path) -> None:
    picture = sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 255, (60, 70)).astype(np.uint8))
    for suffix in (".jpg", ".png"):
        path = tmp_path / f"a{suffix}"
        sitk.WriteImage(picture, str(path))
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
        with pytest.raises(ImageError, match="damaged"):
            read_image(path)


def test_imagej_pages_that_itk_would_not_read(tmp_path: Path) -> None:
    """ImageJ writes one description for many pages; ITK reads the first page and says nothing."""
    path = tmp_path / "a.tif"
    note = b"ImageJ=1.53\nimages=10\nslices=10\n\0"
    shorts = {256: 4, 257: 3, 258: 8, 262: 1, 277: 1, 278: 3}
    entries = [(tag, 3, 1, number) for tag, number in shorts.items()]
    entries = sorted([*entries, (270, 2, len(note), 200), (273, 4, 1, 300), (279, 4, 1, 12)])
    head = b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(struct.pack("<HHII", *e) for e in entries)
    path.write_bytes((head + bytes(4)).ljust(200, b"\0") + note.ljust(100, b"\0") + bytes(range(1, 121)))
    with pytest.raises(ImageError, match="holds 1 page of 10"):
        read_image(path)


def test_formats_whose_readers_fill_up_with_zeros_are_not_taken(tmp_path: Path) -> None:
    for suffix in (".vtk", ".gipl", ".mrc"):
        _write(tmp_path / f"a{suffix}")
        with pytest.raises(ImageError, match=r"does not notice where voxels are missing.*Convert it first"):
            read_image(tmp_path / f"a{suffix}")


def _patched(path: Path, place: int, form: str, *numbers: object) -> None:
    content = bytearray(path.read_bytes())
    struct.pack_into(f"<{form}", content, place, *numbers)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("place", "form", "number", "says"),
    [
        (0, "i", 300, "no NIfTI header"),
        (40, "h", 9, "9 dimensions"),
        (42, "h", -8, "size of -8x7x6"),
        (46, "h", 7, "holds 672 bytes of voxels of 784"),
        (70, "h", 1, "data type 1"),
        (72, "h", 32, "32 bits for data type 4"),
        (80, "f", 1e-30, "spacing of 1e-30"),
        (80, "f", 0.0, "spacing of 0"),
        (108, "f", 0.0, "begin at byte 0"),
        (108, "f", 352.5, "begin at byte 352.5"),
        (108, "f", 1e9, "holds 0 bytes"),
        (112, "f", float("inf"), "scales voxels by inf"),
        (116, "f", float("nan"), "adds nan"),
        (344, "4s", b"abcd", "magic word"),
    ],
)
def test_nifti_fields_that_make_no_sense(tmp_path: Path, place: int, form: str, number: object, says: str) -> None:
    path = tmp_path / "a.nii"
    _write(path)
    _patched(path, place, form, number)
    with pytest.raises(ImageError, match=says):
        read_image(path)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("NDims = 3", "NDims = 999999999", "999999999 dimensions"),
        ("NDims = 3", "NDims = 3 3", "not one number"),
        ("DimSize = 8 7 6", "DimSize = 8 7", "names 2 sizes"),
        ("DimSize = 8 7 6", "DimSize = 1000 1000 1000", "of 2000000000 that its header promises"),
        ("ElementSpacing = 1 1 1", "ElementSpacing = 1 1 1e-300", "spacing of 1 1 1e-300 mm"),
        ("ElementSpacing = 1 1 1", "ElementSpacing = 1 1", "2 numbers of 3"),
        ("ElementType = MET_SHORT", "ElementType = MET_STRING", "no type of numbers"),
        ("Offset = 0 0 0", "Offset = 0 nan 0", "no finite numbers"),
    ],
)
def test_metaimage_headers_that_make_no_sense(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "a.mha"
    _write(path)
    content = path.read_bytes()
    assert old.encode() in content
    path.write_bytes(content.replace(old.encode(), new.encode()))
    with pytest.raises(ImageError, match=says):
        read_image(path)


@pytest.mark.parametrize("numbers", ["0 99999999999999999999 1", "0 999999999 1", "5 1 1"])
@pytest.mark.parametrize(("name", "key"), [("a.mhd", "ElementDataFile ="), ("a.nhdr", "data file:")])
def test_patterns_for_no_file_or_too_many(tmp_path: Path, name: str, key: str, numbers: str) -> None:
    path = tmp_path / name
    _write(path)
    content = path.read_text()
    assert f"{key} a.raw" in content
    path.write_text(content.replace(f"{key} a.raw", f"{key} s%d.raw {numbers}"))
    with pytest.raises(ImageError, match=r"no pattern of 1 to 65536 names"):
        read_image(path)


def test_a_packed_promise_is_counted_without_being_taken_into_memory(tmp_path: Path) -> None:
    """80 kB that promise 1000 x 1000 x 1000 voxels."""
    path = tmp_path / "a.nii.gz"
    _write(tmp_path / "a.nii")
    _patched(tmp_path / "a.nii", 42, "3h", 1000, 1000, 1000)
    path.write_bytes(gzip.compress((tmp_path / "a.nii").read_bytes() + bytes(60_000_000)))
    tracemalloc.start()
    with pytest.raises(ImageError, match="of 2000000000 that its header promises"):
        read_image(path)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_more_than_promised_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.nii"
    _write(path)
    _patched(path, 46, "h", 5)
    with pytest.warns(InputWarning, match="112 bytes more than its header promises"):
        assert read_image(path).grid.size == (8, 7, 5)


def test_nan_in_nifti_is_refused_as_elsewhere(tmp_path: Path) -> None:
    """niftilib would read 0 there."""
    voxels = np.random.default_rng(0).random((6, 7, 8)).astype(np.float32)
    voxels[:2, 0, 0], voxels[3, 0, 0] = np.nan, np.inf
    for suffix in (".nii", ".nii.gz", ".mha", ".nrrd"):
        path = tmp_path / f"a{suffix}"
        sitk.WriteImage(sitk.GetImageFromArray(voxels), str(path))
        with pytest.raises(ImageError, match="3 of 336 voxels are NaN or infinite"):
            read_image(path)


def test_a_voxel_too_large_to_be_squared_is_named(tmp_path: Path) -> None:
    for largest, kind in ((3e38, np.float32), (1e300, np.float64)):
        voxels = np.random.default_rng(0).random((6, 7, 8)).astype(kind)
        voxels[1, 1, 1] = largest
        sitk.WriteImage(sitk.GetImageFromArray(voxels), str(tmp_path / "a.mha"))
        with pytest.raises(ImageError, match=r"has the value (3e\+38|1e\+300)"):
            read_image(tmp_path / "a.mha")


def _nifti(path: Path, lean: float, kind: str, unit: str) -> None:
    affine = np.diag([-2.0, -2.0, 3.0, 1.0])
    affine[:3, 3], affine[0, 1] = (10, 20, 30), lean
    image = nib.Nifti1Image(VOXELS.T.astype(kind), affine)
    image.header.set_xyzt_units(unit)
    image.set_qform(None, code=0)
    image.set_sform(affine, code=1)
    nib.save(image, path)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", ["u1", "<i2", ">i2", "<f4", "<f8"])
@pytest.mark.parametrize("unit", ["mm", "micron", "meter"])
def test_leaning_axes_are_repaired_and_all_else_is_as_without(
    tmp_path: Path, unit: str, kind: str, suffix: str
) -> None:
    straight, leaning = tmp_path / f"straight{suffix}", tmp_path / f"leaning{suffix}"
    _nifti(straight, 0.0, kind, unit)
    _nifti(leaning, 0.001, kind, unit)
    expected = read_image(straight)
    with pytest.warns(InputWarning, match=r"not perpendicular.*turned by up to 0\.0"):
        found = read_image(leaning)
    assert expected.grid.spacing == pytest.approx(
        [one * {"mm": 1, "micron": 1e-3, "meter": 1e3}[unit] for one in (2, 2, 3)]
    )
    assert found.data.equal(expected.data)
    assert found.pixel_type == expected.pixel_type
    assert found.grid.same_as(expected.grid, 0.01)


@pytest.mark.parametrize(("sform_code", "used", "shift"), [(1, "sform", 0.0), (2, "qform", 1.0)])
def test_qform_and_sform_that_differ_are_told(tmp_path: Path, sform_code: int, used: str, shift: float) -> None:
    affine, other = np.diag([2.0, 2.0, 3.0, 1.0]), np.diag([2.0, 2.0, 3.0, 1.0])
    affine[:3, 3], other[:3, 3] = (10, 20, 30), (11, 20, 30)
    image = nib.Nifti1Image(VOXELS.T, affine)
    image.set_sform(affine, code=sform_code)
    image.set_qform(other, code=1)
    nib.save(image, tmp_path / "a.nii")
    with pytest.warns(InputWarning, match=f"put voxels up to 1 mm apart; the {used} is used"):
        found = read_image(tmp_path / "a.nii")
    assert found.grid.origin == pytest.approx((-10 - shift, -20, 30))


def test_volumes_without_a_place_are_told(tmp_path: Path) -> None:
    _write(tmp_path / "a.tif")
    with pytest.warns(InputWarning, match="no distance of its pages, no origin and no direction"):
        read_image(tmp_path / "a.tif")
    image = nib.Nifti1Image(VOXELS.T, None)
    image.set_qform(None, code=0)
    nib.save(image, tmp_path / "a.nii")
    with pytest.warns(InputWarning, match="says no origin and no direction"):
        read_image(tmp_path / "a.nii")
    _write(tmp_path / "a.mha")
    content = (tmp_path / "a.mha").read_bytes().replace(b"ElementSpacing = 1 1 1\n", b"")
    (tmp_path / "a.mha").write_bytes(content)
    with pytest.warns(InputWarning, match="says no spacing"):
        read_image(tmp_path / "a.mha")


@pytest.mark.parametrize("suffix", [".mha", ".mhd", ".nrrd", ".nhdr"])
@pytest.mark.parametrize(
    ("key", "value"),
    [("dim[0]", "3"), ("0008|0060", "CT"), ("0010|0010", "a: b = c"), ("a b", "c"), ("größe", "ü"), ("descrip", "")],
)
def test_what_itk_keeps_of_other_formats_is_no_damage(tmp_path: Path, suffix: str, key: str, value: str) -> None:
    image, path = sitk.GetImageFromArray(VOXELS), tmp_path / f"a{suffix}"
    image.SetMetaData(key, value)
    sitk.WriteImage(image, str(path))
    assert read_image(path).data.numpy().sum() == VOXELS.sum()
