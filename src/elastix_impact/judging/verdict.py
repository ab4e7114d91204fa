"""The verdict on a result: good, look or bad, and why. The thresholds are in `verdict_table`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

from .verdict_table import CHECKS, Check, Word


@final
@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check that was made.

    Attributes
    ----------
    value, threshold
        In `unit`; the threshold is the one that was crossed, of a good value the next one.
    """

    check: str
    value: float | None
    threshold: float | None
    unit: str
    word: Word


@final
@dataclass(frozen=True, slots=True)
class Reason:
    """Why a verdict is not good: what was measured, against what, and what to change."""

    check: str
    word: Word
    value: float | None
    threshold: float | None
    unit: str
    sentence: str
    remedy: str


@final
@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person should think of a result.

    Attributes
    ----------
    word
        ``"good"``: nothing speaks against it. ``"look"``: look at it before you use it. ``"bad"``: do not use it.
    reasons
        The worst first; empty if it is good.
    checks
        All that was measured.
    """

    word: Word
    reasons: tuple[Reason, ...]
    checks: tuple[CheckResult, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries and lists."""
        return {
            "word": self.word,
            "reasons": [asdict(reason) for reason in self.reasons],
            "checks": [asdict(check) for check in self.checks],
        }

    def lines(self) -> list[str]:
        """The verdict with its first reason, then a line for each further reason."""
        if not self.reasons:
            return [f"verdict: {self.word} - {len(self.checks)} checks, nothing speaks against the result"]
        first, *others = (f"{reason.sentence}. {reason.remedy}." for reason in self.reasons)
        return [f"verdict: {self.word} - {first}", *(f"  also: {other}" for other in others)]


def joined(one: Verdict, other: Verdict) -> Verdict:
    """The verdict of the checks of both."""
    return _verdict((*one.reasons, *other.reasons), (*one.checks, *other.checks))


def reach_verdict(values: Mapping[str, float], details: Mapping[str, str] | None = None) -> Verdict:
    """The verdict on measured values.

    Parameters
    ----------
    values
        By the names of `CHECKS`; those not measured are left out.
    details
        Words that a check's sentence takes in as ``{detail}``, by its name.
    """
    results = [(check, _judged(check, values[check.name])) for check in CHECKS if check.name in values]
    reasons = [
        _reason(check, result, (details or {}).get(check.name, ""))
        for check, result in results
        if result.word != "good"
    ]
    return _verdict(reasons, [result for _, result in results])


def failed_verdict(message: str) -> Verdict:
    """The verdict on a registration that failed and left nothing to be measured."""
    sentence, _, rest = message.partition(". ")
    remedy = rest.rstrip(".") or "See elastix.log"
    result = CheckResult("completed", None, None, "", "bad")
    reason = Reason("completed", "bad", None, None, "", f"the registration failed: {sentence.rstrip('.')}", remedy)
    return Verdict("bad", (reason,), (result,))


def _verdict(reasons: Sequence[Reason], checks: Sequence[CheckResult]) -> Verdict:
    """The worst reasons first, otherwise in their order."""
    ranked = sorted(reasons, key=_is_not_bad)
    return Verdict(ranked[0].word if ranked else "good", tuple(ranked), tuple(checks))


def _is_not_bad(reason: Reason) -> bool:
    return reason.word != "bad"


def _judged(check: Check, value: float) -> CheckResult:
    word = check.word(value)
    threshold = check.bad if word == "bad" else check.look
    return CheckResult(check.name, value, check.bad if threshold is None else threshold, check.unit, word)


def _reason(check: Check, result: CheckResult, detail: str) -> Reason:
    sentence = check.sentence.format(
        value=check.number(result.value), threshold=check.number(result.threshold), detail=detail
    )
    return Reason(check.name, result.word, result.value, result.threshold, check.unit, sentence, check.remedy)
