"""`check --models`, `models verify` and trusted folders as a user meets them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from elastix_impact.cli.main import main
from elastix_impact.errors import ModelError
from elastix_impact.runs.plans import find_models, plan_case
from elastix_impact.zoo.export.mind import export_mind
from elastix_impact.zoo.trust import trusting

MAP = """\
(FixedImageDimension 3)
(MovingImageDimension 3)
(Transform "BSplineTransform")
(Optimizer "AdaptiveStochasticGradientDescent")
(Metric "Impact")
(ImageSampler "RandomCoordinate")
(NewSamplesEveryIteration "true")
(NumberOfResolutions 2)
(MaximumNumberOfIterations 2)
(ImpactMode "{mode}")
(ImpactModelsPath0 "{path}")
(ImpactDimension0 {dimension})
(ImpactNumberOfChannels0 {channels})
(ImpactPatchSize0 {patch})
(ImpactVoxelSize0 2 2 2)
(ImpactLayersMask0 "{mask}")
(ImpactSubsetFeatures0 4)
(ImpactDistance0 "L1")
(ImpactLayersWeight0 1)
(ImpactUseMixedPrecision "{mixed}")
(ImpactGPU {gpu})
"""


class TwoLayers(nn.Module):
    """Receptive fields of 3 and 7 voxels, strides of 1 and 2; the second layer is not differentiable."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv3d(1, 4, 3, padding=1), nn.Conv3d(4, 4, 5, 2, 2)

    def forward(self, x: Tensor) -> list[Tensor]:
        first = self.first(x * 1000.0) / 1000.0
        return [first, self.second(first), self.second(first.detach()), first.mean([2, 3, 4], keepdim=True)]


class OnTheCpu(nn.Module):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [x + torch.zeros(x.shape)]


Check = Callable[..., tuple[int, list[dict[str, str]]]]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "Models" / "two.pt"
    path.parent.mkdir()
    torch.jit.script(TwoLayers().eval()).save(str(path))
    return path


@pytest.fixture
def check(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    def run(*options: str, **changed: object) -> tuple[int, list[dict[str, str]]]:
        values = {
            "mode": "Jacobian", "path": model, "dimension": 3, "channels": 1, "patch": "3 3 3", "mask": "1000",
            "mixed": "false", "gpu": -1,
        } | changed  # fmt: skip
        file = tmp_path / "map.txt"
        file.write_text(MAP.format(**values))
        code = main(["check", "--json", "--models", *options, str(file)])
        return code, json.loads(capsys.readouterr().out)[0]["problems"]

    return run


def _about(problems: list[dict[str, str]], parameter: str) -> dict[str, str]:
    (found,) = [one for one in problems if one["parameter"] == parameter]
    return found


def test_a_model_that_fits_raises_nothing(check: Check) -> None:
    assert check() == (0, [])


@pytest.mark.parametrize(
    ("changed", "parameter", "severity", "said", "remedy"),
    [
        ({"channels": 3}, "ImpactNumberOfChannels0", "error", "has 1 channels, the map says 3", "Channels0 1)"),
        ({"mask": "10"}, "ImpactLayersMask0", "error", "has 4 layers, the map says 2", '"1000"'),
        ({"mask": "0010", "patch": "7 7 7"}, "ImpactLayersMask0", "error", "not differentiable", '"Static"'),
        ({"mode": "Static", "patch": "0 0 0", "mask": "0001"}, "ImpactLayersMask0", "warning", "1x1x1", "Leave"),
        ({"mask": "0100", "patch": "3 3 3"}, "ImpactPatchSize0", "warning", "smaller than the receptive", "Write 7"),
        ({"patch": "31 31 31"}, "ImpactPatchSize0", "hint", "larger than the receptive", "Write 3"),
        ({"patch": "1 1 1"}, "ImpactPatchSize0", "error", "can't take 1 voxels along x: from 2", "Write 7"),
        ({"path": "/Data/Models/none.pt"}, "ImpactModelsPath0", "error", "no such model file", "--data"),
        ({"path": "/Data/Models/TS/M730_2_Layers.pt"}, "ImpactModelsPath0", "error", "no such", "download TS/M730"),
    ],
)
def test_what_does_not_fit_is_told_with_the_line(
    check: Check, changed: dict[str, object], parameter: str, severity: str, said: str, remedy: str
) -> None:
    code, problems = check(**changed)
    found = _about(problems, parameter)
    assert code == (2 if severity == "error" else 0)
    assert found["severity"] == severity
    assert said in found["message"]
    assert remedy in found["remedy"]
    assert found["line"] > 0  # type: ignore[operator]


def test_both_levels_have_a_problem_once(check: Check) -> None:
    assert len(check(channels=3)[1]) == 1


def test_a_model_that_would_fail_on_the_gpu_that_the_map_wishes(check: Check, tmp_path: Path) -> None:
    path = tmp_path / "stuck.pt"
    torch.jit.script(OnTheCpu()).save(str(path))
    assert "would fail on a GPU" in _about(check(path=path, mask="1", gpu=0)[1], "ImpactModelsPath0")["message"]
    assert check(path=path, mask="1", gpu=-1)[0] == 0


def test_a_model_outside_the_trusted_folders_is_not_opened(
    check: Check, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    code, problems = check("--trusted-models", str(elsewhere))
    assert code == 2
    assert "outside the trusted folders" in _about(problems, "ImpactModelsPath0")["message"]
    assert check("--trusted-models", str(elsewhere), "--trusted-models", str(model.parent)) == (0, [])
    monkeypatch.setenv("ELASTIX_IMPACT_TRUSTED_MODELS", str(elsewhere))
    assert check()[0] == 2
    link = elsewhere / "link.pt"
    link.symlink_to(model)
    assert check(path=link)[0] == 2


def test_a_run_stops_at_a_model_outside_the_trusted_folders(tmp_path: Path, model: Path) -> None:
    file = tmp_path / "map.txt"
    values = {"dimension": 3, "channels": 1, "patch": "3 3 3", "mask": "1000", "mixed": "false", "gpu": -1}
    file.write_text(MAP.format(mode="Jacobian", path=model, **values))
    plan = plan_case((file,), None, None)
    with trusting((tmp_path,)):
        assert find_models(plan) == (model,)
    with trusting((tmp_path / "other",)), pytest.raises(ModelError, match="outside the trusted folders"):
        find_models(plan)


def test_check_without_models_opens_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "map.txt"
    file.write_text(
        MAP.format(
            mode="Static", path="none.pt", dimension=3, channels=1, patch="0 0 0", mask="1", mixed="false", gpu=-1
        )
    )
    assert main(["check", str(file)]) == 0
    capsys.readouterr()


def test_verify_prints_lines_to_paste(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = export_mind(tmp_path / "R1D2_3D.pt", 1, 2, 3)
    assert main(["models", "verify", str(path)]) == 0
    printed = capsys.readouterr()
    assert "Static mode: fit" in printed.out
    assert "Jacobian mode: fit" in printed.out
    assert f'(ImpactModelsPath0 "{path}")' in printed.out
    assert "is a program" in printed.err


def test_verify_of_a_model_that_is_fit_for_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Random(nn.Module):
        def forward(self, x: Tensor) -> list[Tensor]:
            return [x + torch.rand_like(x)]

    path = tmp_path / "random.pt"
    torch.jit.script(Random()).save(str(path))
    assert main(["models", "verify", "--json", str(path)]) == 2
    (found,) = json.loads(capsys.readouterr().out)
    assert found["static"]["fit"] is False
    assert found["jacobian"]["fit"] is False
