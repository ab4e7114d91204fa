"""Every kind of linear transform in ITK's files, against ITK itself."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from SimpleITK import _SimpleITK

from elastix_impact.errors import TransformFileError
from elastix_impact.io.itk_reading import read_itk_transform
from elastix_impact.io.itk_whole import PARAMETER_COUNTS

TEXT = "#Insight Transform File V1.0\n#Transform 0\nTransform: {}_double_{}_{}\nParameters: {}\nFixedParameters: {}\n"


def _kind_file(path, kind, dimension, count):
    """A text file of a kind with parameters of its own."""
    numbers = np.random.default_rng(3).uniform(0.1, 0.4, count).tolist()
    centre = [1.5, -2.0, 3.0][:dimension]
    path.write_text(TEXT.format(kind, dimension, dimension, " ".join(map(repr, numbers)), " ".join(map(repr, centre))))


@pytest.mark.parametrize("kind", sorted(PARAMETER_COUNTS))
@pytest.mark.parametrize("dimension", [2, 3])
def test_every_linear_kind_is_read_as_itk_maps_it_or_refused(tmp_path, kind, dimension):
    path = tmp_path / "t.tfm"
    _kind_file(path, kind, dimension, PARAMETER_COUNTS[kind][dimension - 2])
    try:
        itk_transform = _SimpleITK.ReadTransform(str(path))
    except RuntimeError:
        with pytest.raises(TransformFileError, match=r"not supported|can read"):
            read_itk_transform(path)
        return
    points = torch.rand(20, dimension, dtype=torch.float64) * 400 - 200
    expected = torch.tensor([itk_transform.TransformPoint(p) for p in points.tolist()], dtype=torch.float64)
    torch.testing.assert_close(read_itk_transform(path).map_points(points), expected, rtol=0, atol=1e-9)


def test_kinds_that_simpleitk_has_no_class_for_are_read_alone_and_in_composites(tmp_path):
    skewed = sitk.ComposeScaleSkewVersor3DTransform()
    skewed.SetSkew((0.1, 0.2, 0.3))
    skewed.SetScale((1.1, 0.9, 1.2))
    skewed.SetTranslation((4.0, -5.0, 6.0))
    skewed.SetCenter((10.0, 20.0, -30.0))
    whole = sitk.CompositeTransform(3)
    whole.AddTransform(skewed)
    whole.AddTransform(sitk.TranslationTransform(3, (1.0, 2.0, 3.0)))
    points = torch.rand(20, 3, dtype=torch.float64) * 400 - 200
    for transform in (skewed, whole):
        for name in ("t.tfm", "t.h5"):
            sitk.WriteTransform(transform, str(tmp_path / name))
            expected = torch.tensor([transform.TransformPoint(p) for p in points.tolist()], dtype=torch.float64)
            found = read_itk_transform(tmp_path / name).map_points(points)
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


def test_what_calls_itself_linear_and_is_not_is_refused(tmp_path):
    _kind_file(tmp_path / "t.tfm", "AzimuthElevationToCartesianTransform", 3, 12)
    with pytest.raises(TransformFileError, match="not supported"):
        read_itk_transform(tmp_path / "t.tfm")
