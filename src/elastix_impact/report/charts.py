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


def convergence_chart(tables: Sequence[IterationTable], step_columns: Sequence[str], title: str) -> str:
    """Metric, and step size where there is one, of every level of a stage; levels side by side."""
    steps = [next((name for name in step_columns if name in table.columns), None) for table in tables]
    rows = 2 if any(steps) else 1
    with chart_style():
        width, height = min(3.2 * len(tables), 10), 1.9 * rows
        figure = Figure(figsize=(width, height))
        grid = figure.subplots(rows, len(tables), squeeze=False, sharex="col")
        figure.subplots_adjust(0.8 / width, 0.45 / height, 1 - 0.1 / width, 1 - 0.3 / height, wspace=0.45, hspace=0.2)
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


def error_histogram(before: Sequence[float], after: Sequence[float], unit: str, title: str) -> str:
    """Landmark errors before and after, in the same bins; `unit` is the one they are in."""
    largest = max(*before, *after, 1e-3)
    edges = np.linspace(0, math.ceil(largest * 10) / 10, 25).tolist()
    with chart_style():
        figure = Figure(figsize=(6, 2.6), layout="constrained")
        axes = figure.subplots()
        axes.hist(before, bins=edges, color=BEFORE, alpha=0.65, label="before")
        axes.hist(after, bins=edges, color=AFTER, alpha=0.65, label="after")
        axes.set_xlabel(f"distance between corresponding landmarks [{unit}]")
        axes.set_ylabel("landmarks")
        axes.legend(frameon=False)
        return svg_of(figure, title)


Column = tuple[Sequence[float | None], Sequence[float | None]]
"""A measure of several structures before and after, None where it does not exist."""


def structure_bars(names: Sequence[str], columns: Mapping[str, Column], title: str) -> str:
    """Bars of every structure before and after, one column per measure; `names` from top to bottom."""
    with chart_style():
        figure = Figure(figsize=(9.5, 0.9 + 0.34 * len(names)), layout="constrained")
        grid = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
        places = np.arange(len(names))
        for axes, (measure, (before, after)) in zip(grid, columns.items()):
            for values, shift, colour, when in ((before, -0.2, BEFORE, "before"), (after, 0.2, AFTER, "after")):
                lengths = [math.nan if value is None else value for value in values]
                axes.barh(places + shift, lengths, 0.38, color=colour, label=when)
            axes.set_xlabel(measure)
            axes.grid(visible=False, axis="y")
            axes.tick_params(axis="y", length=0)
        grid[0].set_xlim(0, 1)
        grid[0].set_yticks(places, names)
        grid[0].invert_yaxis()
        handles, words = grid[0].get_legend_handles_labels()
        figure.legend(handles, words, loc="outside upper right", ncols=2, frameon=False)
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
