"""MIND made from code: equal to the golden files, and to a slow textbook version."""

from itertools import product
from pathlib import Path

import pytest
import torch

from elastix_impact.errors import InputError, OutputError
from elastix_impact.zoo.export.mind import export_mind, mind_file_name, neighbour_pairs
from elastix_impact.zoo.load import load_model

CASES = list(product((1, 2), (1, 2), (2, 3)))


def _image(dimension: int) -> torch.Tensor:
    return 300 * torch.randn(2, 1, *(9, 12, 14)[3 - dimension :])


@pytest.mark.shared
@pytest.mark.parametrize(("radius", "dilation", "dimension"), CASES)
def test_equals_the_golden_model(shared: Path, tmp_path: Path, radius: int, dilation: int, dimension: int) -> None:
    name = mind_file_name(radius, dilation, dimension)
    ours = torch.jit.load(str(export_mind(tmp_path / name, radius, dilation, dimension)))
    golden = torch.jit.load(str(shared / "golden" / "models" / f"MIND_{name}"))
    x, stats = _image(dimension), torch.tensor([-1000.0, 2000.0, 3.0, 400.0])
    assert torch.equal(ours(x)[0], golden(x)[0])
    arguments = (x, torch.tensor(1), stats, torch.eye(dimension, dtype=torch.int64))
    assert torch.equal(ours(*arguments)[0], golden(*arguments)[0])


@pytest.mark.parametrize(("dimension", "channels"), [(2, 4), (3, 12)])
def test_pairs_of_neighbours_touch_along_an_edge(dimension: int, channels: int) -> None:
    pairs = neighbour_pairs(dimension)
    assert len(pairs) == channels
    assert len({frozenset(map(tuple, pair)) for pair in pairs}) == channels
    for a, b in pairs:
        assert sum(map(abs, a)) == sum(map(abs, b)) == 1
        assert sum(p * q for p, q in zip(a, b)) == 0


def test_agrees_with_the_formula_at_one_voxel(tmp_path: Path) -> None:
    """exp(-D / V): D the mean squared difference of two patches, less the smallest; V their mean."""
    radius, dilation = 1, 2
    model = load_model(export_mind(tmp_path / "m.pt", radius, dilation, 2))
    x, stats = torch.rand(1, 1, 15, 17), torch.tensor([0.0, 1.0, 0.5, 0.3])
    image = (x[0, 0] / (1 + 1e-6)).double()

    def patch(row: int, column: int) -> torch.Tensor:
        return image[row - radius : row + radius + 1, column - radius : column + radius + 1]

    distances = torch.stack(
        [
            (patch(7 + dilation * a[0], 8 + dilation * a[1]) - patch(7 + dilation * b[0], 8 + dilation * b[1]))
            .square()
            .mean()
            for a, b in neighbour_pairs(2)
        ]
    )
    distances = distances - distances.min()
    (mind,) = model(x, 1, stats, torch.eye(2, dtype=torch.int64))
    torch.testing.assert_close(
        mind[0, :, 7, 8].double(), torch.exp(-distances / distances.mean()), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize(("radius", "dilation", "dimension"), [(0, 1, 3), (1, 0, 3), (1, 1, 4)])
def test_refuses_impossible_numbers(tmp_path: Path, radius: int, dilation: int, dimension: int) -> None:
    with pytest.raises(InputError, match="dimension 2 or 3"):
        export_mind(tmp_path / "m.pt", radius, dilation, dimension)


def test_unwritable_folder_is_an_output_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="can't be written"):
        export_mind(tmp_path / "file" / "m.pt", 1, 1, 3)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
