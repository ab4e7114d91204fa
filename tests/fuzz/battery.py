"""What all batteries share: cases by a seed, and what may become of one."""

import os
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from elastix_impact.errors import ElastixImpactError

CASES = int(os.environ.get("FUZZ_CASES", "500"))

Outcome = str
"""What a case did: one word, such as ``"read"``; or, if that begins with ``WRONG``, what is wrong with it."""

WRONG = "wrong: "


@dataclass(frozen=True)
class Case:
    """A damaged thing.

    Attributes
    ----------
    what
        Which, and how it was damaged: for messages of the test.
    take
        Takes it as the program does, and says the outcome. An `ElastixImpactError` is ``"refused"``.
    named
        What a refusal must name: the file.
    """

    what: str
    take: Callable[[], Outcome]
    named: str = ""


def run_battery(make: Callable[[int], Case], cases: int = CASES) -> Counter[str]:
    """Take the cases of seeds 0, 1, ...; how many had which outcome, if nothing is wrong."""
    outcomes: Counter[str] = Counter()
    wrong: dict[int, str] = {}
    for seed in range(cases):
        case = make(seed)
        outcome = outcome_of(case)
        if outcome.startswith(WRONG):
            wrong[seed] = f"{case.what}: {outcome.removeprefix(WRONG)}"
        outcomes[outcome.split()[0]] += 1
    assert not wrong, "\n".join(f"{seed}: {what}" for seed, what in wrong.items())
    return outcomes


def outcome_of(case: Case) -> Outcome:
    """What becomes of a case; whatever else than an error of ours comes out is wrong."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return case.take()
    except ElastixImpactError as error:
        return refusal(str(error), case.named)
    except Exception as error:
        return f"{WRONG}{type(error).__name__}: {error}"


def refusal(text: str, named: str) -> Outcome:
    """A refusal in words, if those are one paragraph that names the file."""
    if named not in text:
        return f"{WRONG}the error does not name {named}: {text}"
    if "\n\n" in text or "Traceback" in text or not text.strip():
        return f"{WRONG}the error is not one paragraph: {text}"
    return "refused"
