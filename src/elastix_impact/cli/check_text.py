"""What `check` says in plain text: the levels of a plan, effective values, and what a parameter means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elastix_impact.parameters.entry import Indexing, Parameter
    from elastix_impact.parameters.metric_plan import ImpactPlan, MetricPlan, ModelPlan
    from elastix_impact.parameters.optimizer_plan import OptimizerPlan
    from elastix_impact.parameters.plan import PyramidLevelPlan, RegistrationPlan, SamplerPlan, TermPlan
    from elastix_impact.parameters.reader import EffectiveValue

COUNTED: dict[Indexing, str] = {
    "once": "one value",
    "level": "one value for all levels, or one per level; a missing one is the first",
    "level and axis": "all axes of level 0, then of level 1 ...",
    "axis": "one value for all axes, or one per axis x y (z)",
    "list": "as many values as wanted",
    "impact model": "the name ends in the level's number (absent: level 0's); values per model",
    "impact layer": "the name ends in the level's number (absent: level 0's); one per selected layer, the last repeats",
    "metric": "the name holds the number of a component, from 0",
}


def level_table(plan: RegistrationPlan) -> str:
    """A heading and the levels side by side, without the last line end."""
    from elastix_impact.parameters.problems import counted

    levels = plan.levels
    rows = {"": [f"level {number}" for number in range(len(levels))]}
    rows |= {
        **_spacing_row(plan),
        "iterations": [str(level.optimizer.maximum_number_of_iterations) for level in levels],
        "optimizer": [_optimizer(level.optimizer) for level in levels],
    }
    names = list(dict.fromkeys(term.name for level in levels for term in level.terms))
    for name in names:
        terms = [next((term for term in level.terms if term.name == name), None) for level in levels]
        title = "" if len(names) == 1 else f"{name} "
        rows |= {f"{title}{row}": cells for row, cells in _term_rows(terms).items()}
    seed = f"RandomSeed {plan.random_seed}"
    heading = (
        f"{plan.source}: {plan.dimension}-D, {plan.transform.kind} transform, {counted(len(levels), 'level')}, {seed}"
    )
    return "\n".join([heading, *_aligned([[name, *cells] for name, cells in rows.items()])])


def _term_rows(terms: Sequence[TermPlan | None]) -> dict[str, list[str]]:
    """What one metric sees and compares, a cell per level; a level that doesn't use it has a dash."""
    from elastix_impact.parameters.metric_plan import ImpactPlan

    def row(text: Callable[[TermPlan], str]) -> list[str]:
        return ["-" if term is None else text(term) for term in terms]

    rows = {"metric": row(lambda term: _metric(term.metric))}
    if any(term is not None and term.weight != 1 for term in terms):
        rows["weight"] = row(lambda term: f"{term.weight:g}")
    rows |= {
        "fixed image": row(lambda term: _pyramid(term.fixed_pyramid)),
        "moving image": row(lambda term: _pyramid(term.moving_pyramid)),
        "samples": row(lambda term: _samples(term.sampler)),
    }
    impact = [term.metric for term in terms if term is not None and isinstance(term.metric, ImpactPlan)]
    if len(impact) < len(terms):
        return rows
    rows |= _model_rows(impact)
    rows["distance x weight"] = [
        ", ".join(f"{layer.distance} x {layer.weight:g}" for layer in one.layers) for one in impact
    ]
    rows["channels drawn"] = [_numbers(layer.subset for layer in one.layers) for one in impact]
    return rows


def _metric(plan: MetricPlan) -> str:
    from elastix_impact.parameters.metric_plan import (
        CorrelationPlan,
        HistogramPlan,
        ImpactPlan,
        LocalCorrelationPlan,
        MeanSquaresPlan,
    )

    match plan:
        case ImpactPlan():
            on = f", every {plan.lattice_spacing:g} mm" if plan.lattice_spacing else ""
            return f"IMPACT, {plan.mode}{on}"
        case HistogramPlan():
            return f"{plan.kind} mutual information, {plan.fixed_bins} x {plan.moving_bins} bins"
        case MeanSquaresPlan():
            return "mean squares"
        case CorrelationPlan():
            return "correlation"
        case LocalCorrelationPlan():
            size = f"every {plan.voxel_size:g} mm" if plan.voxel_size else "at every voxel"
            return f"local correlation {size}, windows of {2 * plan.radius + 1}"
        case _:
            return plan.kind


def _optimizer(plan: OptimizerPlan) -> str:
    from elastix_impact.parameters.optimizer_plan import (
        AdamPlan,
        AsgdPlan,
        GradientDescentPlan,
        LbfgsPlan,
        RegularStepPlan,
    )

    match plan:
        case AsgdPlan(automatic_parameter_estimation=True):
            length = plan.maximum_step_length
            largest = f"{plan.maximum_step_length_ratio:g} voxels" if length is None else f"{length:g} mm"
            return f"ASGD, steps up to {largest}"
        case AsgdPlan():
            return f"ASGD, SP_a {plan.sp_a:g}"
        case GradientDescentPlan():
            return f"gradient descent, SP_a {plan.sp_a:g}"
        case RegularStepPlan():
            return f"regular steps, {plan.maximum_step_length:g} to {plan.minimum_step_length:g}"
        case LbfgsPlan():
            return f"L-BFGS, {plan.memory} steps remembered"
        case AdamPlan():
            return f"Adam, rate {plan.learning_rate:g}" + (" falling to 0" if plan.cosine_decay else "")


def _spacing_row(plan: RegistrationPlan) -> dict[str, list[str]]:
    from elastix_impact.parameters.plan import LinearTransformPlan

    transform = plan.transform
    if isinstance(transform, LinearTransformPlan):
        return {}
    if transform.grid_spacing is not None:
        return {"grid spacing [mm]": [_numbers(row) for row in transform.grid_spacing]}
    return {"grid spacing [voxels]": [_numbers(row) for row in transform.grid_spacing_voxels or ()]}


def _pyramid(pyramid: PyramidLevelPlan) -> str:
    shrunk = "" if pyramid.kind == "Smoothing" else f"/ {_numbers(pyramid.shrink_factor)}"
    smoothed = f"sigma {_numbers(pyramid.smoothing_sigma)} {pyramid.sigma_unit}" if any(pyramid.smoothing_sigma) else ""
    return ", ".join(part for part in (shrunk, smoothed) if part) or "as it is"


def _samples(sampler: SamplerPlan) -> str:
    if sampler.kind == "Grid":
        return f"Grid, every {_numbers(sampler.grid_spacing_voxels)} voxels"
    return sampler.kind if sampler.kind == "Full" else f"{sampler.number_of_samples} {sampler.kind}"


def _model_rows(metrics: Sequence[ImpactPlan]) -> dict[str, list[str]]:
    if all(one.fixed_models == one.moving_models for one in metrics):
        return _rows_of([one.fixed_models for one in metrics], "")
    fixed = _rows_of([one.fixed_models for one in metrics], "fixed ")
    return fixed | _rows_of([one.moving_models for one in metrics], "moving ")


def _rows_of(by_level: Sequence[tuple[ModelPlan, ...]], image: str) -> dict[str, list[str]]:
    def row(text: str, cells: list[list[str]]) -> dict[str, list[str]]:
        return {f"{image}{text}": ["; ".join(cell) for cell in cells]}

    names = [[f"{_file_name(model.path)} {model.dimension}-D" for model in models] for models in by_level]
    voxels = [[_numbers(model.voxel_size) for model in models] for models in by_level]
    patches = [
        [_numbers(model.patch_size) if any(model.patch_size) else "whole" for model in models] for models in by_level
    ]
    masks = [["".join(str(int(one)) for one in model.layers_mask) for model in models] for models in by_level]
    return (
        row("model", names)
        | row("voxel size [mm]", voxels)
        | row("patch size [voxels]", patches)
        | row("layers", masks)
    )


def _file_name(path: str) -> str:
    return path.replace("\\", "/").rsplit("/", 1)[-1]


def _numbers(values: Iterable[float]) -> str:
    return " ".join(f"{value:g}" for value in values)


def effective_table(values: Sequence[EffectiveValue]) -> str:
    """Name, values and origin by line, without the last line end; a value that repeats is given once."""
    rows = [
        [one.name, " ".join(one.values if len(set(one.values)) > 1 else one.values[:1]), one.origin] for one in values
    ]
    return "\n".join(_aligned(rows))


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def explanation(name: str) -> str | None:
    """What a parameter means, without the last line end; None if it is unknown."""
    from elastix_impact.parameters.names import parameter_of

    parameter, _ = parameter_of(name)
    if parameter is None:
        return None
    facts = {
        "type": parameter.kind,
        "default": "none, or as said above" if parameter.default is None else parameter.default or '""',
        "rule": _rule(parameter),
        "values": COUNTED[parameter.indexing],
        "read by": parameter.component,
        "old names": ", ".join(parameter.aliases),
        "native runs": "" if parameter.effect else "do not read it",
    }
    lines = [f"  {title:<12}{text}" for title, text in facts.items() if text]
    return "\n".join([parameter.name, f"  {parameter.help}", *lines])


def _rule(parameter: Parameter) -> str:
    if parameter.allowed:
        return "one of " + ", ".join(one or '""' for one in parameter.allowed)
    if parameter.minimum is not None:
        return f"at least {parameter.minimum:g}"
    return f"above {parameter.above:g}" if parameter.above is not None else ""


def unknown_name(name: str) -> str:
    """A sentence that says that no parameter has this name, and which one may be meant."""
    from elastix_impact.parameters.names import nearest_name

    near = nearest_name(name)
    return f"{name}: unknown parameter." + (f" Did you mean {near}?" if near else "")
