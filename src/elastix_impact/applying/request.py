"""Which transform is applied to what; `apply_to_files` does it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

from .apply import Direction

ExportForm = Literal["composite", "field"]


@final
@dataclass(frozen=True, kw_only=True)
class ApplyRequest:
    """A transform, and the files that it is applied to.

    Attributes
    ----------
    transforms
        Files of transforms, the first one applied to fixed points first; each with the chain that it names.
    output
        The result's file if there is one, else a folder, made if it does not exist; None if only `export` is asked for.
    images, labels
        Moving images (with `inverse`: fixed ones) to resample onto the reference grid.
    points, meshes
        Carried from one image to the other, as `direction` says.
    field, jacobian
        Whether to write the displacements in mm, the determinants of the spatial Jacobian.
    inverse
        Whether images, labels, field, Jacobian and export are of the inverse transform.
    direction
        Where points and meshes go; None = from fixed to moving, if `inverse` does not make that doubtful.
    reference
        Image whose grid the results get; None = the fixed grid that elastix's transform file names.
    export, export_as
        ITK file to write the transform into, and in which form.
    order
        Of the interpolation of images, 0 to 3; None = the transform file's, else 3.
    default_value
        Of voxels that come from outside the image; None = the transform file's, else 0. Labels get 0.
    """

    transforms: tuple[Path, ...]
    output: Path | None = None
    images: tuple[Path, ...] = ()
    labels: tuple[Path, ...] = ()
    points: tuple[Path, ...] = ()
    meshes: tuple[Path, ...] = ()
    field: bool = False
    jacobian: bool = False
    inverse: bool = False
    direction: Direction | None = None
    reference: Path | None = None
    export: Path | None = None
    export_as: ExportForm = "composite"
    order: int | None = None
    default_value: float | None = None
    threads: int | None = None
