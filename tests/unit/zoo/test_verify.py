"""What a model can stand, and whether it is fit, against models that are known to have one fault each."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from elastix_impact.parameters.resolve import resolve
from elastix_impact.parameters.text import parse_parameter_text
from elastix_impact.zoo.export.mind import export_mind
from elastix_impact.zoo.inspect import inspect_model
from elastix_impact.zoo.map_lines import map_lines
from elastix_impact.zoo.verify import useful_patch, verify_model

Export = Callable[[nn.Module], Path]


class _Model(nn.Module):
    """A convolution; children spoil something."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv3d(1, 4, 3, padding=1)


class Good(_Model):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.first(x)]


class TensorOfNumbers(_Model):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.first(x) * torch.tensor([1.0, 2.0, 3.0, 4.0])[:, None, None, None]]


class TensorOfNumbersThere(_Model):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.first(x) * torch.tensor([1.0, 2.0, 3.0, 4.0], device=x.device)[:, None, None, None]]


class ZerosOnTheCpu(_Model):
    def forward(self, x: Tensor) -> list[Tensor]:
        y = self.first(x)
        return [torch.cat([y, torch.zeros(y.shape)], 1)]


class ZerosThere(_Model):
    def forward(self, x: Tensor) -> list[Tensor]:
        y = self.first(x)
        return [torch.cat([y, torch.zeros_like(y), torch.ones(y.shape, device=x.device)], 1)]


class ZerosLike(_Model):
    def forward(self, x: Tensor) -> list[Tensor]:
        y = self.first(x)
        return [torch.cat([y, torch.zeros_like(y)], 1)]


class MultiplesOfEight(_Model):
    def forward(self, x: Tensor) -> list[Tensor]:
        if x.size(4) % 8 != 0 or x.size(4) < 24:
            raise RuntimeError("sizes must be multiples of 8")
        return [self.first(x)]


class Overflows(_Model):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.first(x * 1000.0) / 1000.0]


class DividesByItsRange(_Model):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.first((x - x.min()) / (x.max() - x.min()))]


class Random(_Model):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.first(x + torch.rand_like(x))]


class Rounded(_Model):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.first(x.detach().round())]


class AveragesItsBatch(_Model):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.first(x).mean(0, keepdim=True)]


class OneNumber(_Model):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.first(x).mean([2, 3, 4], keepdim=True)]


class RefusesFlips(_Model):
    def forward(self, x: Tensor, nb_layers: Tensor, stats: Tensor, direction: Tensor) -> list[Tensor]:
        if int(direction[0, 0].item()) < 0:
            raise RuntimeError("no flips")
        return [self.first(x)]


@pytest.fixture
def export(tmp_path: Path) -> Export:
    def save(module: nn.Module) -> Path:
        path = tmp_path / f"{type(module).__name__}.pt"
        torch.jit.script(module.eval()).save(str(path))
        return path

    return save


def test_a_good_model_is_fit_for_both_modes(export: Export) -> None:
    found = verify_model(export(Good()))
    assert found.static.fit
    assert found.jacobian.fit
    assert found.remarks == ()
    assert found.jacobian.patch_size == (3, 3, 3)
    abilities = found.report.abilities
    assert (abilities.smallest_side, abilities.side_step, found.report.dtype) == (2, 1, "float32")
    # input and output of the convolution, twice as workspace
    assert abilities.memory_per_voxel == pytest.approx(2 * 4 * (1 + 4), rel=0.01)


@pytest.mark.parametrize("module", [TensorOfNumbers, ZerosOnTheCpu])
def test_a_tensor_left_on_the_cpu_is_found_without_a_gpu(export: Export, module: type[nn.Module]) -> None:
    found = verify_model(export(module()))
    assert "makes on the CPU" in found.report.abilities.device_fault
    assert any("GPU" in remark for remark in found.remarks)


@pytest.mark.parametrize("module", [TensorOfNumbersThere, ZerosThere, ZerosLike, Good])
def test_a_tensor_made_beside_the_image_is_none(export: Export, module: type[nn.Module]) -> None:
    assert inspect_model(export(module())).abilities.device_fault == ""


def test_a_trace_holds_the_device_of_its_day(tmp_path: Path) -> None:
    path = tmp_path / "traced.pt"
    torch.jit.trace(ZerosThere().eval(), torch.rand(1, 1, 8, 8, 8), strict=False).save(str(path))
    assert "makes on the CPU" in inspect_model(path).abilities.device_fault


def test_mind_stands_everything(tmp_path: Path) -> None:
    found = verify_model(export_mind(tmp_path / "R1D2_3D.pt", 1, 2, 3))
    assert found.static.fit
    assert found.jacobian.fit
    assert found.report.abilities.device_fault == ""


def test_sizes(export: Export) -> None:
    abilities = inspect_model(export(MultiplesOfEight())).abilities
    assert (abilities.smallest_side, abilities.side_step) == (24, 8)


def test_an_overflow_in_sixteen_bits_is_told(export: Export) -> None:
    found = verify_model(export(Overflows()))
    assert found.report.abilities.float16_error == float("inf")
    assert any("float16 it overflows" in remark for remark in found.remarks)


@pytest.mark.parametrize(
    ("module", "static", "jacobian"),
    [
        (DividesByItsRange, "constant", None),
        (Random, "differ", "differ"),
        (Rounded, None, "not differentiable"),
        (AveragesItsBatch, None, "batch"),
        (OneNumber, "whatever the image's size", None),
        (RefusesFlips, "flipped", None),
    ],
)
def test_faults(export: Export, module: type[nn.Module], static: str | None, jacobian: str | None) -> None:
    found = verify_model(export(module()))
    for verdict, expected in ((found.static, static), (found.jacobian, jacobian)):
        if expected is None:
            assert verdict.fit
        else:
            assert any(expected in fault for fault in verdict.faults)


def test_the_lines_to_paste_resolve(export: Export, tmp_path: Path) -> None:
    found = verify_model(export(Good()))
    for verdict in (found.static, found.jacobian):
        lines = map_lines(found.report, verdict)
        assert f'(ImpactMode "{verdict.mode}")' in lines
        rest = [
            "(FixedImageDimension 3)", "(MovingImageDimension 3)", '(Transform "BSplineTransform")',
            '(Optimizer "AdaptiveStochasticGradientDescent")', '(ImageSampler "RandomCoordinate")',
            "(NumberOfResolutions 1)", "(MaximumNumberOfIterations 2)",
        ]  # fmt: skip
        resolution = resolve(parse_parameter_text("\n".join([*lines, *rest]), "map.txt"))
        assert resolution.plan is not None, resolution.problems


def test_the_catalogue_knows_the_voxel_size(tmp_path: Path) -> None:
    path = tmp_path / "M732.pt"
    torch.jit.script(Good().eval()).save(str(path))
    found = verify_model(path)
    assert any(line.startswith("(ImpactVoxelSize0 3 3 3)") for line in map_lines(found.report, found.static))


def test_a_useful_patch_holds_the_selected_fields(export: Export) -> None:
    report = inspect_model(export(Good()))
    assert useful_patch(report, (True,), 0) == 3
