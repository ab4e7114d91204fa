"""Parameter maps that were damaged, by a seed: the same seed, the same map."""

import random
import re
from pathlib import Path

from elastix_impact.parameters.presets import NOMINAL, PRESETS, preset_texts

SHARED_MAPS = Path(__file__).resolve().parents[3] / "shared" / "golden" / "maps"

BAD_VALUES = (
    "nan", "NaN", "-nan", "inf", "-inf", "1e999", "-1e999", "1e300", "-1e300", "1e-300", "-1", "0", "-0", "0.5",
    "1_0", "0x10", "１", "1,5", "--1", "1e", '""', "x", "true", "false", '"true"', "2147483648", "-2147483649",
    "99999999999999999999999", "4294967296", "L2", '"Static"', '"Jacobian"', "01", '"0101"', "/etc/passwd",
    "../../x", "~", '"EulerTransform"', '"BSplineTransform"', '"MattesMutualInformation"', '"Impact"',
    '"RandomSampler"', "NUL", "é", '"é"', "\\", ";", "#", "$HOME", '"a b"',
)  # fmt: skip
LONG = ("9" * 5000, "1 " * 3000, '"' + "a" * 5000 + '"')
HOW = ("value", "value", "value", "values", "drop", "twice", "quote", "parenthesis", "name", "level", "byte", "cut",
       "utf-16", "joined", "value of another", "moved")  # fmt: skip
BROKEN = ("twice", "quote", "parenthesis", "utf-16")
"""Damage that no reader may pass over."""


def sound_maps() -> list[str]:
    """The presets' maps, and the golden ones where they are at hand."""
    texts = [text for preset in PRESETS.values() for _, text in preset_texts(preset, NOMINAL)]
    golden = sorted(SHARED_MAPS.glob("*.txt")) if SHARED_MAPS.is_dir() else []
    return texts + [path.read_text(encoding="utf-8") for path in golden]


def damaged_map(text: str, draw: random.Random) -> tuple[str, bytes]:
    """How a map was damaged, and what its file holds then."""
    how = draw.choice(HOW)
    if how == "utf-16":
        return how, text.encode("utf-16")
    if how == "cut":
        return how, text.encode()[: draw.randrange(len(text))]
    if how == "byte":
        content = bytearray(text.encode())
        for _ in range(draw.choice((1, 1, 4))):
            content[draw.randrange(len(content))] = draw.randrange(256)
        return how, bytes(content)
    lines = text.splitlines()
    for _ in range(draw.choice((1, 1, 2, 5))):
        _spoil_line(lines, how, draw)
    return how, ("\n".join(lines) + "\n").encode()


def _spoil_line(lines: list[str], how: str, draw: random.Random) -> None:
    """Damage one line that holds a parameter, in place."""
    places = [k for k, line in enumerate(lines) if re.match(r"\(\w", line)]
    place, other = draw.choice(places), draw.choice(places)
    name, _, rest = lines[place][1:].partition(" ")
    values = rest.split("//")[0].rstrip().removesuffix(")").split()
    bad = draw.choice(LONG) if draw.random() < 0.03 else draw.choice(BAD_VALUES)
    match how:
        case "value":
            values[draw.randrange(len(values))] = bad
        case "values":
            values = draw.choice((values + values, values[:-1], [*values, bad], values * 30))
        case "name":
            at = draw.randrange(len(name))
            name = name[:at] + draw.choice("xX0_-é ") + name[at + draw.randrange(2) :]
        case "level":
            name = re.sub(r"\d*$", str(draw.choice((0, 1, 7, 99, -1, 10**20))), name)
        case "value of another":
            values = [lines[other].partition(" ")[2].rstrip(")")]
    lines[place] = f"({name} {' '.join(values)})"
    match how:
        case "drop":
            lines[place] = ""
        case "twice":
            lines.insert(other, lines[place])
        case "quote":
            lines[place] = f'({name} "{" ".join(values)[1:]})' if draw.random() < 0.5 else f'({name} {values[0]}")'
            lines[place] += "" if lines[place].count('"') % 2 else '"'
        case "parenthesis":
            lines[place] = draw.choice((lines[place][1:], lines[place][:-1], f"({lines[place]}"))
        case "joined":
            lines[place] = f"{lines[place]} {lines[other]}"
        case "moved":
            lines.insert(other, lines.pop(place))
