"""Every transform keeps the contract, and agrees with SimpleITK's transform of the same kind."""

import importlib
import inspect
import pkgutil
from functools import cache

import numpy as np
import scipy.linalg
import SimpleITK as sitk
import torch
from displacement_field_contract import DisplacementFieldContract, oblique
from transform_contract import TransformContract

import elastix_impact.transforms as room
from elastix_impact.geometry.grid import Grid
from elastix_impact.transforms import affine, bspline, euler, similarity, translation
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.composite import CompositeTransform

CENTRE = (-20.0, 130.0, -1490.0)


def vector(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def sitk_like(kind: type, parameters: torch.Tensor, centre: tuple[float, ...]) -> sitk.Transform:
    transform = kind()
    transform.SetCenter(centre)
    transform.SetParameters(parameters.tolist())
    return transform


class TestTranslation(TransformContract):
    def make(self) -> AbstractTransform:
        return translation.TranslationTransform(vector(4.0, -7.0, 2.5))

    def identity(self) -> AbstractTransform:
        return translation.TranslationTransform(translation.identity_parameters(3))

    def oracle(self, world_point: np.ndarray) -> np.ndarray:
        return world_point + np.array([4.0, -7.0, 2.5])


class LinearContract(TransformContract):
    parameters: torch.Tensor
    reference: type

    def make(self) -> AbstractTransform:
        return self.identity().with_parameters(self.parameters)

    def oracle(self, world_point: np.ndarray) -> np.ndarray:
        transform = sitk_like(self.reference, self.parameters, CENTRE[: self.dimension])
        return np.array(transform.TransformPoint(world_point.tolist()))


class TestEuler3D(LinearContract):
    parameters = vector(0.3, -0.5, 0.2, 4.0, -6.0, 9.0)
    reference = sitk.Euler3DTransform

    def identity(self) -> AbstractTransform:
        return euler.EulerTransform(euler.identity_parameters(3), CENTRE)


class TestEuler3DZYX(TestEuler3D):
    def identity(self) -> AbstractTransform:
        return euler.EulerTransform(euler.identity_parameters(3), CENTRE, compute_zyx=True)

    def oracle(self, world_point: np.ndarray) -> np.ndarray:
        transform = sitk.Euler3DTransform()
        transform.SetComputeZYX(True)
        transform.SetCenter(CENTRE)
        transform.SetParameters(self.parameters.tolist())
        return np.array(transform.TransformPoint(world_point.tolist()))


class TestEuler2D(LinearContract):
    dimension = 2
    parameters = vector(0.7, 4.0, -6.0)
    reference = sitk.Euler2DTransform

    def identity(self) -> AbstractTransform:
        return euler.EulerTransform(euler.identity_parameters(2), CENTRE[:2])


class TestSimilarity3D(LinearContract):
    parameters = vector(0.2, -0.1, 0.3, 4.0, -6.0, 9.0, 1.2)
    reference = sitk.Similarity3DTransform

    def identity(self) -> AbstractTransform:
        return similarity.SimilarityTransform(similarity.identity_parameters(3), CENTRE)


class TestSimilarity2D(LinearContract):
    dimension = 2
    parameters = vector(0.8, 0.6, 4.0, -6.0)
    reference = sitk.Similarity2DTransform

    def identity(self) -> AbstractTransform:
        return similarity.SimilarityTransform(similarity.identity_parameters(2), CENTRE[:2])


class TestAffine3D(LinearContract):
    parameters = vector(1.1, 0.2, -0.1, 0.0, 0.9, 0.3, 0.1, -0.2, 1.0, 4.0, -6.0, 9.0)

    def identity(self) -> AbstractTransform:
        return affine.AffineTransform(affine.identity_parameters(3), CENTRE)

    def oracle(self, world_point: np.ndarray) -> np.ndarray:
        transform = sitk.AffineTransform(self.dimension)
        transform.SetCenter(CENTRE[: self.dimension])
        transform.SetParameters(self.parameters.tolist())
        return np.array(transform.TransformPoint(world_point.tolist()))


class TestAffine2D(TestAffine3D):
    dimension = 2
    parameters = vector(1.1, 0.2, -0.1, 0.9, 4.0, -6.0)

    def identity(self) -> AbstractTransform:
        return affine.AffineTransform(affine.identity_parameters(2), CENTRE[:2])


class TestAffineLog3D(LinearContract):
    parameters = vector(0.1, 0.2, -0.1, 0.0, -0.1, 0.3, 0.1, -0.2, 0.05, 4.0, -6.0, 9.0)

    def identity(self) -> AbstractTransform:
        return affine.AffineLogTransform(affine.identity_log_parameters(3), CENTRE)

    def oracle(self, world_point: np.ndarray) -> np.ndarray:
        dimension, centre = self.dimension, np.array(CENTRE[: self.dimension])
        matrix = scipy.linalg.expm(self.parameters[: dimension**2].view(dimension, dimension).numpy())
        return matrix @ (world_point - centre) + centre + self.parameters[dimension**2 :].numpy()


class TestAffineLog2D(TestAffineLog3D):
    dimension = 2
    parameters = vector(0.1, 0.2, -0.1, 0.3, 4.0, -6.0)

    def identity(self) -> AbstractTransform:
        return affine.AffineLogTransform(affine.identity_log_parameters(2), CENTRE[:2])


class TestBSpline3D(TransformContract):
    order = 3

    def grid(self) -> Grid:
        unmoved = Grid(
            (8, 7, 9)[: self.dimension], (22.0, 25.0, 19.0)[: self.dimension], self.middle, oblique(self.dimension)
        )
        return unmoved.shifted(tuple(m - c for m, c in zip(self.middle, unmoved.centre)))

    def identity(self) -> AbstractTransform:
        return bspline.BSplineTransform(bspline.identity_parameters(self.grid()), self.grid(), self.order)

    def make(self) -> AbstractTransform:
        identity = self.identity()
        generator = torch.Generator().manual_seed(5)
        noise = torch.randn(len(identity.parameters), generator=generator, dtype=torch.float64)
        return identity.with_parameters(8 * noise)

    def oracle(self, world_point: np.ndarray) -> np.ndarray:
        return np.array(self.reference().TransformPoint(world_point.tolist()))

    @cache  # noqa: B019
    def reference(self) -> sitk.Transform:
        grid = self.grid()
        transform = sitk.BSplineTransform(self.dimension, self.order)
        direction = [number for row in grid.direction for number in row]
        transform.SetFixedParameters([*map(float, grid.size), *grid.origin, *grid.spacing, *direction])
        transform.SetParameters(self.make().parameters.tolist())
        return transform

    def test_points_outside_the_valid_region_stay(self) -> None:
        parameters, size = self.make().parameters, self.grid().size
        aligned = Grid.axis_aligned(size, (1.0,) * self.dimension)
        transform = bspline.BSplineTransform(parameters, aligned, self.order)
        first = (self.order - 1) / 2
        for axis, nodes in enumerate(size):
            end = nodes - 1 - first
            for position, moves in ((first - 1e-6, False), (first, True), (end - 1e-6, True), (end, False)):
                index = [(n - 1) / 2 for n in size]
                index[axis] = position
                world_point = vector(*index)[None]
                assert torch.equal(transform.map_points(world_point), world_point) is not moves, (axis, position)

    def test_many_points_are_handled_in_pieces(self) -> None:
        transform, world_points = self.make(), self.world_points(bspline.CHUNK + 5)
        mapped = transform.map_points(world_points)
        torch.testing.assert_close(mapped[-9:], transform.map_points(world_points[-9:]), rtol=0, atol=1e-11)


class TestBSpline3DOrder2(TestBSpline3D):
    order = 2


class TestBSpline3DOrder1(TestBSpline3D):
    order = 1


class TestBSpline2D(TestBSpline3D):
    dimension = 2


class TestBSpline2DOrder2(TestBSpline2D):
    order = 2


class TestBSpline2DOrder1(TestBSpline2D):
    order = 1


class TestDisplacementField3D(DisplacementFieldContract):
    pass


class TestDisplacementField2D(DisplacementFieldContract):
    dimension = 2


class TestComposed(TransformContract):
    def parts(self) -> tuple[TransformContract, TransformContract]:
        return TestEuler3D(), TestBSpline3D()

    def make(self) -> AbstractTransform:
        initial, current = self.parts()
        return CompositeTransform(initial.make(), current.make(), "Compose")

    def identity(self) -> AbstractTransform:
        _, current = self.parts()
        unmoving = translation.TranslationTransform(translation.identity_parameters(self.dimension))
        return CompositeTransform(unmoving, current.identity(), "Compose")

    def oracle(self, world_point: np.ndarray) -> np.ndarray:
        initial, current = self.parts()
        return current.oracle(initial.oracle(world_point))

    def test_with_parameters_replaces_the_parameters_only(self) -> None:
        transform = self.make()
        again = transform.with_parameters(2 * transform.parameters)
        assert again.initial is transform.initial
        assert again.current.parameters is again.parameters
        assert torch.equal(again.parameters, 2 * transform.parameters)
        assert torch.equal(transform.current.parameters, transform.parameters)


class TestAdded(TestComposed):
    def make(self) -> AbstractTransform:
        initial, current = self.parts()
        return CompositeTransform(initial.make(), current.make(), "Add")

    def oracle(self, world_point: np.ndarray) -> np.ndarray:
        initial, current = self.parts()
        return initial.oracle(world_point) + current.oracle(world_point) - world_point


class TestNested(TestComposed):
    """An affine transform on a B-spline on a rotation."""

    def parts(self) -> tuple[TransformContract, TransformContract]:
        return TestComposed(), TestAffine3D()


def subclasses(kind: type) -> set[type]:
    return {kind}.union(*map(subclasses, kind.__subclasses__()))


def test_every_transform_keeps_the_contract() -> None:
    for module in pkgutil.iter_modules(room.__path__, f"{room.__name__}."):
        importlib.import_module(module.name)
    ours = {kind for kind in subclasses(AbstractTransform) if kind.__module__.startswith("elastix_impact.")}
    concrete = {kind for kind in ours if not inspect.isabstract(kind)}
    contracts = {kind for kind in subclasses(TransformContract) if not inspect.isabstract(kind)}
    assert concrete == {type(contract().make()) for contract in contracts}


def test_every_concrete_transform_is_final() -> None:
    for kind in subclasses(AbstractTransform):
        assert inspect.isabstract(kind) != getattr(kind, "__final__", False), kind
