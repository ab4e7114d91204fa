"""Names in a map that mean nothing, something else, or nothing here."""

from __future__ import annotations

from .entry import Parameter
from .names import impact_level, is_impact, nearest_name, needs_level, parameter_of
from .problems import Problem
from .raw import RawEntry, RawParameterMap


def lint(raw: RawParameterMap, used: set[str], levels: int, *, complete: bool = True) -> list[Problem]:
    """Remarks on the names of a map.

    Parameters
    ----------
    used
        Names that resolution read.
    levels
        Number of resolution levels.
    complete
        Whether resolution came to its end; if not, a name that was not read may have an effect once the errors are
        corrected, and nothing is said of it.

    Returns
    -------
    list of Problem
        Unknown names: an error if it looks like one of IMPACT's, whose run would silently use a default, else a
        warning. IMPACT's without a level's number: an error. IMPACT's for levels that are not, IMPACT's for one image
        whose models are the shared ones, spellings that elastix does not read: warnings. Other old spellings, names
        that have no effect with this map: hints.
    """
    problems: list[Problem] = []
    for entry in raw.entries.values():
        parameter, number = parameter_of(entry.name)
        problem = (
            _unknown(raw, entry)
            if parameter is None
            else _misnumbered(raw, entry, parameter, number, levels)
            or _old_spelling(raw, entry, parameter, number, used)
            or (None if parameter.effect and not complete else _unused(raw, entry, parameter, used))
        )
        if problem is not None:
            problems.append(problem)
    return problems


def _unknown(raw: RawParameterMap, entry: RawEntry) -> Problem:
    near = nearest_name(entry.name)
    meant = parameter_of(near)[0] if near else None
    remedy = f"Did you mean {near}?" if near else "Delete the line, or correct the name"
    if entry.name.lower().startswith("impact") or (meant is not None and is_impact(meant)):
        message = "unknown parameter of IMPACT; the run would not read it"
        return Problem("error", raw.source, entry.line, entry.name, message, remedy)
    return Problem("warning", raw.source, entry.line, entry.name, "unknown parameter; nothing reads it", remedy)


def _misnumbered(
    raw: RawParameterMap, entry: RawEntry, parameter: Parameter, number: str, levels: int
) -> Problem | None:
    if needs_level(parameter) and not number and entry.name == parameter.name:
        message, remedy = "the name must end in the number of a level", f"Did you mean {entry.name}0?"
        return Problem("error", raw.source, entry.line, entry.name, message, remedy)
    level = impact_level(entry.name)
    if level is not None and level >= levels:
        message = f"there is no level {level}: NumberOfResolutions is {levels}, counted from 0"
        return Problem("warning", raw.source, entry.line, entry.name, message, "Delete the line, or add the level")
    return None


def _old_spelling(
    raw: RawParameterMap, entry: RawEntry, parameter: Parameter, number: str, used: set[str]
) -> Problem | None:
    if entry.name.removesuffix(number) not in parameter.aliases:
        return None
    if needs_level(parameter):
        name = parameter.name + (number or "0")
        remedy = f"Write {name}; elastix does not read the old name"
        return Problem("warning", raw.source, entry.line, entry.name, f"old spelling of {name}", remedy)
    if entry.name not in used:
        return None
    message = f"old spelling of {parameter.name}"
    return Problem("hint", raw.source, entry.line, entry.name, message, f"Write {parameter.name}")


def _unused(raw: RawParameterMap, entry: RawEntry, parameter: Parameter, used: set[str]) -> Problem | None:
    if entry.name in used:
        return None
    if is_impact(parameter) and not parameter.effect:
        message = "not available in this version; the run goes without it"
        return Problem("warning", raw.source, entry.line, entry.name, message, "Delete the line")
    image = next((image for image in ("Fixed", "Moving") if parameter.name.startswith(f"Impact{image}")), None)
    if needs_level(parameter) and image is not None:
        message = f"has no effect: the {image.lower()} image uses the models of ImpactModelsPath"
        remedy = f"Give Impact{image}ModelsPath0, or delete the line"
        return Problem("warning", raw.source, entry.line, entry.name, message, remedy)
    return Problem("hint", raw.source, entry.line, entry.name, "has no effect with this map")
