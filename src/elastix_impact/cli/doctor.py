"""`elastix-impact doctor`: what this machine has, and what works on it."""

import argparse
import sys
from dataclasses import asdict

from elastix_impact.io.json_text import json_text

from .failures import FAILED

MARKS = {"ok": "ok  ", "note": "note", "bad": "BAD "}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "doctor",
        help="what works on this machine",
        description="Looks at versions, GPU, memory, folders, and registers a made-up pair on every device. Fetches "
        "nothing. Exit code 1 if something does not work.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run_doctor)


def run_doctor(arguments: argparse.Namespace) -> int:
    """Print the findings as they come; exit code 0, or 1 if one is bad."""
    from elastix_impact.diagnosis.doctor import examine

    findings = []
    for finding in examine():
        findings.append(finding)
        if not arguments.json:
            sys.stdout.write(f"{MARKS[finding.verdict]}  {finding.name}: {finding.text}\n")
            sys.stdout.flush()
    if arguments.json:
        sys.stdout.write(json_text([asdict(finding) for finding in findings]))
    return FAILED if any(finding.verdict == "bad" for finding in findings) else 0
