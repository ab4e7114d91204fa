"""elastix's iteration tables: columns, header and number format, as in `IterationInfo.<i>.R<r>.txt` and the log.

elastix sorts its columns by name, writes real numbers with six decimals and the wall time with one.
"""

from collections.abc import Callable

from elastix_impact.parameters.plan import AsgdPlan, OptimizerPlan
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


def columns_of(optimizer: OptimizerPlan) -> tuple[Column, ...]:
    """The columns that elastix prints for this optimiser."""
    return _ASGD if isinstance(optimizer, AsgdPlan) else _GRADIENT_DESCENT


def header_line(optimizer: OptimizerPlan) -> str:
    """The table's first line, without line end."""
    return "\t".join(name for name, _ in columns_of(optimizer))


def row_line(optimizer: OptimizerPlan, row: IterationRecord) -> str:
    """One row of the table, without line end."""
    return "\t".join(text(row) for _, text in columns_of(optimizer))
