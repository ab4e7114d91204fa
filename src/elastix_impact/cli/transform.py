"""`elastix-impact transform`: a transform applied to images, labels, points, meshes; its field, Jacobian, inverse."""

import argparse
import sys
from pathlib import Path

from .common import positive
from .failures import say_warning

DESCRIPTION = """\
Applies a transform to images, labels, points and meshes. A registration maps points of the fixed image to the moving
image; images go the other way, from moving to fixed. With --inverse images go from fixed to moving.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "transform", help="apply a transform to images, labels, points, meshes", description=DESCRIPTION
    )
    add = parser.add_argument
    add(
        "--transform", "-t", type=Path, nargs="+", required=True, metavar="FILE",
        help="elastix (.txt, .toml, with its chain), ITK (.tfm, .h5), ANTs (.mat, warp image); several: in the order "
        "in which fixed points go through them",
    )  # fmt: skip
    add("--output", "-o", type=Path, metavar="PATH", help="the file of one result, or a folder for several")
    results = parser.add_argument_group("results, any number of them")
    add = results.add_argument
    add("--image", type=Path, nargs="+", default=[], metavar="IMAGE", help="images to resample; voxel type is kept")
    add("--labels", type=Path, nargs="+", default=[], metavar="IMAGE", help="label images: nearest, every number kept")
    add("--points", type=Path, nargs="+", default=[], metavar="FILE", help="landmarks: .txt, .csv, .fcsv, .mrk.json")
    add("--mesh", type=Path, nargs="+", default=[], metavar="FILE", help="meshes in VTK's legacy form: .vtk")
    add("--field", action="store_true", help="displacement of every voxel in mm")
    add("--jacobian", action="store_true", help="determinant of the spatial Jacobian at every voxel")
    add("--export", type=Path, metavar="FILE", help="the transform in ITK's form: .tfm, .h5")
    options = parser.add_argument_group("options")
    add = options.add_argument
    add("--reference", type=Path, metavar="IMAGE", help="image whose grid the results get (default: the fixed image's)")
    add("--inverse", action="store_true", help="use the inverse for images, labels, field, Jacobian and export")
    add("--direction", choices=("fixed-to-moving", "moving-to-fixed"), help="where points and meshes go")
    add("--export-as", choices=("composite", "field"), default="composite", help="form of --export")
    add(
        "--order",
        type=int,
        choices=range(4),
        help="interpolation of images: 0 nearest ... 3 cubic (default: the file's, else 3)",
    )
    add("--default-value", type=float, metavar="V", help="voxels from outside the image (default: the file's, else 0)")
    add("--threads", type=positive, metavar="N", help="CPU threads (default: physical cores, at most 8)")
    parser.set_defaults(run=run_transform)


def run_transform(arguments: argparse.Namespace) -> int:
    """Write the results and name them on stdout; exit code 0."""
    from elastix_impact.applying.files import apply_to_files
    from elastix_impact.applying.request import ApplyRequest
    from elastix_impact.io.collect_warnings import collecting_warnings

    request = ApplyRequest(
        transforms=tuple(arguments.transform),
        output=arguments.output,
        images=tuple(arguments.image),
        labels=tuple(arguments.labels),
        points=tuple(arguments.points),
        meshes=tuple(arguments.mesh),
        field=arguments.field,
        jacobian=arguments.jacobian,
        inverse=arguments.inverse,
        direction=arguments.direction,
        reference=arguments.reference,
        export=arguments.export,
        export_as=arguments.export_as,
        order=arguments.order,
        default_value=arguments.default_value,
        threads=arguments.threads,
    )
    with collecting_warnings([], say_warning):
        for applied in apply_to_files(request):
            sys.stdout.write(f"{applied.path}{': ' if applied.note else ''}{applied.note}\n")
    return 0
