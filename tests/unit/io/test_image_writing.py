"""Images into files: whole or not at all, exactly, and what a format loses is said."""

import gzip
import warnings

import pytest
import SimpleITK as sitk
import torch

from elastix_impact.errors import OutputError
from elastix_impact.geometry.grid import Grid
from elastix_impact.io.image_writing import write_image
from elastix_impact.io.images import read_labels
from elastix_impact.io.warning import InputWarning

SUFFIXES = (".mha", ".mhd", ".nii", ".nii.gz", ".nrrd", ".nhdr", ".tif")
GRID = Grid.axis_aligned((7, 6, 5), (1.5, 2.0, 3.0), (1990.0, -5.5, 2004.0))


def _data(grid):
    return torch.rand(grid.shape, generator=torch.Generator().manual_seed(0)) * 2000 - 1000


def test_writing_into_a_missing_folder_or_an_unknown_format_is_explained(tmp_path):
    grid = GRID
    with pytest.raises(OutputError, match="folder does not exist"):
        write_image(tmp_path / "no" / "a.mha", _data(grid), grid)
    with pytest.raises(OutputError, match="unknown image format"):
        write_image(tmp_path / "a.xyz", _data(grid), grid)
    with pytest.raises(OutputError, match="can't hold an image of 3 dimensions"):
        write_image(tmp_path / "a.png", _data(grid), grid, "unsigned char")


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_leaves_nothing_and_is_said(tmp_path, suffix, compress, capfd):
    resource = pytest.importorskip("resource", reason="no limits of file sizes here")
    grid = Grid.axis_aligned((40, 40, 40), (1.0, 1.0, 1.0))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OutputError, match=r"can't be written.*Free some space"):
            write_image(tmp_path / f"a{suffix}", _data(grid), grid, "float", compress=compress)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().err == ""


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    grid = GRID
    path = tmp_path / "a.nii.gz"
    write_image(path, _data(grid), grid)
    before = gzip.decompress(path.read_bytes())

    def full(image, name, **options):
        del image, options
        with open(name, "wb") as file:
            file.write(b"half")
        raise RuntimeError("No space left on device")

    monkeypatch.setattr(sitk, "WriteImage", full)
    with pytest.raises(OutputError, match="No space left"):
        write_image(path, _data(grid) * 2, grid)
    assert [p.name for p in tmp_path.iterdir()] == ["a.nii.gz"]
    assert gzip.decompress(path.read_bytes()) == before


@pytest.mark.parametrize(("kind", "pixel_type"), [(torch.int64, "long"), (torch.int64, "unsigned int")])
def test_whole_numbers_of_64_bits_are_written_exactly(tmp_path, kind, pixel_type):
    values = torch.tensor([[0, 614454277, 4294967295]], dtype=kind) + (
        720575940623374552 if pixel_type == "long" else 0
    )
    write_image(tmp_path / "a.mha", values, Grid.axis_aligned((3, 1), (1.0, 1.0)), pixel_type)
    assert read_labels(tmp_path / "a.mha").data.equal(values)


@pytest.mark.parametrize(("suffix", "lost"), [(".tif", "spacing and origin"), (".mha", None), (".nii.gz", None)])
def test_a_format_that_loses_the_place_says_so(tmp_path, suffix, lost):
    grid = GRID
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputWarning)
        write_image(tmp_path / f"a{suffix}", _data(grid), grid, "float")
    said = [str(one.message) for one in caught if one.category is InputWarning]
    assert said == [] if lost is None else lost in said[0]
