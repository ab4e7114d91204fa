"""Where models are today that were published under other names."""

import re
from pathlib import Path

_OLD_LAYER_COUNT = re.compile(r"_\d+_Layers?(?=\.pt$)")
_OLD_MIND = re.compile(r"^(R\d+D\d+)\.pt$")
_OLD_SAM = re.compile(r"^(Tiny|Small)\.pt$")


def present_names(path: Path, dimension: int | None = None) -> list[Path]:
    """Where a model is today that was published as `path`: changed names, most likely first."""
    name, folder = _OLD_LAYER_COUNT.sub("", path.name), path.parent
    mind, sam = _OLD_MIND.match(name), _OLD_SAM.match(name)
    if mind:
        dimensions = (dimension,) if dimension is not None else (3, 2)
        return [folder / f"{mind[1]}_{d}D.pt" for d in dimensions]
    if sam:
        return [folder.with_name("SAM2.1") / f"SAM2.1_{name}"]
    return [folder / name] if name != path.name else []
