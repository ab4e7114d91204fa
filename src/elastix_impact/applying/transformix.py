"""What transformix does: one transform file applied to an image, to points, and to every voxel, in elastix's files."""

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, final

import numpy as np
import torch
from torch import Tensor

from elastix_impact.errors import ElastixImpactError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.io.atomic import write_text_whole
from elastix_impact.io.collect_warnings import collecting_warnings
from elastix_impact.io.image_writing import check_format, write_image
from elastix_impact.io.images import read_image, read_labels
from elastix_impact.io.input_files import refuse_overwriting
from elastix_impact.io.mesh import read_mesh, write_mesh
from elastix_impact.io.output_points import nearest_indices, output_points_text
from elastix_impact.io.pixels import numpy_type
from elastix_impact.io.points import read_points
from elastix_impact.io.read_transform import read_transform
from elastix_impact.io.transform_file import TransformRecord, known_grid, read_transform_file
from elastix_impact.io.warning import InputWarning
from elastix_impact.observers.log import RunLog
from elastix_impact.observers.log_text import duration
from elastix_impact.runs.device import choose_threads, torch_settings
from elastix_impact.runs.record import versions
from elastix_impact.staging.folder import RunFolder
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.dense import determinants, displacement_field, jacobian_field
from elastix_impact.transforms.resample import resample, resample_labels

from .apply import carry_mesh_points, carry_points, check_dimension, checked_order

LOG_NAME = "transformix.log"

LARGEST_EXACT = 1 << 24
"""From here on whole numbers are not all float32: labels with such numbers are carried as integers."""


@final
@dataclass(frozen=True, kw_only=True)
class TransformixCase:
    """What transformix is asked for.

    Attributes
    ----------
    transform
        elastix's transform file, with the chain that it names.
    out
        Folder of the results; it must exist.
    image
        Moving image to resample onto the fixed image's grid: `result.<format>`.
    points
        File of fixed points to map: `outputpoints.txt`, or `.vtk` for a mesh.
    field, jacobian, jacobian_matrix
        Whether to write `deformationField`, `spatialJacobian` (determinants), `fullSpatialJacobian` (row by row).
    """

    transform: Path
    out: Path
    image: Path | None = None
    points: Path | None = None
    field: bool = False
    jacobian: bool = False
    jacobian_matrix: bool = False
    threads: int | None = None
    log_level: str = "info"


def run_transformix(
    case: TransformixCase,
    *,
    command: Sequence[str] = (),
    log_echo: TextIO | None = None,
    on_warning: Callable[[str], None] | None = None,
) -> list[str]:
    """Do what is asked, and write `transformix.log`; returns the names of the files written.

    Raises
    ------
    ElastixImpactError
        If a file can't be used or written; the log says so too.
    """
    _keep_inputs(case)
    folder = RunFolder.open(case.out, create=False)
    with _logged(folder, case, command, log_echo) as log:

        def tell(text: str) -> None:
            log.warning(text)
            if on_warning is not None:
                on_warning(text)

        with collecting_warnings([], tell), torch_settings(choose_threads(case.threads), torch.device("cpu")):
            record = _read_record(case)
            _Work(case, folder, log, record, read_transform(case.transform).as_stored).run()
    return folder.files


def _keep_inputs(case: TransformixCase) -> None:
    """Refuse inputs that lie where something is to be written; raises OutputError."""
    read = [path for path in (case.transform, case.image, case.points) if path is not None]
    images = {"result": case.image is not None, "deformationField": case.field, "spatialJacobian": case.jacobian,
              "fullSpatialJacobian": case.jacobian_matrix}  # fmt: skip
    written = [case.out / LOG_NAME]
    if case.points is not None:
        written += [case.out / f"outputpoints.{suffix}" for suffix in ("txt", "vtk")]
    for name in (name for name, wanted in images.items() if wanted):
        written += sorted(case.out.glob(f"{name}.*"))
    refuse_overwriting(written, read)


@contextlib.contextmanager
def _logged(folder: RunFolder, case: TransformixCase, command: Sequence[str], echo: TextIO | None) -> Iterator[RunLog]:
    """Open the log; whatever happens in the block, it says how it ended."""
    began = time.perf_counter()
    log = RunLog(folder.path / LOG_NAME, level=case.log_level, echo=echo)
    folder.note(folder.path / LOG_NAME)
    log.info("Versions: " + ", ".join(f"{name} {number}" for name, number in versions().items()))
    log.info(f"Command-line arguments: {' '.join(command)}")
    log.info(f'Running transformix with parameter file "{case.transform}".\n')
    try:
        yield log
        log.info(f"\ntransformix has finished. Total time elapsed: {duration(time.perf_counter() - began)}.")
    except ElastixImpactError as error:
        log.error(str(error))
        raise
    except BaseException as error:
        log.error(f"transformix did not finish: {type(error).__name__} {error}")
        raise
    finally:
        log.close()


def _read_record(case: TransformixCase) -> TransformRecord:
    """The file's own record, refused where it asks for images that can't be written or interpolated."""
    record = read_transform_file(case.transform)
    settings = record.resample
    checked_order(record, case.transform)
    numpy_type(settings.pixel_type)
    check_format(case.out / f"result.{settings.image_format}", known_grid(record, case.transform))
    return record


@final
@dataclass(frozen=True, eq=False)
class _Work:
    """One call of transformix: what it was asked for, and what the files say."""

    case: TransformixCase
    folder: RunFolder
    log: RunLog
    record: TransformRecord
    transform: AbstractTransform

    @property
    def fixed_grid(self) -> Grid:
        """The grid of the results."""
        return known_grid(self.record, self.case.transform)

    @property
    def grid(self) -> Grid:
        """The grid of the results as the transform sees it."""
        grid = self.fixed_grid
        return grid if self.record.use_direction_cosines else grid.without_direction()

    def run(self) -> None:
        """Do all that is asked."""
        moving = None if self.case.image is None else self._moving_image(self.case.image)
        if self.case.points is not None:
            self._map_points(self.case.points, None if moving is None else moving.grid)
        if self.case.field:
            self.log.info("Computing and writing the deformation field ...")
            self._write_field("deformationField", displacement_field(self.transform, self.grid))
        if self.case.jacobian or self.case.jacobian_matrix:
            self._write_jacobians()
        if moving is not None:
            self.log.info("Resampling image and writing to disk ...")
            settings = self.record.resample
            self._warn_of_clipping(moving)
            how = self.transform, self.grid
            if moving.data.is_floating_point():
                values = resample(moving, *how, settings.interpolation_order, settings.default_pixel_value)
            else:
                values = resample_labels(moving, *how, float(round(settings.default_pixel_value)))
            self._write("result", values, settings.pixel_type, compress=settings.compress)

    def _moving_image(self, path: Path) -> Image:
        self.log.info("Reading input image ...")
        image = read_image(path, allow_constant=True)
        if self.record.resample.interpolation_order == 0 and float(image.data.abs().max()) >= LARGEST_EXACT:
            image = read_labels(path)
        check_dimension(image, self.transform)
        return image if self.record.use_direction_cosines else image.without_direction()

    def _warn_of_clipping(self, moving: Image) -> None:
        kind = numpy_type(self.record.resample.pixel_type)
        if kind.kind not in "iu":
            return
        limits, (low, high) = np.iinfo(kind), (one.item() for one in moving.data.aminmax())
        if low < limits.min or high > limits.max:
            warnings.warn(
                f"{moving.name} has values from {low:g} to {high:g}; those beyond {limits.min} to {limits.max} are "
                f'clipped, because the transform file says (ResultImagePixelType "{self.record.resample.pixel_type}")',
                InputWarning,
                stacklevel=2,
            )

    def _map_points(self, path: Path, moving_grid: Grid | None) -> None:
        self.log.info(f"Transforming points of {path} ...")
        if path.suffix.lower() == ".vtk":
            self._map_mesh(path)
            return
        landmarks = read_points(path, self.grid)
        fixed = landmarks.world_points
        if landmarks.were_indices:  # elastix takes whole voxels only
            fixed = self.grid.to_world(nearest_indices(fixed, self.grid).double())
        mapped, _ = carry_points(self.transform, fixed, "fixed-to-moving", str(path))
        target = self.folder.path / "outputpoints.txt"
        write_text_whole(target, output_points_text(fixed, mapped, self.grid, moving_grid))
        self._note(target)

    def _map_mesh(self, path: Path) -> None:
        mesh = read_mesh(path)
        points = mesh.world_points * torch.tensor(mesh.sign, dtype=torch.float64)
        if mesh.sign[0] < 0:
            warnings.warn(
                f"{path} says that its coordinates are RAS; they are taken as LPS, as elastix does. "
                "elastix-impact transform --mesh turns them",
                InputWarning,
                stacklevel=2,
            )
        mapped, _ = carry_mesh_points(self.transform, points, "fixed-to-moving", str(path))
        target = self.folder.path / "outputpoints.vtk"
        write_mesh(target, mesh, mapped * torch.tensor(mesh.sign, dtype=torch.float64))
        self._note(target)

    def _write_jacobians(self) -> None:
        self.log.info("Computing and writing the spatial Jacobian ...")
        jacobians = jacobian_field(self.transform, self.grid)
        if self.case.jacobian:
            self._write_field("spatialJacobian", determinants(jacobians))
        if self.case.jacobian_matrix:
            self._write_field("fullSpatialJacobian", jacobians)

    def _write_field(self, name: str, data: Tensor) -> None:
        self._write(name, data, "float", compress=False)

    def _write(self, name: str, data: Tensor, pixel_type: str, *, compress: bool) -> None:
        target = self.folder.path / f"{name}.{self.record.resample.image_format}"
        write_image(target, data, self.fixed_grid, pixel_type, compress=compress)
        self._note(target)

    def _note(self, target: Path) -> None:
        self.folder.note(target)
        self.log.info(f"  written: {target}")
