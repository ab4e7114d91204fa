"""A registration as notebooks show it: its measures and an overlay per plane."""

from html import escape
from pathlib import Path

from elastix_impact.report.finished_run import read_run
from elastix_impact.report.pictures import pictures_of

WIDTH = 220
"""Pixels of a picture."""


def html_of(out: Path, words: str) -> str:
    """A fragment about the run in the folder `out` that needs nothing else: pictures are inside."""
    pictures = pictures_of(read_run(out))
    panels = [panel for row in pictures[1].rows for panel in row[:2]] if len(pictures) > 1 else []
    shown = "".join(
        f'<figure style="display:inline-block;margin:4px"><img width="{WIDTH}" src="{panel.uri}" '
        f'alt="{escape(panel.alt)}"><figcaption>{escape(panel.caption)}</figcaption></figure>'
        for panel in panels
    )
    return f"<div><p><b>Registration</b> {escape(words)}<br><code>{escape(str(out))}</code></p>{shown}</div>"
