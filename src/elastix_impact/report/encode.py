"""Figures as text that a page can hold: SVG for lines, JPEG for pixels."""

import base64
import hashlib
import io
import re
from contextlib import AbstractContextManager

import matplotlib
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imsave
from torch import Tensor

INK = "#010203"
"""Stands for the page's own text colour, which is dark or light as the reader's screen is."""

FAINT = "#040506"
"""Stands for the page's colour of lines that matter less."""

DPI = 100

_JPEG = {"quality": 85, "optimize": True}

_STYLE = {
    "svg.fonttype": "none",
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": FAINT,
    "axes.grid": True,
    "grid.linewidth": 0.4,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.family": "sans-serif",
    "font.size": 9,
    "path.simplify": True,
}


def chart_style() -> AbstractContextManager[None]:
    """The context in which charts are drawn."""
    return matplotlib.rc_context(_STYLE)  # pyright: ignore[reportArgumentType]


def svg_of(figure: Figure, title: str) -> str:
    """The figure as an SVG element that takes the page's colours, named `title` for those who can't see it."""
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": hashlib.sha256(title.encode()).hexdigest()}):
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    body = text[text.index("<svg") :]
    body = body.replace(INK, "currentColor").replace(FAINT, "var(--faint)")
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1; font-family: inherit", body)
    return re.sub(r"<svg ", f'<svg role="img" aria-label="{_escaped(title)}" class="chart" ', body, count=1)


def pixel_figure(width: int, height: int) -> tuple[Figure, Axes]:
    """A figure of this many pixels that is nothing but a picture; x to the right, y downwards, in pixels."""
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="black")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    return figure, axes


def jpeg_of(figure: Figure) -> str:
    """The figure as a data URI."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="jpg", dpi=DPI, pil_kwargs=_JPEG)
    return _data_uri(buffer)


def jpeg_of_pixels(rgb: Tensor) -> str:
    """Colours (rows, columns, 3) from 0 to 1 as a data URI."""
    buffer = io.BytesIO()
    imsave(buffer, (255 * rgb).round().to(torch.uint8).numpy(), format="jpg", pil_kwargs=_JPEG)
    return _data_uri(buffer)


def _data_uri(jpeg: io.BytesIO) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.getvalue()).decode()


def layer_svg(size: tuple[int, int], shapes: str, alt: str) -> str:
    """SVG shapes that lie over a picture of `size` (width, height); in pixels, whose centres are whole numbers."""
    return (
        f'<svg class="layer" role="img" aria-label="{_escaped(alt)}" viewBox="-0.5 -0.5 {size[0]} {size[1]}" '
        f'preserveAspectRatio="none">{shapes}</svg>'
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
