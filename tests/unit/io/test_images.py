"""Image files: geometry and values survive, and what can't be used is said."""

import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch

from elastix_impact.errors import ImageError
from elastix_impact.geometry.grid import Grid
from elastix_impact.io.images import read_image, read_labels, write_image
from elastix_impact.io.warning import InputWarning

FAR = (1990.0, -5.5, 2004.0)
GRIDS = {
    "axis aligned": Grid.axis_aligned((7, 6, 5), (1.5, 2.0, 3.0), FAR),
    "oblique": Grid((7, 6, 5), (1.5, 2.0, 3.0), FAR, ((0.8, -0.6, 0.0), (0.6, 0.8, 0.0), (0.0, 0.0, 1.0))),
    "flipped": Grid((7, 6, 5), (1.5, 2.0, 3.0), FAR, ((-1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0))),
    "2d": Grid((7, 6), (1.5, 2.0), (3.0, 4.0), ((0.0, -1.0), (1.0, 0.0))),
}
SUFFIXES = (".mha", ".mhd", ".nii", ".nii.gz", ".nrrd")


def _data(grid):
    return torch.rand(grid.shape, generator=torch.Generator().manual_seed(0)) * 2000 - 1000


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", GRIDS)
def test_write_then_read_gives_the_same_image(tmp_path, suffix, name):
    grid = GRIDS[name]
    if name == "2d" and suffix.startswith(".nii"):
        pytest.skip("NIfTI's two-dimensional images have no turned axes")
    path = tmp_path / f"image{suffix}"
    write_image(path, _data(grid), grid, "float")
    back = read_image(path)
    assert torch.equal(back.data, _data(grid))
    assert back.grid.same_as(grid, 1e-4)
    assert back.pixel_type == "float"


@pytest.mark.parametrize(
    ("pixel_type", "expected"),
    [("short", [-3, 4, 32767]), ("unsigned char", [0, 4, 255]), ("float", [-2.6, 3.5, 1e6])],
)
def test_integers_are_rounded_and_kept_in_range(tmp_path, pixel_type, expected):
    grid = Grid.axis_aligned((3, 1), (1.0, 1.0))
    write_image(tmp_path / "a.mha", torch.tensor([[-2.6, 3.5, 1e6]]), grid, pixel_type)
    assert read_image(tmp_path / "a.mha").data.flatten().tolist() == pytest.approx(expected)


@pytest.mark.parametrize(("pixel_type", "sign"), [("long", 1), ("long", -1), ("unsigned long", 1)])
def test_huge_values_do_not_wrap_round(tmp_path, pixel_type, sign):
    write_image(tmp_path / "a.mha", torch.full((2, 3), sign * 1e30), Grid.axis_aligned((3, 2), (1.0, 1.0)), pixel_type)
    values = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "a.mha"))).astype(np.float64)
    assert (sign * values >= 2.0**63 * 0.999).all()


def test_vector_images_keep_their_channels(tmp_path):
    grid = GRIDS["oblique"]
    data = torch.rand(5, *grid.shape)
    write_image(tmp_path / "features.mha", data, grid, "float")
    image = sitk.ReadImage(str(tmp_path / "features.mha"))
    assert image.GetNumberOfComponentsPerPixel() == 5
    np.testing.assert_array_equal(np.moveaxis(sitk.GetArrayFromImage(image), -1, 0), data.numpy())
    with pytest.raises(ImageError, match="5 values per voxel"):
        read_image(tmp_path / "features.mha")


def test_a_displacement_field_is_no_colour_image_and_complex_voxels_are_refused(tmp_path):
    grid = GRIDS["axis aligned"]
    write_image(tmp_path / "field.mha", torch.rand(3, *grid.shape), grid, "float")
    with pytest.raises(ImageError, match="3 values per voxel"):
        read_image(tmp_path / "field.mha")
    nib.save(nib.Nifti1Image(np.ones((3, 4, 5), dtype=np.complex64), np.eye(4)), tmp_path / "complex.nii")
    with pytest.raises(ImageError, match="complex"):
        read_image(tmp_path / "complex.nii")


@pytest.mark.parametrize(
    ("header", "compress", "data"),
    [("a.mhd", False, "a.raw"), ("a.mhd", True, "a.zraw"), ("a.nhdr", False, "a.raw"), ("a.nhdr", True, "a.raw.gz")],
)
def test_a_header_names_its_data_and_both_can_be_moved_together(tmp_path, header, compress, data):
    grid = GRIDS["axis aligned"]
    write_image(tmp_path / header, _data(grid), grid, "float", compress=compress)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([header, data])
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in list(tmp_path.glob("a.*")):
        path.rename(moved / path.name)
    assert torch.equal(read_image(moved / header).data, _data(grid))
    (moved / data).unlink()
    with pytest.raises(ImageError, match=f"data file {data} is missing"):
        read_image(moved / header)


def test_colour_becomes_luminance_with_a_warning(tmp_path):
    pixels = np.zeros((4, 5, 3), dtype=np.uint8)
    pixels[..., 1] = 100
    pixels[0, 0] = 255
    sitk.WriteImage(sitk.GetImageFromArray(pixels, isVector=True), str(tmp_path / "a.png"))
    with pytest.warns(InputWarning, match="luminance"):
        image = read_image(tmp_path / "a.png")
    assert image.data[0, 0] == pytest.approx(255)
    assert image.data[1, 1] == pytest.approx(58.7)


def _leaning_nifti(path, degrees):
    affine = np.diag([2.0, 2.0, 3.0, 1.0])
    affine[:3, 3] = (10, 20, 30)
    affine[0, 1] = 2.0 * np.tan(np.radians(degrees))
    header = nib.Nifti1Image(np.random.default_rng(0).random((7, 6, 5), dtype=np.float32), affine)
    header.set_sform(affine, code=1)
    header.set_qform(None, code=0)
    nib.save(header, path)


def test_slightly_leaning_axes_are_repaired_with_a_warning(tmp_path):
    _leaning_nifti(tmp_path / "a.nii.gz", 0.5)
    with pytest.warns(InputWarning, match="turned by up to 0"):
        image = read_image(tmp_path / "a.nii.gz")
    direction = torch.tensor(image.grid.direction, dtype=torch.float64)
    torch.testing.assert_close(direction @ direction.T, torch.eye(3, dtype=torch.float64), atol=1e-9, rtol=0)
    assert image.grid.origin == pytest.approx((-10, -20, 30))
    assert image.grid.spacing == pytest.approx((2, 2, 3), rel=1e-3)


def test_sheared_axes_are_refused(tmp_path):
    _leaning_nifti(tmp_path / "a.nii", 20)
    with pytest.raises(ImageError, match=r"lean by up to \d+"):
        read_image(tmp_path / "a.nii")


@pytest.mark.parametrize(("bad", "says"), [(0.0, "no usable axes"), (float("nan"), "places it nowhere")])
def test_a_header_without_axes_is_refused(tmp_path, bad, says):
    path = tmp_path / "a.nii"
    _leaning_nifti(path, 0)
    content = bytearray(path.read_bytes())
    content[280:328] = np.full(12, bad, dtype="<f4").tobytes()  # srow_x, srow_y, srow_z
    path.write_bytes(content)
    with pytest.raises(ImageError, match=says):
        read_image(path)


def test_leaning_axes_of_big_endian_files_and_of_a_single_time_point(tmp_path):
    _leaning_nifti(tmp_path / "a.nii", 0.5)
    image = nib.load(tmp_path / "a.nii")
    data = np.round(1000 * image.get_fdata()).astype(np.int16)[..., None]
    big = nib.Nifti1Image(data, image.affine, image.header.as_byteswapped(">"), dtype=np.int16)
    big.set_qform(None, code=0)
    nib.save(big, tmp_path / "big.nii")
    with pytest.warns(InputWarning, match="turned by up to 0"):
        read = read_image(tmp_path / "big.nii")
    assert read.pixel_type == "short"
    np.testing.assert_array_equal(read.data.numpy(), data[..., 0].T)


def test_a_twin_beside_a_nifti_file_does_not_mix_in(tmp_path):
    grid = GRIDS["axis aligned"]
    write_image(tmp_path / "a.nii", _data(grid), grid, "short")
    write_image(tmp_path / "a.nii.gz", _data(grid) + 1, grid, "float")
    image = read_image(tmp_path / "a.nii.gz")
    assert torch.equal(image.data, _data(grid) + 1)
    assert image.grid.same_as(grid, 1e-4)
    assert image.pixel_type == "float"
    assert read_image(tmp_path / "a.nii").pixel_type == "short"


def _write(path, array):
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda p: None, "no such image"),
        (lambda p: p.write_bytes(b""), "empty"),
        (lambda p: p.write_bytes(b"ObjectType = Image\nNDims = 3\nDimSize = 9 9 9\n"), "damaged"),
        (lambda p: _write(p, np.full((3, 4, 5), 7.0)), "same value, 7"),
        (lambda p: _write(p, np.where(np.arange(60).reshape(3, 4, 5) < 2, np.nan, 1.0)), "2 of 60 voxels are NaN"),
        (lambda p: _write(p, np.where(np.arange(60).reshape(3, 4, 5) < 1, np.inf, 1.0)), "1 of 60 voxels"),
    ],
    ids=["missing", "empty", "corrupt", "constant", "nan", "infinite"],
)
def test_images_that_cannot_be_used_are_named_with_the_reason(tmp_path, make, says):
    path = tmp_path / "image.mha"
    make(path)
    with pytest.raises(ImageError, match=says) as caught:
        read_image(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("suffix", [".mha", ".nii", ".nii.gz", ".nrrd"])
def test_half_a_file_is_refused_and_nothing_else_is_printed(tmp_path, suffix, capfd):
    path = tmp_path / f"image{suffix}"
    _write(path, np.random.default_rng(0).random((9, 9, 9)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageError, match="damaged") as caught:
        read_image(path)
    assert str(caught.value).count("\n") == 0
    assert capfd.readouterr().err == ""


def test_a_file_that_may_not_be_opened_says_so(tmp_path, monkeypatch):
    path = tmp_path / "image.mha"
    _write(path, np.random.default_rng(0).random((3, 4, 5)))

    def closed(self, *arguments, **options):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", closed)
    with pytest.raises(ImageError, match=r"Permission denied.*permissions"):
        read_image(path)


def test_a_missing_image_suggests_its_neighbour(tmp_path):
    _write(tmp_path / "FixedImage.nii.gz", np.random.default_rng(0).random((3, 4, 5)))
    with pytest.raises(ImageError, match=r"Did you mean FixedImage\.nii\.gz"):
        read_image(tmp_path / "FixedImage.nii")


def test_a_folder_without_dicom_and_a_text_file_are_no_images(tmp_path):
    with pytest.raises(ImageError, match="without DICOM"):
        read_image(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ImageError, match="not an image"):
        read_image(tmp_path / "notes.txt")


def test_four_dimensions_are_refused_unless_the_last_is_one(tmp_path):
    four = np.random.default_rng(0).random((2, 3, 4, 5)).astype(np.float32)
    nib.save(nib.Nifti1Image(four.T, np.eye(4)), tmp_path / "four.nii")
    with pytest.raises(ImageError, match="4 dimensions"):
        read_image(tmp_path / "four.nii")
    nib.save(nib.Nifti1Image(four[:1].T, np.eye(4)), tmp_path / "one.nii")
    np.testing.assert_array_equal(read_image(tmp_path / "one.nii").data.numpy(), four[0])


def test_reading_says_nothing_about_a_sound_image(tmp_path, capfd):
    grid = GRIDS["oblique"]
    write_image(tmp_path / "a.nii.gz", _data(grid), grid, "float")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_image(tmp_path / "a.nii.gz")
    assert capfd.readouterr().err == ""


def test_labels_beyond_int64_are_refused(tmp_path):
    image = sitk.GetImageFromArray(np.array([[0, 1 << 63]], dtype=np.uint64))
    sitk.WriteImage(image, str(tmp_path / "a.mha"))
    with pytest.raises(ImageError, match=r"9223372036854775808.*Number the labels anew"):
        read_labels(tmp_path / "a.mha")
