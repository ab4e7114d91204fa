"""Damaged TorchScript files, by a seed: the same features, or a `ModelError`; no crash, hang or other features.

They are read in a process of their own, which PyTorch may end.
"""

import random
import shutil
import zipfile
from pathlib import Path

import pytest
import torch

from elastix_impact.zoo.load import load_model
from fuzz.battery import CASES, WRONG, Case, Outcome, refusal, run_battery
from fuzz.worker import Worker


class Layers(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = torch.nn.Conv3d(1, 3, 3, padding=1), torch.nn.Conv3d(3, 2, 3, padding=1)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        first = torch.relu(self.first(x))
        return [first, self.second(first)]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("model") / "model.pt"
    torch.jit.script(Layers()).save(str(path))
    return path


def features(path: Path) -> str:
    """The model's features of one image, in words."""
    x = torch.linspace(-1, 1, 5 * 6 * 7).view(1, 1, 5, 6, 7)
    layers = load_model(path)(x, 2, torch.zeros(4), torch.eye(3, dtype=torch.int64))
    return " ".join(f"{layer.double().sum():.9g} {tuple(layer.shape)}" for layer in layers)


def damage(path: Path, target: Path, draw: random.Random) -> str:
    """Write a damaged copy; how it was damaged."""
    how = draw.choice(("byte", "byte", "cut", "swapped", "gone", "code"))
    content = bytearray(path.read_bytes())
    if how == "cut":
        target.write_bytes(content[: draw.randrange(len(content))])
    elif how == "byte":
        for _ in range(draw.choice((1, 1, 8))):
            content[draw.randrange(len(content))] = draw.randrange(256)
        target.write_bytes(content)
    else:
        with zipfile.ZipFile(path) as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
        _spoil(entries, how, draw)
        with zipfile.ZipFile(target, "w") as archive:
            for name, entry in entries.items():
                archive.writestr(name, entry)
    return how


def _spoil(entries: dict[str, bytes], how: str, draw: random.Random) -> None:
    """Change the entries of an archive whose checksums will be right."""
    one, other = draw.sample(sorted(entries), 2)
    if how == "swapped":
        entries[one], entries[other] = entries[other], entries[one]
    elif how == "gone":
        del entries[one]
    else:
        name = next(name for name in entries if name.endswith(".py"))
        lines = entries[name].split(b"\n")
        lines.pop(draw.randrange(len(lines)))
        entries[name] = b"\n".join(lines)


def test_damaged_models(sound: Path, tmp_path: Path) -> None:
    target = tmp_path / "model.pt"
    truth = features(sound)
    with Worker(features) as worker:

        def make(seed: int) -> Case:
            target.unlink(missing_ok=True)
            how = damage(sound, target, random.Random(seed))
            copy = tmp_path / f"model{seed}.pt"  # models are kept by their path
            shutil.move(target, copy)
            return Case(how, lambda: taken(worker(copy), truth, how, copy.name))

        outcomes = run_battery(make)
    assert outcomes["refused"] > CASES // 2


def taken(words: str, truth: str, how: str, named: str) -> Outcome:
    """The outcome by what the worker says: with right checksums another model is nobody's fault."""
    if words.startswith("refused ModelError"):
        return refusal(words, named)
    if words.startswith(("refused", "died", "hangs", "traceback")):
        return f"{WRONG}{words}"
    return "read" if words == truth or how in ("swapped", "code") else f"{WRONG}other features: {words}"
