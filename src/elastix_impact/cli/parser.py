"""The parser of our own commands: an unknown option is an error that names the nearest known one."""

import argparse
import difflib
from collections.abc import Sequence
from typing import Any, final


@final
class OptionParser(argparse.ArgumentParser):
    """argparse's parser, with a hint at what an unknown option was perhaps meant to be."""

    # argparse's own signature has overloads by the kind of namespace
    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """What is known and what is not; ends the program if something is not and looks like an option."""
        known, unknown = super().parse_known_args(args, namespace)
        options = [word.partition("=")[0] for word in unknown if word.startswith("-")]
        if options:
            self.error(f"unrecognized arguments: {' '.join(unknown)}{self._hint(options[0])}")
        return known, unknown

    def _hint(self, option: str) -> str:
        near = difflib.get_close_matches(option, self._option_string_actions, n=1)
        return f" (did you mean {near[0]}?)" if near else ""
