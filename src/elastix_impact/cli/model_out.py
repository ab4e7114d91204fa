"""Where the families of `models export` write, the same for all."""

import argparse
from pathlib import Path


def add_model_out(parser: argparse.ArgumentParser, usual: str) -> None:
    """Add the option for the file; `usual` is the default's name."""
    parser.add_argument("--out", type=Path, metavar="FILE", help=f"file or folder to write (default: ./{usual})")


def model_path(out: Path | None, name: str) -> Path:
    """The file to write: `out`, or `name` in the folder that it is, or here."""
    if out is None:
        return Path(name)
    return out / name if out.is_dir() or not out.suffix else out
