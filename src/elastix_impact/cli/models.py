"""`elastix-impact models`: get or make feature models, and look into model files."""

import argparse

from . import models_export, models_fetch, models_inspect


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    words = "list, download, export, inspect and verify feature models"
    parser = subparsers.add_parser("models", help=words, description=__doc__)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    models_fetch.add_actions(actions)
    models_export.add_action(actions)
    models_inspect.add_actions(actions)
