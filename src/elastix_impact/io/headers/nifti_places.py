"""Where a NIfTI header says that its voxels lie: by a quaternion (qform), by a matrix (sform), or both."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from elastix_impact.errors import ImageError

TOLERANCE_VOXELS = 0.1
"""How far qform and sform may put a voxel apart, in voxels, before a word is said."""


@final
@dataclass(frozen=True)
class NiftiPlaces:
    """The fields of a header about place, as they are in the file.

    Attributes
    ----------
    size
        Voxels along the first three axes.
    pixdim
        The sign that makes the axes left- or right-handed, then spacings (8,).
    unit_mm
        Millimetres of the header's unit.
    quaternion
        b, c, d and the offset of the first voxel.
    rows
        The first three rows of the matrix, one after the other.
    """

    size: tuple[int, ...]
    pixdim: tuple[float, ...]
    unit_mm: float
    qform_code: int
    sform_code: int
    quaternion: tuple[float, ...]
    rows: tuple[float, ...]

    def check(self, axes: int, path: Path) -> None:
        """Refuse places that are no numbers; raises ImageError."""
        said = {"pixdim": self.pixdim[1 : axes + 1]}
        if self.qform_code > 0:
            said["quaternion and offset (qform)"] = self.quaternion
        if self.sform_code > 0:
            said["matrix (sform)"] = self.rows
        for what, numbers in said.items():
            if not all(map(math.isfinite, numbers)):
                raise ImageError(
                    f"its header places it nowhere: its {what} is {' '.join(f'{one:g}' for one in numbers)}",
                    where=str(path),
                    expected="finite numbers",
                    remedy="Correct the header (of NIfTI: sform and qform), or export the image again",
                )

    def untold(self) -> tuple[str, ...]:
        """What it leaves open."""
        return () if self.qform_code > 0 or self.sform_code > 0 else ("no origin and no direction",)

    def notes(self) -> tuple[str, ...]:
        """A sentence if qform and sform differ."""
        if self.qform_code <= 0 or self.sform_code <= 0:
            return ()
        apart = self._apart()
        spacing = min(abs(one) for one in self.pixdim[1:4] if one) if any(self.pixdim[1:4]) else 1.0
        if apart <= TOLERANCE_VOXELS * spacing:
            return ()
        used = "sform" if self.sform_code == 1 else "qform"
        return (
            f"its qform (code {self.qform_code}) and its sform (code {self.sform_code}) put voxels up to "
            f"{apart * self.unit_mm:.4g} mm apart; the {used} is used, as ITK does",
        )

    def _apart(self) -> float:
        """The largest distance of a corner's two places, in the header's unit."""
        last = [max(n - 1, 0) for n in self.size]
        corners = np.stack(np.meshgrid(*([0, n] for n in last), [1.0]), axis=-1).reshape(-1, 4)
        difference = (self._qform() - np.asarray(self.rows, dtype=float).reshape(3, 4)) @ corners.T
        return float(np.linalg.norm(difference, axis=0).max())

    def _qform(self) -> np.ndarray:
        """The quaternion's matrix (3, 4)."""
        b, c, d = (float(one) for one in self.quaternion[:3])
        a = math.sqrt(max(0.0, 1 - b * b - c * c - d * d))
        turn = np.array([
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ])  # fmt: skip
        spacing = np.array([abs(one) or 1.0 for one in self.pixdim[1:4]])
        if self.pixdim[0] < 0:
            spacing[2] *= -1
        return np.c_[turn * spacing, self.quaternion[3:]]
