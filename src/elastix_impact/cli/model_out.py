"""Where the families of `models export` write, the same for all."""

import argparse
from collections.abc import Iterable
from pathlib import Path


def add_model_out(parser: argparse.ArgumentParser, usual: str) -> None:
    """Add the option for the file; `usual` is the default's name."""
    parser.add_argument("--out", type=Path, metavar="FILE", help=f"file or folder to write (default: ./{usual})")


def model_path(out: Path | None, name: str, read: Iterable[Path] = ()) -> Path:
    """The file to write: `out`, or `name` in the folder that it is, or here. OutputError if it is among `read`."""
    from elastix_impact.io.input_files import refuse_overwriting

    path = Path(name) if out is None else out / name if out.is_dir() or not out.suffix else out
    refuse_overwriting([path], read)
    return path
