"""Files of a data folder that nothing reads although their names look as if somebody meant them to be read."""

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

LIKENESS = 0.85
"""How like two names must be, from 0 to 1, case, dashes and underscores not counted."""

_MAP_STEM = "parametermap"
_NO_LETTERS = re.compile(r"[^a-z]")


def passed_over(
    names: Iterable[str], used: Collection[str], wanted: Mapping[str, tuple[Sequence[str], Sequence[str]]]
) -> dict[str, str]:
    """What each name that is not `used` was perhaps meant to be: the words for a warning, by name.

    Parameters
    ----------
    names
        Of all files of the folder.
    wanted
        Stems and suffixes that are looked for, by role, of roles that no file plays.
    """
    found: dict[str, str] = {}
    for name in sorted(set(names) - set(used)):
        if name.startswith("."):
            continue
        plain = _plain(name.split(".")[0])
        near = difflib.get_close_matches(plain, [_plain(stems[0]) for stems, _ in wanted.values()], 1, LIKENESS)
        roles = [role for role, (stems, _) in wanted.items() if near and _plain(stems[0]) == near[0]]
        if roles:
            stems, suffixes = wanted[roles[0]]
            found[name] = (
                f"the {roles[0]} {'is' if roles[0].endswith(('mask', 'image')) else 'are'} looked for as "
                f"{' or '.join(stems)} with {', '.join(suffix for suffix in suffixes if suffix)}"
            )
        elif plain.startswith(_MAP_STEM) and _is_map(name):
            found[name] = "further stages are looked for as ParameterMap.1.txt, ParameterMap.2.txt ... (or .toml)"
    return found


def _plain(stem: str) -> str:
    return _NO_LETTERS.sub("", stem.lower())


def _is_map(name: str) -> bool:
    """Whether a file may be a map with a number; one without is put aside on purpose."""
    return any(letter.isdigit() for letter in name) and Path(name).suffix.lower() in (".txt", ".toml")
