"""`elastix-impact report`: one HTML page about a run, to look at, print and send."""

import argparse
import sys
from pathlib import Path

from .failures import say_warning


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser("report", help="make a page about a run", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="output folder of run, register or demo")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="page to write (default: DIR/report.html)")
    parser.add_argument(
        "--viewer",
        action="store_true",
        help="make DIR/viewer.html too: the volumes to look through, in a browser, without a network",
    )
    parser.set_defaults(run=run_report)


def run_report(arguments: argparse.Namespace) -> int:
    """Write the page, and the viewer if asked for, and print their paths."""
    from elastix_impact.report.render import write_report
    from elastix_impact.report.viewer import write_viewer

    sys.stdout.write(f"{write_report(arguments.folder, arguments.out)}\n")
    if arguments.viewer:
        sys.stdout.write(f"{write_viewer(arguments.folder)}\n")
    return 0


def add_report(folder: Path) -> list[str]:
    """Write the page of a run that has just ended; its name, or a warning and nothing: the result stays."""
    from elastix_impact.errors import ElastixImpactError
    from elastix_impact.report.render import write_report

    try:
        return [write_report(folder).name]
    except ElastixImpactError as error:
        say_warning(f"no report was made: {error}")
        return []
