"""The errors of this package: what went wrong, where, what was expected, and what to do about it.

Depends on nothing; everything may depend on it. Every error that a user can cause is one of these
classes, so that a caller can catch `ElastixImpactError` and print `str(error)`: one paragraph, no
traceback needed. The parts are also fields, for programs.
"""

from __future__ import annotations

__all__ = [
    "DeviceError",
    "ElastixImpactError",
    "ImageError",
    "InputError",
    "LandmarkError",
    "MemoryShortError",
    "ModelError",
    "OutputError",
    "ParameterMapError",
    "RegistrationFailedError",
    "TransformFileError",
]


class ElastixImpactError(Exception):
    """Base of all errors of this package.

    Parameters
    ----------
    what
        One sentence that says what is wrong, with the numbers; ends without a full stop.
    where
        The file, parameter or object concerned, e.g. ``"/Data/FixedImage.mha"`` or ``"map.txt:31"``.
    expected
        What would have been right, as a clause.
    remedy
        What the user can do, in the imperative.
    """

    exit_code = 2

    def __init__(
        self, what: str, *, where: str | None = None, expected: str | None = None, remedy: str | None = None
    ) -> None:
        self.what, self.where, self.expected, self.remedy = what, where, expected, remedy
        super().__init__(self.paragraph())

    def paragraph(self) -> str:
        """The error as one paragraph: where, what, expected, remedy."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        parts = [head.rstrip(".")]
        if self.expected:
            parts.append(f"Expected: {self.expected}".rstrip("."))
        if self.remedy:
            parts.append(self.remedy.rstrip("."))
        return (". ".join(parts) + ".").replace("?.", "?")

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.where, self.expected, self.remedy)


def _rebuild(
    cls: type[ElastixImpactError], what: str, where: str | None, expected: str | None, remedy: str | None
) -> ElastixImpactError:
    return cls(what, where=where, expected=expected, remedy=remedy)


class InputError(ElastixImpactError):
    """Something that the user gave is missing, unreadable or contradictory."""


class ParameterMapError(InputError):
    """A parameter map has faults. `problems` lists all of them (see `parameters.problems`)."""

    problems: tuple[object, ...] = ()


class ImageError(InputError):
    """An image or mask can't be used: missing, corrupt, empty, of the wrong dimension, constant, NaN."""


class LandmarkError(InputError):
    """A landmark file can't be used."""


class TransformFileError(InputError):
    """A transform parameter file or ITK transform can't be used."""


class ModelError(InputError):
    """A feature model can't be used: missing, corrupt, or not of the form that the map says."""


class MemoryShortError(ModelError):
    """Memory ran out while a model worked; smaller pieces may still fit."""


class DeviceError(InputError):
    """The device asked for is absent or can't do what is asked."""


class OutputError(ElastixImpactError):
    """A result can't be written: no permission, no space, no folder."""


class RegistrationFailedError(ElastixImpactError):
    """The registration ran and failed; the message is the sentence of its `StopReason`."""

    exit_code = 1
