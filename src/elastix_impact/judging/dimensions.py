"""What is measured together must have one number of dimensions."""

from collections.abc import Mapping

from elastix_impact.errors import InputError


def check_same_dimension(dimensions: Mapping[str, int | None]) -> None:
    """Refuse things of different dimensions, given by what they are called; None = not there.

    Raises
    ------
    InputError
        With what the first one has, and the first one that differs from it.
    """
    known = {name: dimension for name, dimension in dimensions.items() if dimension is not None}
    first = next(iter(known), None)
    other = next((name for name, dimension in known.items() if dimension != known[first or name]), None)
    if first is not None and other is not None:
        raise InputError(
            f"{other} has {known[other]} dimensions, {first} has {known[first]}",
            expected="all of the same number of dimensions",
            remedy="Give what belongs to these images: 2-D things with slices, 3-D things with volumes",
        )
