"""Which device: the user's word, else the map's wish, else the CPU with a note."""

from dataclasses import dataclass

import pytest
import torch

from elastix_impact.errors import DeviceError
from elastix_impact.runs import device
from elastix_impact.runs.device import choose_device, choose_threads, torch_settings


@dataclass
class Metric:
    gpu: int


@dataclass
class Level:
    impact_metrics: tuple[Metric, ...]


@dataclass
class Plan:
    """What `choose_device` reads of a plan."""

    levels: tuple[Level, ...]
    source: str = "map.txt"


def plan(*gpus: int) -> Plan:
    return Plan(tuple(Level((Metric(gpu),)) for gpu in gpus))


@pytest.fixture
def one_gpu(monkeypatch) -> None:
    monkeypatch.setattr(device, "present_devices", lambda: ("cpu", "cuda:0"))


@pytest.fixture
def no_gpu(monkeypatch) -> None:
    monkeypatch.setattr(device, "present_devices", lambda: ("cpu",))


@pytest.mark.usefixtures("one_gpu")
@pytest.mark.parametrize(
    ("asked", "gpus", "expected"),
    [
        (None, (-1,), "cpu"),
        (None, (0, 0), "cuda:0"),
        ("cpu", (0,), "cpu"),
        ("cuda", (-1,), "cuda"),
        ("auto", (-1,), "cuda:0"),
    ],
)
def test_the_user_goes_before_the_map(asked: str | None, gpus: tuple[int, ...], expected: str) -> None:
    assert choose_device(asked, plan(*gpus)) == (torch.device(expected), ())


@pytest.mark.usefixtures("no_gpu")
def test_a_wished_gpu_that_is_absent_becomes_the_cpu_with_a_note() -> None:
    chosen, notes = choose_device(None, plan(0))
    assert chosen == torch.device("cpu")
    assert len(notes) == 1
    assert "ImpactGPU 0 asks for cuda:0" in notes[0]
    assert "running on the CPU" in notes[0]


@pytest.mark.usefixtures("no_gpu")
def test_a_wished_gpu_that_is_absent_is_an_error_for_the_elastix_form() -> None:
    with pytest.raises(DeviceError, match=r"map.txt: ImpactGPU 0 .*\(ImpactGPU -1\)"):
        choose_device(None, plan(0), strict=True)


@pytest.mark.usefixtures("one_gpu")
@pytest.mark.parametrize("asked", ["cuda:1", "mps"])
def test_an_absent_device_is_an_error_that_names_what_is_present(asked: str) -> None:
    with pytest.raises(DeviceError, match="cpu, cuda:0"):
        choose_device(asked, plan(-1))


@pytest.mark.parametrize("asked", ["gpu", "cuda:", "cuda:x", "0", ""])
def test_a_misspelt_device_is_an_error_that_lists_the_names(asked: str) -> None:
    with pytest.raises(DeviceError, match="auto, cpu, cuda, cuda:N or mps"):
        choose_device(asked, plan(-1))


def test_maps_without_impact_run_on_the_cpu() -> None:
    assert choose_device(None, Plan((Level(()),))) == (torch.device("cpu"), ())


@pytest.mark.usefixtures("one_gpu")
def test_levels_that_disagree_are_told_where_they_run() -> None:
    chosen, notes = choose_device(None, plan(-1, 0))
    assert chosen == torch.device("cuda:0")
    assert "ImpactGPU differs" in notes[0]


def test_threads_follow_the_user_then_the_environment_then_the_machine(monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert choose_threads(5) == 5
    assert choose_threads(None) == 3
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert 1 <= choose_threads(None) <= device.MAXIMUM_DEFAULT_THREADS


def test_settings_hold_inside_and_are_restored() -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch_settings(1, torch.device("cpu")):
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before
