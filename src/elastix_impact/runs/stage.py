"""One parameter map at work on one case, and what it leaves in the run's folder."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.io.atomic import output_errors
from elastix_impact.io.images import write_image
from elastix_impact.observers.log import RunLog
from elastix_impact.parameters.plan import RegistrationPlan, StagePlan
from elastix_impact.registration.build import pyramid_image
from elastix_impact.staging.folder import RunFolder
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.composite import CompositeTransform
from elastix_impact.transforms.resample import resample

from .inputs import CaseInputs
from .transform_files import TransformFiles


@final
@dataclass(frozen=True, eq=False)
class Stage:
    """One parameter map at work.

    Attributes
    ----------
    number
        0-based position among the maps: the ``<i>`` of the file names.
    inputs
        The case's images, masks and landmarks, as read.
    initial
        What came before this stage, or None.
    initial_file
        Name, in the run's folder, of the file that holds `initial`, or None.
    """

    number: int
    plan: StagePlan
    inputs: CaseInputs
    initial: AbstractTransform | None
    initial_file: str | None
    folder: RunFolder
    log: RunLog
    device: torch.device

    def whole(self, current: AbstractTransform) -> AbstractTransform:
        """The map from fixed to moving world points when this stage has reached `current`."""
        if self.initial is None:
            return current
        return CompositeTransform(self.initial, current, self.plan.how_to_combine_transforms)

    def write_transform(self, current: AbstractTransform, infix: str = "") -> str:
        """Write `TransformParameters.<i><infix>.txt`, and the ITK exports that the map asks for; returns its name."""
        files = TransformFiles(self.folder, self.plan, self.inputs.fixed.grid)
        return files.write(f"TransformParameters.{self.number}{infix}", current, self.whole(current), self.initial_file)

    def write_result(self, current: AbstractTransform, infix: str = "") -> None:
        """Write `result.<i><infix>.<fmt>`: the moving image resampled onto the fixed image's grid."""
        output = self.plan.output
        seen = self.inputs.seen_by(self.plan)
        values = resample(
            seen.moving.to(self.device),
            self.whole(current),
            seen.fixed.grid,
            output.resample_interpolation_order,
            output.default_pixel_value,
        )
        self.write_result_values(values.cpu(), infix)

    def write_result_values(self, values: Tensor, infix: str = "") -> None:
        """Write `result.<i><infix>.<fmt>` from its values on the fixed image's voxels."""
        output = self.plan.output
        name = f"{output.result_image_name}.{self.number}{infix}.{output.result_image_format}"
        self.write_image(name, values, self.inputs.fixed.grid, output.result_image_pixel_type)

    def write_final(self, current: AbstractTransform) -> str | None:
        """Write what the map asks for at the end; returns the transform file's name, or None if it asks for none."""
        output = self.plan.output
        name = self.write_transform(current) if output.write_final_transform else None
        if output.write_result_image:
            self.write_result(current)
        return name

    def write_pyramid_images(self, level: int) -> None:
        """Write `FixedImagePyramid0.<i>.R<r>.<fmt>` and its moving partner."""
        assert isinstance(self.plan, RegistrationPlan)
        terms = [step.terms[0] for step in self.plan.levels[level:]]
        fixed, moving = [term.fixed_pyramid for term in terms], [term.moving_pyramid for term in terms]
        for role, image, steps in (("Fixed", self.inputs.fixed, fixed), ("Moving", self.inputs.moving, moving)):
            smooth = pyramid_image(image, steps)
            name = f"{role}ImagePyramid0.{self.number}.R{level}.{self.plan.output.result_image_format}"
            self.write_image(name, smooth.data, smooth.grid, "float")

    def write_feature_map(self, directory: str, name: str, features: Tensor, grid: Grid) -> None:
        """Write a feature map (C, *spatial) as `<directory>/<name>.mha`; a relative directory is below the run's."""
        self.write_image(f"{directory}/{name}.mha", features, grid, "float")

    def write_image(self, name: str, data: Tensor, grid: Grid, pixel_type: str) -> None:
        """Write an image, compressed if the map asks for it, and the folders in its name."""
        path = self.folder.place(name)
        with output_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, data, grid, pixel_type=pixel_type, compress=self.plan.output.compress_result_image)
        self.folder.note(path)
