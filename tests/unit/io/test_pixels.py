"""What a map may ask for can be written: the catalogue and io know the same formats and types."""

import pytest

from elastix_impact.errors import InputError
from elastix_impact.io.formats import KNOWN_SUFFIXES
from elastix_impact.io.pixels import numpy_type
from elastix_impact.parameters.catalog import CATALOG


@pytest.mark.parametrize("name", CATALOG["ResultImagePixelType"].allowed)
def test_every_pixel_type_of_the_catalogue_has_a_numpy_type(name):
    width = {"unsigned char": "uint8", "ushort": "uint16", "short": "int16", "float": "float32", "double": "float64"}
    assert numpy_type(name).name == width.get(name, numpy_type(name).name)
    if name[-1].isdigit():
        assert numpy_type(name).name == name


def test_every_format_of_the_catalogue_can_be_written():
    assert {f".{name}" for name in CATALOG["ResultImageFormat"].allowed} == set(KNOWN_SUFFIXES)


def test_an_unknown_type_is_refused():
    with pytest.raises(InputError, match="no pixel type"):
        numpy_type("half")
