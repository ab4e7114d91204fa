"""Whether the models that a map names are there and fit for what the map does with them."""

from collections.abc import Iterator
from pathlib import Path
from typing import final

from elastix_impact.errors import ModelError
from elastix_impact.parameters.metric_plan import ImpactPlan, ModelPlan
from elastix_impact.parameters.plan import RegistrationPlan
from elastix_impact.parameters.problems import Problem, Severity
from elastix_impact.parameters.raw import RawParameterMap
from elastix_impact.zoo.apart import USUAL_LIMITS, Limits, inspect_apart
from elastix_impact.zoo.find import find_model
from elastix_impact.zoo.inspect import ModelReport
from elastix_impact.zoo.verify import LARGEST_ERROR, suggested_patch, useful_patch

MUCH_LARGER = 1.5
"""A patch is larger than useful if it is so many times the receptive field, and by more than `SLACK` voxels."""

SLACK = 4


def check_models(
    raw: RawParameterMap, plan: RegistrationPlan, *, data_folder: Path | None, limits: Limits = USUAL_LIMITS
) -> tuple[Problem, ...]:
    """What speaks against the models of a map, each problem once however many levels have it.

    Parameters
    ----------
    raw
        The map as written: for line numbers.
    plan
        What it resolves to.
    data_folder
        See `find_model`.
    limits
        What each model may take while it is looked into.
    """
    found: dict[tuple[str, str], Problem] = {}
    reports: dict[Path, ModelReport] = {}
    for number, level in enumerate(plan.levels):
        for metric in (term.metric for term in level.terms):
            if not isinstance(metric, ImpactPlan):
                continue
            for side, models in (("Fixed", metric.fixed_models), ("Moving", metric.moving_models)):
                for model in models:
                    place = _Place(raw, number, side)
                    for problem in _problems_of(model, metric, place, reports, data_folder, limits):
                        found.setdefault((problem.parameter.rstrip("0123456789"), problem.message), problem)
    return tuple(found.values())


@final
class _Place:
    """Where in the map a model's parameters stand."""

    def __init__(self, raw: RawParameterMap, level: int, side: str) -> None:
        self._raw, self._level, self._side = raw, level, side
        self.map_folder = Path(raw.source).parent

    def problem(self, severity: Severity, name: str, message: str, remedy: str) -> Problem:
        """A problem of ``Impact<name>`` at the level, on the line where that is written."""
        spellings = [f"Impact{side}{name}{level}" for level in (self._level, 0) for side in (self._side, "")]
        written = next((one for one in spellings if one in self._raw), spellings[-1])
        return Problem(severity, self._raw.source, self._raw.line(written), written, message, remedy)


def _problems_of(
    model: ModelPlan,
    metric: ImpactPlan,
    place: _Place,
    reports: dict[Path, ModelReport],
    data_folder: Path | None,
    limits: Limits,
) -> Iterator[Problem]:
    try:
        path = find_model(
            model.path,
            map_folder=place.map_folder,
            data_folder=data_folder,
            dimension=model.dimension,
        )
        if path not in reports:
            reports[path] = inspect_apart(path, limits)
    except ModelError as error:
        remedy = ". ".join(part for part in (error.expected and f"Expected: {error.expected}", error.remedy) if part)
        yield place.problem("error", "ModelsPath", f"{error.where}: {error.what}", remedy)
        return
    report = reports[path]
    shape = list(_shape_problems(model, report, place))
    yield from shape
    if not shape:
        yield from _layer_problems(model, metric, report, place)
        yield from _patch_problems(model, metric, report, place)
        yield from _precision_problems(metric, report, place)


def _shape_problems(model: ModelPlan, report: ModelReport, place: _Place) -> Iterator[Problem]:
    name = Path(report.path).name
    for parameter, given, wanted in (
        ("Dimension", model.dimension, report.dimension),
        ("NumberOfChannels", model.channels, report.channels),
        ("LayersMask", len(model.layers_mask), len(report.layers)),
    ):
        if given != wanted:
            unit = {"Dimension": "dimensions", "NumberOfChannels": "channels", "LayersMask": "layers"}[parameter]
            value = f'"{"".join(str(int(k < sum(model.layers_mask))) for k in range(wanted))}"'
            yield place.problem(
                "error", parameter, f"{name} has {wanted} {unit}, the map says {given}",
                f"Write (Impact{parameter}0 {value if parameter == 'LayersMask' else wanted})",
            )  # fmt: skip


def _layer_problems(model: ModelPlan, metric: ImpactPlan, report: ModelReport, place: _Place) -> Iterator[Problem]:
    name = Path(report.path).name
    for number, (layer, wanted) in enumerate(zip(report.layers, model.layers_mask)):
        if not wanted:
            continue
        if metric.mode == "Jacobian" and not layer.measured:
            yield place.problem(
                "error", "LayersMask", f"layer {number} of {name} is not differentiable by the image",
                'Select other layers, or write (ImpactMode "Static")',
            )  # fmt: skip
        elif metric.mode == "Static" and layer.fixed_size is not None:
            yield place.problem(
                "warning", "LayersMask",
                f"layer {number} of {name} has always {'x'.join(map(str, layer.fixed_size))} voxels: it can't guide",
                "Leave it out of the mask",
            )  # fmt: skip


def _patch_problems(model: ModelPlan, metric: ImpactPlan, report: ModelReport, place: _Place) -> Iterator[Problem]:
    abilities, name = report.abilities, Path(report.path).name
    for axis, side in zip("xyz", model.patch_size):
        if not side:
            continue
        smallest, step = abilities.smallest_side, abilities.side_step
        if smallest is not None and step is not None and (side < smallest or (side - smallest) % step):
            steps = f", in steps of {step}" if step > 1 else ""
            yield place.problem(
                "error", "PatchSize", f"{name} can't take {side} voxels along {axis}: from {smallest}{steps}",
                f"Write {suggested_patch(report)} for every axis",
            )  # fmt: skip
            return
    if metric.mode == "Jacobian":
        yield from _field_problems(model, report, place)


def _field_problems(model: ModelPlan, report: ModelReport, place: _Place) -> Iterator[Problem]:
    """In Jacobian mode the patch's centre is compared: what lies beyond the receptive field only costs time."""
    for axis, side in enumerate(model.patch_size):
        useful = useful_patch(report, model.layers_mask, axis)
        if useful and side < useful:
            yield place.problem(
                "warning", "PatchSize",
                f"the patch of {side} voxels along {'xyz'[axis]} is smaller than the receptive field of the selected "
                f"layers ({useful}): the network sees its padding",
                f"Write {useful}, or select earlier layers",
            )  # fmt: skip
            return
        if useful and side > max(MUCH_LARGER * useful, useful + SLACK) and not _global(model, report):
            yield place.problem(
                "hint", "PatchSize",
                f"the patch of {side} voxels along {'xyz'[axis]} is larger than the receptive field of the selected "
                f"layers ({useful}): the rest costs time and changes nothing",
                f"Write {useful}",
            )  # fmt: skip
            return


def _global(model: ModelPlan, report: ModelReport) -> bool:
    """Whether what lies beyond the receptive field matters through statistics of the patch."""
    return any(layer.global_context for layer, wanted in zip(report.layers, model.layers_mask) if wanted)


def _precision_problems(metric: ImpactPlan, report: ModelReport, place: _Place) -> Iterator[Problem]:
    error = report.abilities.bfloat16_error
    if metric.mixed_precision and (error is None or error > LARGEST_ERROR):
        how = "fails" if error is None else f"changes the features by {error:.0%} of their spread"
        yield place.problem(
            "warning", "ModelsPath", f"{Path(report.path).name} {how} in mixed precision",
            'Write (ImpactUseMixedPrecision "false")',
        )  # fmt: skip
    if report.abilities.device_fault and metric.gpu >= 0:
        yield place.problem(
            "error", "ModelsPath", f"{Path(report.path).name} would fail on a GPU: {report.abilities.device_fault}",
            "Export it again with that tensor on the image's device (device=x.device), or write (ImpactGPU -1)",
        )  # fmt: skip
