"""A registration as notebooks show it: its measures and an overlay per plane."""

from html import escape
from pathlib import Path

from elastix_impact.report.finished_run import read_run
from elastix_impact.report.pictures import COMPARISON, pictures_of

WIDTH = 220
"""Pixels of a picture."""


def html_of(out: Path, words: str) -> str:
    """A fragment about the run in the folder `out` that needs nothing else: pictures are inside."""
    compared = [pictures for pictures in pictures_of(read_run(out)) if pictures.title == COMPARISON]
    panels = [panel for pictures in compared for row in pictures.rows for panel in row[:2]]
    shown = "".join(
        f'<figure style="display:inline-block;margin:4px"><img width="{WIDTH}" src="{panel.uri}" '
        f'alt="{escape(panel.alt)}"><figcaption>{escape(panel.caption)}</figcaption></figure>'
        for panel in panels
    )
    return f"<div><p><b>Registration</b> {escape(words)}<br><code>{escape(str(out))}</code></p>{shown}</div>"
