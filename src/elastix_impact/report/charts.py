"""The curves and bars of a report, as SVG that takes the page's colours."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from .encode import chart_style, svg_of
from .finished_run import IterationTable

BEFORE, AFTER = "#d1722a", "#2a7fd1"
"""Colours that differ in brightness too."""

RUNNING = 25
"""Iterations whose median is the bold line of a convergence plot."""

MOST_LABELS = 40
"""Labels that fit into a chart of bars."""


def convergence_chart(tables: Sequence[IterationTable], step_columns: Sequence[str], title: str) -> str:
    """Metric, and step size where there is one, of every level of a stage; levels side by side."""
    steps = [next((name for name in step_columns if name in table.columns), None) for table in tables]
    rows = 2 if any(steps) else 1
    with chart_style():
        figure = Figure(figsize=(min(3.2 * len(tables), 10), 1.9 * rows), layout="constrained")
        grid = figure.subplots(rows, len(tables), squeeze=False, sharex="col")
        for column, (table, step) in enumerate(zip(tables, steps)):
            _curve(grid[0][column], table.columns.get("2:Metric", []))
            grid[0][column].set_title(f"level {table.level + 1}", fontsize=9)
            if step is not None:
                _curve(grid[-1][column], table.columns[step], smooth=False)
            grid[-1][column].set_xlabel("iteration")
        grid[0][0].set_ylabel("metric")
        if rows == 2:
            grid[1][0].set_ylabel("step size")
        return svg_of(figure, title)


def _curve(axes: Axes, values: Sequence[float], *, smooth: bool = True) -> None:
    numbers = np.asarray(values, dtype=float)
    iterations = np.arange(len(numbers))
    noisy = smooth and len(numbers) > 2 * RUNNING
    axes.plot(iterations, numbers, color=AFTER, linewidth=0.6 if noisy else 1.2, alpha=0.35 if noisy else 1)
    if noisy:
        windows = np.lib.stride_tricks.sliding_window_view(numbers, RUNNING)
        axes.plot(iterations[RUNNING // 2 : RUNNING // 2 + len(windows)], np.median(windows, axis=1), color=AFTER)
        low, high = np.nanquantile(numbers, [0.005, 0.995])
        margin = 0.08 * (high - low) or 1e-6
        axes.set_ylim(low - margin, high + margin)
    axes.ticklabel_format(axis="y", useOffset=False)


def error_histogram(before: Sequence[float], after: Sequence[float], title: str) -> str:
    """Landmark errors in mm before and after, in the same bins."""
    largest = max(*before, *after, 1e-3)
    edges = np.linspace(0, math.ceil(largest * 10) / 10, 25).tolist()
    with chart_style():
        figure = Figure(figsize=(6, 2.6), layout="constrained")
        axes = figure.subplots()
        axes.hist(before, bins=edges, color=BEFORE, alpha=0.65, label="before")
        axes.hist(after, bins=edges, color=AFTER, alpha=0.65, label="after")
        axes.set_xlabel("distance between corresponding landmarks [mm]")
        axes.set_ylabel("landmarks")
        axes.legend(frameon=False)
        return svg_of(figure, title)


def overlap_bars(before: Mapping[str, float], after: Mapping[str, float], title: str) -> str:
    """Dice per label before and after, at most `MOST_LABELS`, those that overlap worst first."""
    names = sorted(after, key=lambda name: after[name])[:MOST_LABELS]
    with chart_style():
        figure = Figure(figsize=(7, 0.6 + 0.32 * len(names)), layout="constrained")
        axes = figure.subplots()
        places = np.arange(len(names))
        axes.barh(places - 0.2, [before.get(name, math.nan) for name in names], 0.38, color=BEFORE, label="before")
        axes.barh(places + 0.2, [after[name] for name in names], 0.38, color=AFTER, label="after")
        axes.set_yticks(places, names)
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.set_xlabel("Dice")
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return svg_of(figure, title)


def colour_bar(colours: str, low: float, high: float, label: str) -> str:
    """The scale of a map."""
    with chart_style():
        figure = Figure(figsize=(3.6, 0.55), layout="constrained")
        axes = figure.subplots()
        bar = figure.colorbar(
            ScalarMappable(Normalize(low, high), cmap=colours), cax=axes, orientation="horizontal", label=label
        )
        bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
        return svg_of(figure, label)
