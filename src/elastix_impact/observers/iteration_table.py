"""elastix's iteration tables: columns, header and number format, as in `IterationInfo.<i>.R<r>.txt` and the log.

elastix sorts its columns by name, writes real numbers with six decimals and the wall time with one. Of several metrics
each has a column of its own before weighting; gradient norms per metric are known with relative weights only.
"""

from collections.abc import Callable
from functools import partial
from operator import itemgetter

from elastix_impact.optimizers.base import LineSearchReport
from elastix_impact.parameters.optimizer_plan import (
    AdamPlan,
    AsgdPlan,
    GradientDescentPlan,
    LbfgsPlan,
    OptimizerPlan,
    RegularStepPlan,
)
from elastix_impact.parameters.plan import LevelPlan
from elastix_impact.registration.result import IterationRecord

Column = tuple[str, Callable[[IterationRecord], str]]

_ITERATION: Column = ("1:ItNr", lambda row: str(row.iteration))
_METRIC: Column = ("2:Metric", lambda row: f"{row.metric:.6f}")
_GRADIENT: Column = ("4:||Gradient||", lambda row: f"{row.gradient_norm:.6f}")
_MILLISECONDS: Column = ("Time[ms]", lambda row: f"{row.milliseconds:.1f}")

_ASGD: tuple[Column, ...] = (
    _ITERATION,
    _METRIC,
    ("3a:Time", lambda row: f"{row.time:.6f}"),
    ("3b:StepSize", lambda row: f"{row.step_size:.6f}"),
    _GRADIENT,
    _MILLISECONDS,
)
_GRADIENT_DESCENT: tuple[Column, ...] = (
    _ITERATION,
    _METRIC,
    ("3:StepSize", lambda row: f"{row.step_size:.6f}"),
    _GRADIENT,
    _MILLISECONDS,
)


def _of_search(text: Callable[[LineSearchReport], str], without: str = "0.000000") -> Callable[[IterationRecord], str]:
    """The cell of a row with a line search, and that of a row without one, where the metric could not be used."""
    return lambda row: without if row.search is None else text(row.search)


def _truth(value: bool) -> str:
    return "true" if value else "false"


_LBFGS: tuple[Column, ...] = (
    _ITERATION,
    ("1a:SrchDirNr", lambda row: str(row.iteration)),
    ("1b:LineItNr", _of_search(lambda report: str(max(report.search.trials - 1, 0)), "0")),
    _METRIC,
    ("3:StepLength", lambda row: f"{row.step_size:.6f}"),
    ("4a:||Gradient||", _of_search(lambda report: f"{report.gradient_norm:.6f}")),
    ("4b:||SearchDir||", _of_search(lambda report: f"{report.direction_norm:.6f}")),
    ("4c:DirGradient", _of_search(lambda report: f"{report.search.best.slope:.6f}")),
    ("5:Phase", lambda row: "Main"),
    ("6a:Wolfe1", _of_search(lambda report: _truth(report.search.is_lower), "false")),
    ("6b:Wolfe2", _of_search(lambda report: _truth(report.search.is_flatter), "false")),
    ("7:LinSrchStopCondition", _of_search(lambda report: report.search.end.value, "MetricError")),
    _MILLISECONDS,
)


def _columns(optimizer: OptimizerPlan) -> tuple[Column, ...]:
    """Of one metric; Adam, which elastix does not have, prints as the gradient descents do."""
    match optimizer:
        case AsgdPlan():
            return _ASGD
        case LbfgsPlan():
            return _LBFGS
        case GradientDescentPlan() | RegularStepPlan() | AdamPlan():
            return _GRADIENT_DESCENT


def columns_of(level: LevelPlan) -> tuple[Column, ...]:
    """The columns that elastix prints for this level's optimiser and metrics."""
    columns = _columns(level.optimizer)
    if len(level.terms) == 1:
        return columns
    names = [term.name for term in level.terms]
    values = [(f"2:{name}", partial(_part, name)) for name in names]
    norms = [(f"4:||Gradient{name.removeprefix('Metric')}||", partial(_part, f"{name} gradient")) for name in names]
    return tuple(sorted([*columns, *values, *(norms if level.use_relative_weights else [])], key=itemgetter(0)))


def _part(name: str, row: IterationRecord) -> str:
    return f"{row.parts[name]:.6f}"


def header_line(level: LevelPlan) -> str:
    """The table's first line, without line end."""
    return "\t".join(name for name, _ in columns_of(level))


def row_line(level: LevelPlan, row: IterationRecord) -> str:
    """One row of the table, without line end."""
    return "\t".join(text(row) for _, text in columns_of(level))
