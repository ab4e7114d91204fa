"""What displacement fields promise beside the contract of all transforms: ITK's rim."""

from functools import cache

import numpy as np
import SimpleITK as sitk
import torch
from transform_contract import TransformContract

from elastix_impact.geometry.grid import Grid
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.displacement_field import DisplacementFieldTransform


@cache
def oblique(dimension: int) -> tuple[tuple[float, ...], ...]:
    """Direction cosines of a rotation about all axes."""
    turn = sitk.Euler3DTransform() if dimension == 3 else sitk.Euler2DTransform()
    turn.SetParameters([0.3, -0.4, 0.2, 0.0, 0.0, 0.0] if dimension == 3 else [0.3, 0.0, 0.0])
    return tuple(map(tuple, np.array(turn.GetMatrix()).reshape(dimension, dimension).tolist()))


class DisplacementFieldContract(TransformContract):
    """Points of the contract lie inside the field, within half a voxel of it, and beyond."""

    def grid(self) -> Grid:
        unmoved = Grid(
            (7, 6, 9)[: self.dimension], (22.0, 25.0, 19.0)[: self.dimension], self.middle, oblique(self.dimension)
        )
        return unmoved.shifted(tuple(m - c for m, c in zip(self.middle, unmoved.centre)))

    def displacements(self) -> torch.Tensor:
        generator = torch.Generator().manual_seed(5)
        return 8 * torch.randn(self.dimension, *self.grid().shape, generator=generator, dtype=torch.float64)

    def identity(self) -> AbstractTransform:
        return DisplacementFieldTransform.of(torch.zeros_like(self.displacements()), self.grid())

    def make(self) -> AbstractTransform:
        return DisplacementFieldTransform.of(self.displacements(), self.grid())

    def oracle(self, world_point: np.ndarray) -> np.ndarray:
        return np.array(self.reference().TransformPoint(world_point.tolist()))

    @cache  # noqa: B019
    def reference(self) -> sitk.Transform:
        grid = self.grid()
        field = sitk.GetImageFromArray(self.displacements().movedim(0, -1).numpy(), isVector=True)
        field.SetSpacing(grid.spacing)
        field.SetOrigin(grid.origin)
        field.SetDirection([number for row in grid.direction for number in row])
        return sitk.DisplacementFieldTransform(field)

    def test_half_a_voxel_beyond_the_border_is_moved_and_no_more(self) -> None:
        size = self.grid().size
        aligned = Grid.axis_aligned(size, (1.0,) * self.dimension)
        transform = DisplacementFieldTransform.of(self.displacements(), aligned)
        for axis, voxels in enumerate(size):
            for place, moves in ((-0.51, False), (-0.5, True), (voxels - 0.51, True), (voxels - 0.5, False)):
                index = [(n - 1) / 2 for n in size]
                index[axis] = place
                world_point = torch.tensor([index], dtype=torch.float64)
                assert torch.equal(transform.map_points(world_point), world_point) is not moves, (axis, place)
                still = torch.equal(transform.spatial_jacobian(world_point)[0], torch.eye(self.dimension).double())
                assert still is not moves, (axis, place)

    def test_its_voxels_are_what_was_given(self) -> None:
        transform = DisplacementFieldTransform.of(self.displacements(), self.grid())
        assert torch.equal(transform.displacements, self.displacements())
        assert transform.field_grid.same_as(self.grid(), 1e-9)
