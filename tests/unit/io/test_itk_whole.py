"""ITK transform files that are not whole are refused before ITK takes what lies in memory for their numbers."""

import pytest
import SimpleITK as sitk

from elastix_impact.errors import TransformFileError
from elastix_impact.io.itk_reading import read_itk_transform
from elastix_impact.io.itk_whole import check_whole

HEAD = "#Insight Transform File V1.0\n#Transform 0\n"
RIGID = sitk.Euler3DTransform((1.0, 2.0, 3.0), 0.1, 0.2, 0.3)
SPLINE = sitk.BSplineTransformInitializer(sitk.Image(9, 9, 9, sitk.sitkInt8), (4, 4, 4))
EVERY_KIND = [
    sitk.Transform(2, sitk.sitkIdentity), sitk.Transform(3, sitk.sitkIdentity), sitk.TranslationTransform(2),
    sitk.ScaleTransform(3), sitk.Euler2DTransform(), RIGID, sitk.Similarity2DTransform(), sitk.Similarity3DTransform(),
    sitk.VersorTransform(), sitk.VersorRigid3DTransform(), sitk.ScaleVersor3DTransform(),
    sitk.ScaleSkewVersor3DTransform(), sitk.ComposeScaleSkewVersor3DTransform(), sitk.AffineTransform(2), SPLINE,
    sitk.CompositeTransform([RIGID, sitk.TranslationTransform(3)]),
]  # fmt: skip


@pytest.mark.parametrize("suffix", [".tfm", ".txt", ".mat", ".h5"])
@pytest.mark.parametrize("transform", EVERY_KIND, ids=lambda t: t.GetName())
def test_whole_files_of_every_kind_pass(tmp_path, transform, suffix):
    path = tmp_path / f"t{suffix}"
    if suffix == ".mat" and transform.GetName() == "CompositeTransform":
        pytest.skip("Matlab's form holds no composites")
    sitk.WriteTransform(transform, str(path))
    check_whole(path)


@pytest.mark.parametrize(
    ("kind", "lines", "says"),
    [
        ("TranslationTransform", [], "t.tfm:3: Parameters: is missing for TranslationTransform"),
        ("VersorRigid3DTransform", ["Parameters: 0 0 0 1 2 3"], "t.tfm:3: FixedParameters: is missing"),
        ("VersorRigid3DTransform", ["Parameters:", "FixedParameters: 1 2 3"], "has 0 values. Expected: 6 for Versor"),
        ("Euler3DTransform", ["Parameters:", "FixedParameters: 1 2 3 0"], "has 0 values. Expected: 6"),
        ("Euler3DTransform", ["Parameters: 1 2", "FixedParameters: 1 2 3 0"], "has 2 values. Expected: 6"),
        ("Similarity3DTransform", ["Parameters: pi", "FixedParameters: 1 2 3"], "t.tfm:4: Parameters: .* no number"),
        ("Euler3DTransform", ["Parameters: 0 0 0 1_0 0 0", "FixedParameters: 1 2 3 0"], "t.tfm:4: .* no number"),
        ("Euler3DTransform", ["Parameters: 0 0 nan 0 0 0", "FixedParameters: 1 2 3 0"], "t.tfm:4: .* NaN"),
        ("AffineTransform", ["Parameters: 1 0 0 1 0 0 1", "FixedParameters: 1 2 3"], "has 7 values. Expected: 12"),
        ("TranslationTransform", ["Parameters: 1 2 3 4", "FixedParameters:"], "has 4 values. Expected: 3"),
        ("TranslationTransform", ["Parameters: 1 2 3", "FixedParameters: x"], "t.tfm:5: FixedParameters: .* no number"),
    ],
)
def test_missing_numbers_are_named_with_their_line(tmp_path, kind, lines, says):
    path = tmp_path / "t.tfm"
    path.write_text(HEAD + "\n".join([f"Transform: {kind}_double_3_3", *lines]) + "\n")
    with pytest.raises(TransformFileError, match=says):
        read_itk_transform(path)


@pytest.mark.parametrize("suffix", [".tfm", ".mat", ".h5"])
def test_no_part_of_a_file_is_taken_for_the_whole(tmp_path, suffix):
    whole, part = tmp_path / f"whole{suffix}", tmp_path / f"part{suffix}"
    sitk.WriteTransform(RIGID, str(whole))
    content = whole.read_bytes().rstrip()
    end = content.rfind(b"FixedParameters:") if suffix == ".tfm" else len(content) - 1
    for length in range(1, end, max(1, end // 100)):
        part.write_bytes(content[:length])
        with pytest.raises(TransformFileError):
            read_itk_transform(part)


def test_what_itk_says_in_no_known_encoding_is_still_a_fault_of_the_file(tmp_path):
    path = tmp_path / "t.tfm"
    path.write_bytes(HEAD.encode() + b"Transform: \xd8Transform_double_3_3\nParameters: 1\nFixedParameters: 1\n")
    with pytest.raises(TransformFileError, match="not a transform"):
        read_itk_transform(path)
