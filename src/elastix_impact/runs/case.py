"""One case: a pair of images, what goes with them, and what to do with them."""

from dataclasses import dataclass
from pathlib import Path
from typing import final


@final
@dataclass(frozen=True, kw_only=True)
class Case:
    """One pair of images and how to register them; `run_case` does it.

    Attributes
    ----------
    maps
        Parameter maps, one per stage; each stage starts from the result of the one before.
    out
        The run's folder; made if `create_out`, else it must exist.
    device
        See `choose_device`; None follows the maps.
    threads, seed
        Override the default number of CPU threads and the maps' RandomSeed.
    seeds
        With how many seeds the case runs, so that its result can be compared with those of the further ones.
    repetition
        Number of a further run, which is added to the seed of every stage. It writes transforms, log and record only.
    data_folder
        Where paths below ``/Data`` in a map are looked up if they do not exist.
    trusted_models
        Folders that models may be loaded from, see `zoo.trust`; None = what the environment says.
    allow_outside
        Whether values of the maps may name places outside `out`: not where the maps came with somebody's data.
    deterministic
        Whether a GPU uses deterministic algorithms; a CPU always does.
    strict_gpu
        Whether a GPU that a map wishes and that is absent is an error.
    resume
        Whether a run that was killed or interrupted is continued from its checkpoint, if it left one in `out`.
    checkpoint_every
        Seconds between two checkpoints in a loop; 0 = none, not even between levels.
    label_names
        What structures are called, see `read_label_names`; None = as the label files say themselves.
    evaluation
        Whether the result is measured.
    carry
        Whether moving labels, and points of one image only, are carried to the other image.
    log_level
        Of `elastix.log`: ``"off"``, ``"error"``, ``"warning"`` or ``"info"``.
    """

    fixed: Path
    moving: Path
    maps: tuple[Path, ...]
    out: Path
    fixed_mask: Path | None = None
    moving_mask: Path | None = None
    fixed_points: Path | None = None
    moving_points: Path | None = None
    fixed_labels: Path | None = None
    moving_labels: Path | None = None
    label_names: Path | None = None
    initial_transform: Path | None = None
    device: str | None = None
    threads: int | None = None
    seed: int | None = None
    seeds: int = 1
    repetition: int = 0
    data_folder: Path | None = None
    trusted_models: tuple[Path, ...] | None = None
    allow_outside: bool = False
    create_out: bool = True
    deterministic: bool = False
    strict_gpu: bool = False
    resume: bool = False
    checkpoint_every: float = 0.0
    evaluation: bool = True
    carry: bool = True
    log_level: str = "info"

    def input_files(self) -> dict[str, Path]:
        """The files given, by role, maps excluded."""
        given = {
            "fixed image": self.fixed,
            "moving image": self.moving,
            "fixed mask": self.fixed_mask,
            "moving mask": self.moving_mask,
            "fixed landmarks": self.fixed_points,
            "moving landmarks": self.moving_points,
            "fixed labels": self.fixed_labels,
            "moving labels": self.moving_labels,
            "label names": self.label_names,
            "initial transform": self.initial_transform,
        }
        return {role: path for role, path in given.items() if path is not None}
