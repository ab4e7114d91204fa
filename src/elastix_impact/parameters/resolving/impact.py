"""The IMPACT metric at a level.

A name ends in the level's number; a level whose name is absent takes level 0's. A layer's list that is too short
repeats its last value, a model's too. Patch and voxel sizes count per model: all numbers, one per model, or one for
all models. More values than needed are an error.
"""

from __future__ import annotations

from typing import Literal, cast

from elastix_impact.parameters.plan import Distance, ImpactMode, ImpactPlan, LayerPlan, ModelPlan
from elastix_impact.parameters.reader import Reader

from .models import level_name, resolve_models


def resolve_impact(reader: Reader, level: int, dimension: int) -> ImpactPlan | None:
    """The metric of one level; None, with errors, if it can't be made."""
    mode = cast(ImpactMode, reader.text("ImpactMode", level))
    fixed = resolve_models(reader, "Fixed", level, mode, dimension)
    moving = resolve_models(reader, "Moving", level, mode, dimension)
    if fixed is None or moving is None or not _alike(reader, level, mode, fixed, moving):
        return None
    static = mode == "Static"
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


def _layers(reader: Reader, level: int, count: int, static: bool) -> tuple[LayerPlan, ...]:
    names = {
        stem: level_name(reader, f"Impact{stem}", level) for stem in ("Distance", "LayersWeight", "SubsetFeatures")
    }
    for name in names.values():
        check_layer_count(reader, name, count)
        if not reader.has(name):
            default = reader.text(name)
            reader.note("warning", name, f"not given: {default} for all layers", f"Write ({name} {default})")
    pca_name = level_name(reader, "ImpactPCA", level)
    check_layer_count(reader, pca_name, count)
    layers = tuple(
        LayerPlan(
            distance=cast(Distance, reader.text(names["Distance"], _at(reader, names["Distance"], layer))),
            weight=reader.number(names["LayersWeight"], _at(reader, names["LayersWeight"], layer)),
            subset=reader.integer(names["SubsetFeatures"], _at(reader, names["SubsetFeatures"], layer)),
            pca=reader.integer(pca_name, _at(reader, pca_name, layer)) if static else 0,
        )
        for layer in range(count)
    )
    if not any(layer.weight for layer in layers):
        reader.note("error", names["LayersWeight"], "all weights are 0", "Give at least one layer a weight")
    return layers


def _at(reader: Reader, name: str, layer: int) -> int:
    """The index of a layer's value: the last one is repeated."""
    return min(layer, max(reader.count(name) - 1, 0))


def check_layer_count(reader: Reader, name: str, count: int) -> None:
    """Note an error if there are more values than selected layers."""
    given = reader.count(name)
    if given > count:
        layers = "1 layer is" if count == 1 else f"{count} layers are"
        message = f"{given} values, but {layers} selected by the layers masks"
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
