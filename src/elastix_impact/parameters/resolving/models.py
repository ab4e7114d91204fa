"""The models of IMPACT for one image at a level."""

from __future__ import annotations

from typing import Literal

from elastix_impact.parameters.metric_plan import ImpactMode, ModelPlan
from elastix_impact.parameters.problems import counted
from elastix_impact.parameters.reader import Reader

Image = Literal["Fixed", "Moving"]
Sizes = tuple[tuple[float, ...], ...]


def level_name(reader: Reader, stem: str, level: int) -> str:
    """`stem` with the number of the level, or with 0 where the map gives nothing for this level."""
    own = f"{stem}{level}"
    return own if reader.has(own) else f"{stem}0"


def resolve_models(
    reader: Reader, image: Image, level: int, mode: ImpactMode, dimension: int
) -> tuple[ModelPlan, ...] | None:
    """The models of the image: its own, else the shared ones; None, with errors, if they can't be made."""
    path_name = _path_name(reader, image, level)
    if path_name is None:
        message = f"level {level}: no model for the {image.lower()} image"
        reader.note("error", "", message, 'Add (ImpactModelsPath0 "model.pt")')
        return None
    paths = reader.texts(path_name)
    stem = f"Impact{image}" if path_name.startswith(f"Impact{image}") else "Impact"
    dimensions = _dimensions(reader, stem, level, len(paths), dimension)
    if any(one not in (2, 3) for one in dimensions):
        return None
    channels = _per_model(reader, _name(reader, stem, "NumberOfChannels", level), len(paths))
    patches = _patch_sizes(reader, _name(reader, stem, "PatchSize", level), mode, dimensions)
    axes = (dimension,) * len(paths) if mode == "Static" else dimensions
    voxels = _voxel_sizes(reader, _name(reader, stem, "VoxelSize", level), level, axes)
    masks = _masks(reader, _name(reader, stem, "LayersMask", level), len(paths))
    if patches is None or voxels is None or not all(any(mask) for mask in masks):
        return None
    return tuple(
        ModelPlan(
            path=path, dimension=axes_of_model, channels=channel, patch_size=patch, voxel_size=voxel, layers_mask=mask
        )
        for path, axes_of_model, channel, patch, voxel, mask in zip(paths, dimensions, channels, patches, voxels, masks)
    )


def _path_name(reader: Reader, image: Image, level: int) -> str | None:
    names = (f"Impact{image}ModelsPath", "ImpactModelsPath")
    candidates = [f"{name}{number}" for number in (level, 0) for name in names]
    return next((name for name in candidates if reader.has(name)), None)


def _name(reader: Reader, stem: str, rest: str, level: int) -> str:
    """The name to read: the image's own parameter at this level or level 0, else the shared one's."""
    candidates = [f"{prefix}{rest}{number}" for prefix in (stem, "Impact") for number in (level, 0)]
    return next((name for name in candidates if reader.has(name)), f"Impact{rest}0")


def _too_many(reader: Reader, name: str, models: int) -> None:
    message = f"{counted(reader.count(name), 'value')} for {counted(models, 'model')}"
    reader.note("error", reader.written_name(name), message, f"Give {models}")


def _per_model(reader: Reader, name: str, models: int) -> tuple[int, ...]:
    """A whole number per model; the last is repeated."""
    count = reader.count(name)
    if count > models:
        _too_many(reader, name, models)
    if count == 0:
        _note_default(reader, name, reader.text(name))
    return tuple(reader.integer(name, min(model, max(count - 1, 0))) for model in range(models))


def _dimensions(reader: Reader, stem: str, level: int, models: int, image_dimension: int) -> tuple[int, ...]:
    name = _name(reader, stem, "Dimension", level)
    if not reader.has(name):
        _note_default(reader, name, str(image_dimension))
        return (image_dimension,) * models
    dimensions = _per_model(reader, name, models)
    if max(dimensions) > image_dimension:
        message = f"a {max(dimensions)}-D model can't run on {image_dimension}-D images"
        reader.note("error", reader.written_name(name), message, f"Use a {image_dimension}-D model")
    return dimensions


def _patch_sizes(
    reader: Reader, name: str, mode: ImpactMode, dimensions: tuple[int, ...]
) -> tuple[tuple[int, ...], ...] | None:
    if not reader.has(name):
        if mode == "Jacobian":
            message = "not given, and Jacobian mode needs it"
            reader.note("error", name, message, "Give the receptive field of the layer, e.g. 11 11 11")
            return None
        _note_default(reader, name, "0, the whole image")
        return tuple((0,) * one for one in dimensions)
    sizes = _grouped(reader, name, tuple(float(value) for value in reader.integers(name)), dimensions)
    if sizes is None:
        return None
    if mode == "Jacobian" and any(value == 0 for size in sizes for value in size):
        message = "0, the whole image, is not possible in Jacobian mode"
        reader.note("error", reader.written_name(name), message, "Give the receptive field of the layer, e.g. 11 11 11")
    if any(0 in size and any(size) for size in sizes):
        message = "some numbers of a patch are 0 and some are not"
        reader.note("error", reader.written_name(name), message, "Give only 0 for the whole image, or no 0")
    return tuple(tuple(int(value) for value in size) for size in sizes)


def _voxel_sizes(reader: Reader, name: str, level: int, axes: tuple[int, ...]) -> Sizes | None:
    if not reader.has(name):
        message = f"not given for level {level}"
        reader.note("error", name, message, f"Give the model's voxel size in mm, e.g. ({name} 3 3 3)")
        return None
    return _grouped(reader, name, reader.numbers(name), axes)


def _grouped(reader: Reader, name: str, values: tuple[float, ...], axes: tuple[int, ...]) -> Sizes | None:
    """`values` by model: all numbers, one per model, or one model's for all. None, with an error, otherwise."""
    total, models = sum(axes), len(axes)
    if len(values) == total:
        starts = [sum(axes[:model]) for model in range(models)]
        return tuple(values[start : start + count] for start, count in zip(starts, axes))
    if len(values) == 1 or (len(values) == models and models not in axes):
        return tuple((values[min(model, len(values) - 1)],) * count for model, count in enumerate(axes))
    if len(values) == axes[0] and set(axes) == {axes[0]}:
        return (values,) * models
    needed = " + ".join(str(one) for one in axes)
    words = f"{axes[0]} axes" if models == 1 else f"{models} models ({needed})"
    message = f"needs {total} numbers for {words}, got {len(values)}"
    reader.note("error", reader.written_name(name), message, f"Give {total} numbers, x y (z) of each model, or one")
    return None


def _masks(reader: Reader, name: str, models: int) -> tuple[tuple[bool, ...], ...]:
    count = reader.count(name)
    if count > models:
        _too_many(reader, name, models)
    if count == 0:
        _note_default(reader, name, '"1"')
    masks = [reader.text(name, min(model, max(count - 1, 0))) for model in range(models)]
    for mask in masks:
        written = reader.written_name(name)
        if set(mask) - {"0", "1"} or not mask:
            message = f'"{mask}" is no layers mask: only 0 and 1 are possible'
            reader.note("error", written, message, 'Give a 0 or 1 per output of the model, e.g. "01"')
        elif "1" not in mask:
            reader.note("error", written, f'"{mask}" selects no layer', "Set at least one 1")
    return tuple(tuple(character == "1" for character in mask) for mask in masks)


def _note_default(reader: Reader, name: str, default: str) -> None:
    reader.note("warning", name, f"not given: {default} is used", "Give it")
