"""Arrays of every type as inputs from memory: exact, or refused by name."""

from pathlib import Path

import numpy as np
import pytest
import torch

from elastix_impact.api.inputs import image_file, points_file
from elastix_impact.errors import InputError
from elastix_impact.geometry.grid import Grid
from elastix_impact.io.images import read_labels

GRID = Grid.axis_aligned((4, 3, 2), (1.0, 1.0, 1.0))
IDS = np.arange(24).reshape(2, 3, 4)


@pytest.mark.parametrize("first", [0, 614454277, 1 << 31, 720575940623374552])
@pytest.mark.parametrize("kind", ["i8", ">i8", "u8", ">u8"])
def test_labels_of_64_bits_are_kept(tmp_path: Path, kind: str, first: int) -> None:
    labels = (IDS + first).astype(kind)
    found = read_labels(image_file("fixed_labels", (labels, GRID), tmp_path))
    assert found.data.tolist() == labels.tolist()


@pytest.mark.parametrize("kind", [">i2", ">u4", ">f4", ">f8", "f2", "g", "?"])
def test_all_types_and_byte_orders_are_taken(tmp_path: Path, kind: str) -> None:
    given = IDS.astype(kind)
    found = read_labels(image_file("fixed", (given, GRID), tmp_path))
    assert found.data.tolist() == given.astype(float).tolist()


def test_tensors_of_every_kind(tmp_path: Path) -> None:
    values = torch.from_numpy(IDS).float()
    for given in (values.bfloat16(), values.requires_grad_(), values.detach().to_sparse(), values[:, :, :]):
        assert read_labels(image_file("fixed", (given, GRID), tmp_path)).data.tolist() == IDS.tolist()


@pytest.mark.parametrize(
    "given", [IDS.astype("c8"), torch.zeros(2, 3, 4, device="meta"), np.full((2, 3, 4), "x"), np.full((2, 3, 4), None)]
)
def test_what_is_no_array_of_real_numbers_is_refused(tmp_path: Path, given: object) -> None:
    with pytest.raises(InputError, match=r"fixed: the array (is complex|can't be used)"):
        image_file("fixed", (given, GRID), tmp_path)
    with pytest.raises(InputError):
        points_file("fixed_points", given, tmp_path)
