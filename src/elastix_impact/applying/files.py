"""Transforms applied to files of every kind: what `elastix-impact transform` does."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch

from elastix_impact.errors import InputError
from elastix_impact.io.image_writing import write_image
from elastix_impact.io.images import read_image, read_labels
from elastix_impact.io.itk_transform import write_itk_field, write_itk_transform
from elastix_impact.io.mesh import read_mesh, write_mesh
from elastix_impact.io.points import read_points, write_points
from elastix_impact.runs.device import choose_threads, torch_settings
from elastix_impact.transforms.dense import determinants, displacement_field, inverse_jacobian_field, jacobian_field
from elastix_impact.transforms.inverse import invert_linear

from .apply import apply_transform, carry_mesh_points, carry_points
from .request import ApplyRequest
from .scope import Scope, residual_note
from .targets import Target, make_room, plan_targets


@final
@dataclass(frozen=True)
class Applied:
    """A file that was written, and what there is to say about it."""

    path: Path
    note: str = ""


def apply_to_files(request: ApplyRequest) -> Iterator[Applied]:
    """Write what is asked for, file by file, each whole or not at all.

    Raises
    ------
    ElastixImpactError
        If a file can't be used or written, or there is no inverse. What names and options can tell is said before
        anything is read.
    """
    targets = plan_targets(request)
    with torch_settings(choose_threads(request.threads), torch.device("cpu")):
        scope = Scope(request)
        for target in targets:
            yield _write(target, scope, request)
        if request.export is not None:
            yield _export(request.export, scope, request)


def _write(target: Target, scope: Scope, request: ApplyRequest) -> Applied:
    match target.kind:
        case "points":
            return _write_points(target, scope)
        case "mesh":
            return _write_mesh(target, scope)
        case "field":
            return _write_field(target.path, scope)
        case "jacobian":
            return _write_jacobian(target.path, scope, inverse=request.inverse)
        case "image" | "labels":
            return _write_image(target, scope)


def _write_field(path: Path, scope: Scope) -> Applied:
    displacements = displacement_field(scope.used, scope.grid)
    make_room(path)
    write_image(path, displacements, scope.grid, "float")
    return Applied(path, scope.note)


def _write_image(target: Target, scope: Scope) -> Applied:
    assert target.source is not None
    labels = target.kind == "labels"
    image = read_labels(target.source) if labels else read_image(target.source, allow_constant=True)
    if labels:
        result = apply_transform(scope.used, image, scope.grid, labels=True)
    else:
        value, order = scope.default_value, scope.order
        result = apply_transform(scope.used, image, scope.grid, order=order, default_value=value)
    make_room(target.path)
    write_image(target.path, result.data, result.grid, image.pixel_type, compress=True)
    return Applied(target.path, scope.note)


def _write_points(target: Target, scope: Scope) -> Applied:
    assert target.source is not None
    landmarks = read_points(target.source, scope.grid_of_points)
    carried, residual = carry_points(scope.transform, landmarks.world_points, scope.direction, str(target.source))
    make_room(target.path)
    write_points(target.path, carried, landmarks.labels)
    return Applied(target.path, _carried_note(scope, residual))


def _write_mesh(target: Target, scope: Scope) -> Applied:
    assert target.source is not None
    mesh = read_mesh(target.source)
    carried, residual = carry_mesh_points(scope.transform, mesh.world_points, scope.direction, str(target.source))
    make_room(target.path)
    write_mesh(target.path, mesh, carried)
    return Applied(target.path, _carried_note(scope, residual))


def _carried_note(scope: Scope, residual: float) -> str:
    return residual_note(residual) if scope.direction == "moving-to-fixed" else ""


def _write_jacobian(path: Path, scope: Scope, *, inverse: bool) -> Applied:
    if inverse:
        jacobians = inverse_jacobian_field(scope.transform, scope.used, scope.grid)
    else:
        jacobians = jacobian_field(scope.transform, scope.grid)
    values = determinants(jacobians)
    make_room(path)
    write_image(path, values, scope.grid, "float")
    folded = int((values <= 0).sum())
    return Applied(
        path, f"determinant {float(values.min()):.3f} to {float(values.max()):.3f}, folded at {folded} voxels"
    )


def _export(path: Path, scope: Scope, request: ApplyRequest) -> Applied:
    if request.export_as == "field":
        displacements = displacement_field(scope.used, scope.grid)
        make_room(path)
        write_itk_field(path, displacements, scope.grid)
        return Applied(path, scope.note)
    if request.inverse and not scope.transform.is_linear:
        raise InputError(
            "the inverse of this transform is known voxel by voxel only",
            where=str(path),
            remedy="Give --export-as field",
        )
    make_room(path)
    write_itk_transform(path, invert_linear(scope.transform) if request.inverse else scope.transform)
    return Applied(path)
