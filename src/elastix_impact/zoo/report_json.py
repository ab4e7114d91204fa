"""What is found of a model, as JSON and back; it comes from a process that ran strange code: nothing is unpickled."""

import json
from dataclasses import asdict
from typing import Any

from .abilities import Abilities
from .inspect import LayerGeometry, ModelReport
from .verify import ModeVerdict, Verification


def to_json(found: ModelReport | Verification) -> str:
    """The text of a report or a verification."""
    return json.dumps(asdict(found))


def report_of(found: dict[str, Any]) -> ModelReport:
    """A report from what its text holds; raises TypeError or KeyError if that is something else."""
    layers = tuple(LayerGeometry(**_rows(layer)) for layer in found["layers"])
    return ModelReport(**found | {"layers": layers, "abilities": Abilities(**found["abilities"])})


def verification_of(found: dict[str, Any]) -> Verification:
    """A verification from what its text holds; raises as `report_of`."""
    return Verification(
        report=report_of(found["report"]),
        static=ModeVerdict(**_rows(found["static"])),
        jacobian=ModeVerdict(**_rows(found["jacobian"])),
        remarks=tuple(found["remarks"]),
    )


def _rows(values: dict[str, Any]) -> dict[str, Any]:
    """JSON's lists are our tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
