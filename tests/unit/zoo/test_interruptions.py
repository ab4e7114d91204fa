"""Ctrl-C while a model runs under hooks: TorchScript leaves a RuntimeError of it, and it is Ctrl-C all the same."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from elastix_impact.cli.failures import Terminated, exit_codes
from elastix_impact.errors import ModelError
from elastix_impact.interruption import forget
from elastix_impact.zoo.load import load_model
from hostile_models import save

STATS, DIRECTION = torch.tensor([0.0, 1.0, 0.5, 0.3]), torch.eye(3, dtype=torch.int64)


class Squares(nn.Module):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [x * x]


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    yield
    forget()


def _run(path: Path, what: BaseException | int) -> None:
    def pack(tensor: Tensor) -> Tensor:
        if isinstance(what, int):
            signal.raise_signal(what)
            return tensor
        raise what

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        load_model(path)(torch.rand(1, 1, 4, 4, 4).requires_grad_(), 1, STATS, DIRECTION)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_no_fault_of_the_model(
    tmp_path: Path, number: int, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(Squares(), tmp_path / "model.pt")
    with exit_codes(debug=False) as outcome:
        _run(path, number)
    assert outcome.code == code
    assert "the model fails" not in capsys.readouterr().err


def test_what_was_kept_is_forgotten_with_the_command(tmp_path: Path) -> None:
    path = save(Squares(), tmp_path / "model.pt")
    with exit_codes(debug=False):
        _run(path, signal.SIGTERM)
    with pytest.raises(ModelError, match="the model fails"):
        _run(path, ValueError("of the model"))


def test_terminated_is_an_interruption() -> None:
    assert issubclass(Terminated, KeyboardInterrupt)
