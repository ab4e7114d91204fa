"""What every transform promises. A subclass supplies `make`, `identity` and `oracle`, and inherits the tests."""

import pickle
from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.patches import Patches
from elastix_impact.transforms.base import AbstractTransform, KroneckerJacobian

POINTS = 11
NANOMETRE = 1e-6


def dense(transform: AbstractTransform, world_points: Tensor) -> Tensor:
    """The Jacobian record as a full (N, D, P) tensor."""
    record = transform.jacobian(world_points)
    if not isinstance(record, KroneckerJacobian):
        return record.values
    nodes = torch.zeros(len(world_points), record.nodes, dtype=record.weights.dtype)
    nodes.scatter_add_(1, record.indices, record.weights)
    return torch.einsum("ij,nk->nijk", torch.eye(record.dimension, dtype=nodes.dtype), nodes).flatten(2)


class TransformContract(ABC):
    """Tests of a transform in float64 around the world point `middle` in mm; points lie within `reach` of it."""

    dimension = 3
    reach = 90.0

    @property
    def middle(self) -> tuple[float, ...]:
        return (-31.5, 140.25, -1500.0)[: self.dimension]

    @abstractmethod
    def make(self) -> AbstractTransform:
        """A transform that really moves points, float64."""

    @abstractmethod
    def identity(self) -> AbstractTransform:
        """The same kind at its identity parameters."""

    @abstractmethod
    def oracle(self, world_point: np.ndarray) -> np.ndarray:
        """Where another implementation takes one point (D,) under `make()`."""

    def world_points(self, count: int = POINTS) -> Tensor:
        generator = torch.Generator().manual_seed(3)
        around_zero = torch.rand(count, self.dimension, generator=generator, dtype=torch.float64) * 2 - 1
        return around_zero * self.reach + torch.tensor(self.middle, dtype=torch.float64)

    def test_identity_parameters_move_nothing(self) -> None:
        world_points = self.world_points()
        torch.testing.assert_close(self.identity().map_points(world_points), world_points, rtol=0, atol=1e-11)

    def test_it_moves_points_where_the_oracle_does(self) -> None:
        world_points = self.world_points(200)
        expected = torch.tensor(np.stack([self.oracle(point) for point in world_points.numpy()]))
        assert (expected - world_points).abs().max() > 1.0
        torch.testing.assert_close(self.make().map_points(world_points), expected, rtol=0, atol=1e-9)

    def test_jacobian_is_that_of_autograd(self) -> None:
        transform, world_points = self.make(), self.world_points()
        expected = torch.autograd.functional.jacobian(
            lambda parameters: transform.with_parameters(parameters).map_points(world_points), transform.parameters
        )
        torch.testing.assert_close(dense(transform, world_points), expected, rtol=1e-10, atol=1e-10)

    def test_jacobian_is_the_finite_difference(self) -> None:
        transform, world_points = self.make(), self.world_points()
        step = 1e-6 * torch.randn(len(transform.parameters), dtype=torch.float64)
        forward = transform.with_parameters(transform.parameters + step).map_points(world_points)
        backward = transform.with_parameters(transform.parameters - step).map_points(world_points)
        expected = dense(transform, world_points) @ (2 * step)
        torch.testing.assert_close(forward - backward, expected, rtol=1e-5, atol=1e-9)

    def test_jacobian_has_no_history(self) -> None:
        transform = self.make()
        learning = transform.with_parameters(transform.parameters.clone().requires_grad_())
        assert not dense(learning, self.world_points()).requires_grad

    def test_gradient_by_parameters_is_the_transposed_jacobian(self) -> None:
        transform, world_points = self.make(), self.world_points()
        parameters = transform.parameters.clone().requires_grad_()
        pull = torch.randn_like(world_points)
        transform.with_parameters(parameters).map_points(world_points).backward(pull)
        expected = torch.einsum("nip,ni->p", dense(transform, world_points), pull)
        torch.testing.assert_close(parameters.grad, expected, rtol=1e-10, atol=1e-10)

    def test_spatial_jacobian_is_that_of_autograd(self) -> None:
        transform, world_points = self.make(), self.world_points().requires_grad_()
        mapped = transform.map_points(world_points)
        rows = [
            torch.autograd.grad(mapped[:, i].sum(), world_points, retain_graph=True)[0] for i in range(mapped.shape[1])
        ]
        actual = transform.spatial_jacobian(world_points.detach())
        torch.testing.assert_close(actual, torch.stack(rows, dim=1), rtol=1e-9, atol=1e-9)

    def test_spatial_jacobian_is_the_finite_difference(self) -> None:
        transform, world_points = self.make(), self.world_points()
        columns = []
        for step in torch.eye(self.dimension, dtype=torch.float64) * 1e-4:
            difference = transform.map_points(world_points + step) - transform.map_points(world_points - step)
            columns.append(difference / 2e-4)
        actual = transform.spatial_jacobian(world_points)
        torch.testing.assert_close(actual, torch.stack(columns, dim=2), rtol=0, atol=1e-6)

    def test_a_batch_is_its_points_one_by_one(self) -> None:
        transform, world_points = self.make(), self.world_points()
        one_by_one = torch.cat([transform.map_points(point[None]) for point in world_points])
        torch.testing.assert_close(transform.map_points(world_points), one_by_one, rtol=0, atol=1e-11)

    def test_patches_go_where_their_points_go(self) -> None:
        transform, centres = self.make(), self.world_points()
        lattice = Grid.axis_aligned((3, 2, 4)[: self.dimension], (5.0, 7.0, 6.0)[: self.dimension])
        straight = Patches(centres, lattice.world_points(), lattice)
        turned = Patches(centres, torch.randn(POINTS, 5, self.dimension, dtype=torch.float64) * 9, None)
        for patches in (straight, turned):
            expected = transform.map_points(patches.points.flatten(0, 1)).view_as(patches.points)
            torch.testing.assert_close(transform.map_patches(patches), expected, rtol=0, atol=1e-9)

    def test_no_points_give_no_points(self) -> None:
        assert self.make().map_points(self.world_points(0)).shape == (0, self.dimension)

    def test_float32_about_the_centre_agrees_with_float64(self) -> None:
        transform, world_points = self.make(), self.world_points()
        offset = tuple(-c for c in self.middle)
        local = transform.shifted(offset).to(torch.float32)
        shift = torch.tensor(offset, dtype=torch.float64)
        mapped = local.map_points((world_points + shift).float())
        assert mapped.dtype == torch.float32
        torch.testing.assert_close(mapped.double() - shift, transform.map_points(world_points), rtol=0, atol=1e-3)

    def test_shifted_moves_with_the_world(self) -> None:
        transform, world_points = self.make(), self.world_points()
        offset = (12.5, -300.0, 77.0)[: self.dimension]
        shift = torch.tensor(offset, dtype=torch.float64)
        shifted = transform.shifted(offset)
        assert torch.equal(shifted.parameters, transform.parameters)
        torch.testing.assert_close(
            shifted.map_points(world_points + shift), transform.map_points(world_points) + shift, rtol=0, atol=1e-8
        )

    def test_with_parameters_replaces_the_parameters_only(self) -> None:
        transform, identity = self.make(), self.identity()
        again = identity.with_parameters(transform.parameters)
        assert type(again) is type(transform)
        assert again.parameters is transform.parameters
        world_points = self.world_points()
        assert torch.equal(again.map_points(world_points), transform.map_points(world_points))
        assert not torch.equal(identity.parameters, transform.parameters)

    def test_pickling_keeps_the_map(self) -> None:
        transform, world_points = self.make(), self.world_points()
        transform.map_points(world_points)
        again = pickle.loads(pickle.dumps(transform))
        assert torch.equal(again.map_points(world_points), transform.map_points(world_points))

    def test_repeated_gradients_are_the_same_bytes(self) -> None:
        transform, world_points = self.make(), self.world_points(500)
        gradients = []
        for _ in range(2):
            parameters = transform.parameters.clone().requires_grad_()
            transform.with_parameters(parameters).map_points(world_points).square().sum().backward()
            gradients.append(parameters.grad)
        assert torch.equal(gradients[0], gradients[1])

    def test_dimension(self) -> None:
        assert self.make().dimension == self.dimension
