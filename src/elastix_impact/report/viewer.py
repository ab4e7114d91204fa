"""A page to look through the volumes: NiiVue, with small copies of the images inside the page."""

import json
from importlib import resources
from pathlib import Path

from elastix_impact.errors import InputError
from elastix_impact.io.atomic import write_text_whole
from elastix_impact.io.input_files import refuse_overwriting

from .files_read import files_of
from .finished_run import FinishedRun, read_run
from .render import page_environment
from .structures import COLOURS, structure_name
from .viewer_volumes import images_of, labels_of, viewer_grid

NAME = "viewer.html"
LIBRARY = "niivue-0.69.0.umd.js"

BALLS = 150
"""So many radii of a landmark's ball lie along the longest side of the fixed image."""


def write_viewer(run_folder: Path, target: Path | None = None) -> Path:
    """Write a page that shows fixed and moving image, before and after, in linked planes and in 3-D.

    It starts in grey, with a wipe between the fixed and the registered image; windows can be set, structures and
    landmarks are layers. It works from the disk, without a network: program and images are in it.

    Parameters
    ----------
    run_folder
        Where `run` or `register` wrote.
    target
        The file to write; None = `viewer.html` in the folder.

    Raises
    ------
    InputError
        If the folder holds no run, the images are gone, or they are 2-D.
    OutputError
        If the file can't be written.
    """
    target = run_folder / NAME if target is None else target
    refuse_overwriting([target], files_of(run_folder))
    run = read_run(run_folder)
    if run.fixed is None or run.moving is None or run.transform is None:
        raise InputError(
            "the volumes can't be shown", where=str(run_folder), expected="a complete run", remedy=" ".join(run.missing)
        )
    if run.fixed.grid.dimension == 2:
        raise InputError("the viewer is for volumes", where=str(run_folder), remedy="The report shows 2-D images whole")
    library = resources.files("elastix_impact.report").joinpath("vendor", LIBRARY).read_text(encoding="utf-8")
    grid = viewer_grid(run.fixed.grid)
    content = {
        "images": images_of(run, run.fixed, run.moving, run.transform, grid),
        "labels": labels_of(run, run.transform, grid),
        "structures": _structures(run),
        "landmarks": _landmarks(run),
        "ball": max(run.fixed.grid.extent) / BALLS,
    }
    template = page_environment().get_template("viewer.html.j2")
    title = f"{Path(run.fixed.name).name} and {Path(run.moving.name).name}"
    # "<" would end the script if the name of a structure said so
    text = json.dumps(content).replace("<", "\\u003c")
    write_text_whole(target, template.render(title=title, library=library, content=text))
    return target


def _structures(run: FinishedRun) -> list[dict[str, str]]:
    """Name and colour of every structure, in the order of the numbers in the copies of labels, which begin with 1."""
    ordered = sorted(run.scores if run.labels is not None else [], key=lambda score: score["label"])
    return [
        {"name": structure_name(score), "colour": COLOURS[place % len(COLOURS)]} for place, score in enumerate(ordered)
    ]


def _landmarks(run: FinishedRun) -> list[dict[str, object]]:
    """Landmarks of the fixed image where NiiVue wants them, right, anterior, superior in mm, with their error after."""
    return [
        {"name": row.name, "place": [-row.fixed_point[0], -row.fixed_point[1], row.fixed_point[2]], "error": row.after}
        for row in run.landmarks
    ]
