"""`outputpoints.txt`: transformed points in the lines that transformix writes and its users parse."""

import torch
from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.typing import Points


def nearest_indices(world_points: Points, grid: Grid) -> Tensor:
    """Whole voxel indices (N, D) nearest to world points; of two as near, the higher one."""
    return grid.to_index(world_points).add(0.5).floor().long()


def output_points_text(fixed_points: Points, moving_points: Points, fixed_grid: Grid, moving_grid: Grid | None) -> str:
    """A line per point: indices and world points in mm before and after, and the difference.

    Parameters
    ----------
    fixed_points, moving_points
        World points in mm (N, D) before and after.
    moving_grid
        Of the moving image, for its indices; None leaves them out.
    """
    fields = {
        "InputIndex": _whole(nearest_indices(fixed_points, fixed_grid)),
        "InputPoint": _decimal(fixed_points),
        "OutputIndexFixed": _whole(nearest_indices(moving_points, fixed_grid)),
        "OutputPoint": _decimal(moving_points),
        "Deformation": _decimal((moving_points - fixed_points).to(torch.float32)),
    }
    if moving_grid is not None:
        fields["OutputIndexMoving"] = _whole(nearest_indices(moving_points, moving_grid))
    rows = zip(*fields.values())
    lines = [
        "\t; ".join([f"Point\t{number}", *(f"{name} = [ {text} ]" for name, text in zip(fields, row))])
        for number, row in enumerate(rows)
    ]
    return "".join(line + "\n" for line in lines)


def _whole(indices: Tensor) -> list[str]:
    return [" ".join(str(index) for index in row) for row in indices.tolist()]


def _decimal(points: Tensor) -> list[str]:
    return [" ".join(f"{c:.6f}" for c in row) for row in points.tolist()]
