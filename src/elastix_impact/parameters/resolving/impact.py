"""The IMPACT metric at a level.

A name ends in the level's number; a level whose name is absent takes level 0's. A layer's list that is too short
repeats its last value, a model's too. Patch and voxel sizes count per model: all numbers, one per model, or one for
all models. More values than needed are an error.
"""

from __future__ import annotations

from typing import Literal, TypeVar, cast

from elastix_impact.parameters.metric_plan import (
    Distance,
    ImpactMode,
    ImpactPlan,
    JacobianGradient,
    LayerPlan,
    ModelPlan,
)
from elastix_impact.parameters.problems import counted
from elastix_impact.parameters.reader import Reader

from .models import level_name, resolve_models

Value = TypeVar("Value")


def resolve_impact(reader: Reader, level: int, dimension: int) -> ImpactPlan | None:
    """The metric of one level; None, with errors, if it can't be made."""
    mode = cast(ImpactMode, reader.text("ImpactMode", level))
    static = mode == "Static"
    faulty = reader.is_faulty("ImpactMode")
    fixed = None if faulty else resolve_models(reader, "Fixed", level, mode, dimension)
    moving = None if faulty else resolve_models(reader, "Moving", level, mode, dimension)
    if fixed is None or moving is None or not _alike(reader, level, mode, fixed, moving):
        _layers(reader, level, None, static)
        return None
    return ImpactPlan(
        mode=mode,
        fixed_models=fixed,
        moving_models=moving,
        layers=_layers(reader, level, _count(fixed), static),
        gpu=reader.integer("ImpactGPU", level),
        mixed_precision=reader.boolean("ImpactUseMixedPrecision", level),
        update_interval=_update_interval(reader, level) if static else -1,
        feature_maps_directory=_directory(reader, level) if static else None,
        feature_interpolation_order=cast(Literal[1, 3], reader.integer("ImpactFeatureInterpolationOrder", level)),
        jacobian_gradient=cast(JacobianGradient, reader.text("ImpactJacobianGradient", level)),
        lattice_spacing=reader.number("ImpactLatticeSpacing", level) if static else 0.0,
        margin=reader.integer("ImpactMargin", level) if static else 0,
    )


def _count(models: tuple[ModelPlan, ...]) -> int:
    return sum(sum(model.layers_mask) for model in models)


def _alike(
    reader: Reader, level: int, mode: ImpactMode, fixed: tuple[ModelPlan, ...], moving: tuple[ModelPlan, ...]
) -> bool:
    """Whether both images' models select as many layers, and in Jacobian mode are as many; else an error."""
    own = next((f"Impact{image}ModelsPath" for image in ("Moving", "Fixed") if _own(reader, image, level)), "")
    name = reader.written_name(level_name(reader, own or "ImpactModelsPath", level))
    if _count(fixed) != _count(moving):
        message = f"the fixed image's models select {_count(fixed)} layers, the moving image's {_count(moving)}"
        remedy = "Select as many with ImpactFixedLayersMask and ImpactMovingLayersMask"
        reader.note("error", name, f"level {level}: {message}", remedy)
        return False
    if mode == "Jacobian" and len(fixed) != len(moving):
        message = f"Jacobian mode needs as many fixed models as moving ones, got {len(fixed)} and {len(moving)}"
        reader.note("error", name, f"level {level}: {message}", "Give as many of both")
        return False
    return True


def _own(reader: Reader, image: str, level: int) -> bool:
    return reader.has(level_name(reader, f"Impact{image}ModelsPath", level))


def _layers(reader: Reader, level: int, count: int | None, static: bool) -> tuple[LayerPlan, ...]:
    """The selected layers; none, their values only checked, if it is not known how many there are (None)."""
    distance, weight, subset, pca = (
        level_name(reader, f"Impact{stem}", level) for stem in ("Distance", "LayersWeight", "SubsetFeatures", "PCA")
    )
    for name in (distance, weight, subset):
        if not reader.has(name):
            default = reader.text(name)
            reader.note("warning", name, f"not given: {default} for all layers", f"Write ({name} {default})")
    distances = reader.texts(distance) or (reader.text(distance),)
    weights = reader.numbers(weight) or (reader.number(weight),)
    subsets = reader.integers(subset) or (reader.integer(subset),)
    components = (reader.integers(pca) or (reader.integer(pca),)) if static else (0,)
    if not any(weights):
        reader.note("error", weight, "all weights are 0", "Give at least one layer a weight")
    if count is None:
        return ()
    for name in (distance, weight, subset, pca):
        _check_layer_count(reader, name, count)
    return tuple(
        LayerPlan(
            distance=cast(Distance, _at(distances, layer)),
            weight=_at(weights, layer),
            subset=_at(subsets, layer),
            pca=_at(components, layer),
        )
        for layer in range(count)
    )


def _at(values: tuple[Value, ...], layer: int) -> Value:
    """A layer's value: the last one is repeated."""
    return values[min(layer, len(values) - 1)]


def _check_layer_count(reader: Reader, name: str, count: int) -> None:
    """Note an error if there are more values than selected layers."""
    given = reader.count(name)
    if given > count:
        message = f"{counted(given, 'value')} for {counted(count, 'layer')} that the layers masks select"
        reader.note("error", reader.written_name(name), message, "Give one value per selected layer, in their order")


def _update_interval(reader: Reader, level: int) -> int:
    name = "ImpactFeaturesMapUpdateInterval"
    interval = reader.integer(name, level)
    if interval == 0:
        reader.note("error", name, "0 is no interval", "Give -1 for once per level, or a number of iterations")
    return interval


def _directory(reader: Reader, level: int) -> str | None:
    name = "ImpactFeatureMapOutputDirectory"
    text = reader.text(name, level)
    if text == "true":
        written = reader.written_name(name)
        reader.note("warning", written, 'the value is a folder; "true" becomes "FeatureMaps"', "Name a folder")
        return "FeatureMaps"
    return None if text in ("", "false") else text
