"""Models that mean harm or are of no use, for tests: made by `torch.jit.script`, told apart by what they do."""

import zipfile
from pathlib import Path

import torch
from torch import Tensor, nn


class LoopsForEver(nn.Module):
    """Leaves a file when it begins; comes back at once for images of the sizes by which models are tried, if asked."""

    def __init__(self, mark: Path, *, passes_trials: bool = False) -> None:
        super().__init__()
        self.mark, self.passes_trials = str(mark), passes_trials

    def forward(self, x: Tensor) -> list[Tensor]:
        side = x.shape[-1]
        if self.passes_trials and (side == 16 or side == 32 or side == 64):
            return [x]
        k = torch.from_file(self.mark, True, 1, dtype=torch.uint8).fill_(1) * 0
        while bool(k < 1):
            k = k * 0
        return [x + k]


class LoopsWhenLoaded(nn.Module):
    """PyTorch holds Python still while it loads: no thread and no handler comes to its turn."""

    mark: str

    def __init__(self, mark: Path) -> None:
        super().__init__()
        self.mark = str(mark)

    @torch.jit.export
    def __getstate__(self) -> tuple[str, bool]:
        return (self.mark, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]) -> None:
        self.mark = state[0]
        self.training = state[1]
        k = torch.from_file(self.mark, True, 1, dtype=torch.uint8).fill_(1) * 0
        while bool(k < 1):
            k = k * 0

    def forward(self, x: Tensor) -> list[Tensor]:
        return [x]


class TakesAllMemory(nn.Module):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [x + torch.ones(1 << 40).sum()]


class WritesWhenRun(nn.Module):
    """Marks in a file that its code ran: memory-mapped, as TorchScript lets any model do."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = str(path)

    def forward(self, x: Tensor) -> list[Tensor]:
        mark = torch.from_file(self.path, True, 1, dtype=torch.uint8).fill_(1)
        return [x * mark.to(x.dtype)]


class Meta(nn.Module):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [x, torch.empty(x.shape, device="meta")]


class NoChannels(nn.Module):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [x[:, :0]]


class Complex(nn.Module):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [torch.complex(x, x)]


class Constant(nn.Module):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [torch.ones_like(x)]


class NotANumber(nn.Module):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [x, x / 0.0 - x / 0.0]


def save(module: nn.Module, path: Path) -> Path:
    """Write a model; returns `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.jit.script(module.eval()).save(str(path))
    return path


def save_bomb(path: Path, size: int) -> Path:
    """Write a model with `size` bytes of zeros in its archive, packed to a thousandth."""
    save(Constant(), path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("archive/data/9", "w") as member:
        for _ in range(size >> 20):
            member.write(bytes(1 << 20))
    return path
