"""What the catalogue says about one parameter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

Kind = Literal["bool", "int", "float", "text"]
Indexing = Literal["once", "level", "level and axis", "axis", "list", "impact model", "impact layer", "metric"]
"""How values are counted.

``once``: one value. ``level``: one per resolution, a missing one falls back to the first. ``level and axis``: one per
resolution and image axis. ``axis``: one per axis. ``list``: as many as wanted. ``impact model``: name ends in the
resolution's number, one value (or one per axis) per model. ``impact layer``: the same, one per selected layer.
``metric``: name may end in or begin with a metric's number.
"""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter.

    Attributes
    ----------
    name
        Without any resolution's number.
    default
        elastix's default as text, None = required or decided by other parameters (the help says how).
    allowed
        The only values possible, empty = any.
    minimum, above
        Smallest value possible; value that it must exceed.
    component
        elastix component that reads it, e.g. ``"BSplineTransform"``; ``"elastix"`` = the frame itself.
    effect
        Whether a native run reads it; otherwise it is known, and said to do nothing here.
    """

    name: str
    kind: Kind
    help: str
    default: str | None = None
    indexing: Indexing = "once"
    component: str = "elastix"
    allowed: tuple[str, ...] = ()
    minimum: float | None = None
    above: float | None = None
    effect: bool = True
    aliases: tuple[str, ...] = ()
