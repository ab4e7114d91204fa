"""The page itself: one HTML file with everything in it."""

from pathlib import Path

import jinja2

from elastix_impact.io.atomic import write_text_whole
from elastix_impact.io.input_files import refuse_overwriting

from .files_read import files_of
from .finished_run import read_run
from .page import page_of
from .whole import reading

NAME = "report.html"


def write_report(run_folder: Path, target: Path | None = None) -> Path:
    """Write the report of a run, from the files in its folder and the images it was made from.

    Parameters
    ----------
    run_folder
        Where `run` or `register` wrote; complete or not.
    target
        The file to write; None = `report.html` in the folder.

    Returns
    -------
    Path
        The file: HTML that needs no network and no other file.

    Raises
    ------
    InputError
        If the folder holds no run, or one whose files are damaged.
    OutputError
        If the file can't be written, or is one that the report is made from.
    """
    target = run_folder / NAME if target is None else target
    refuse_overwriting([target], files_of(run_folder))
    template = page_environment().get_template("report.html.j2")
    with reading(run_folder):
        page = page_of(read_run(run_folder))
    write_text_whole(target, template.render(page=page))
    return target


def page_environment() -> jinja2.Environment:
    """Where the templates are, and how they are set: text is escaped, a misspelt name is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("elastix_impact.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
