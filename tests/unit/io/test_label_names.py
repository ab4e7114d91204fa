"""Names of structures from every form of file, and their faults with file and line."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from nibabel.nifti1 import Nifti1Extension

from elastix_impact.errors import InputError
from elastix_impact.io.label_names import label_names, names_in_segmentation, read_label_names

NAMES = {1: "spleen", 5: "liver left", 70000: "kidney"}

SNAP = """\
################################################
# ITK-SnAP Label Description File
# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL
################################################
    0     0    0    0        0  0  0    "Clear Label"
    1   255    0    0        1  1  1    "spleen"
    5     0  255    0      0.5  1  0    "liver left"
    70000 0    0  255        1  1  1    "kidney"
"""

SLICER = """\
# Color table file C:/abdomen.ctbl
# 4 values
0 background 0 0 0 0
1 spleen 157 108 162 255
5 liver_left 221 130 101 255
70000 kidney 185 102 83 255
"""

SLICER_CSV = """\
LabelValue,Name,Color_R,Color_G,Color_B,Color_A,Category_CodingScheme
1,spleen,157,108,162,255,SCT
5,liver left,221,130,101,255,SCT
70000,"kidney",185,102,83,255,SCT
"""

FORMS = {
    "by_number.json": json.dumps({str(label): name for label, name in NAMES.items()}),
    "by_name.json": json.dumps({name: label for label, name in NAMES.items()}),
    "dataset.json": json.dumps(
        {"channel_names": {"0": "CT"}, "labels": {name: label for label, name in NAMES.items()}}
    ),
    "task.json": json.dumps({"total": {str(label): name for label, name in NAMES.items()}}, indent=2),
    "snap.txt": SNAP,
    "snap.label": SNAP,
    "slicer.ctbl": SLICER,
    "slicer.txt": SLICER.replace("\n", "\r\n"),
    "slicer.csv": SLICER_CSV,
    "plain.csv": "1,spleen\n5,liver left\n\n70000,kidney\n",
    "head.csv": "# of the abdomen\nname;id\nspleen;1\nliver left;5\nkidney;70000\n".partition("\n")[2],
}


def _file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_names(tmp_path: Path, name: str) -> None:
    found = read_label_names(_file(tmp_path, name, FORMS[name]))
    assert {label: found[label] for label in NAMES} == NAMES
    assert set(found) <= {*NAMES, 0}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", '{"1": "spleen",\n "2": }', r"a.json:2: not valid JSON"),
        ("a.json", '{"1": "spleen",\n "2": 2.5}', r'a.json:2: "2": 2.5 is no label'),
        ("a.json", '{"spleen": true}', r"a.json:1: .* is no label"),
        ("a.json", '["spleen"]', r"the JSON is no object"),
        ("a.json", '{"total": {"1": "a"}, "body": {"1": "b"}}', r"2 class maps, total, body"),
        ("a.json", '{"1": "spleen",\n "1": "liver"}', r'label 1 is named twice, "spleen" and "liver"'),
        ("a.txt", "1 spleen 1 1 1 255\n2 liver 1 1\n", r"a.txt:2: '2 liver 1 1' is no line of a table"),
        ("a.label", '1 255 0 0 1 1 1 "a"\n1 255 0 0 1 1 1 "b"\n', r"a.label:2: label 1 is named twice"),
        ("a.csv", "1,spleen\nliver,2\n", r"a.csv:2: 'liver,2' is no number with a name"),
        ("a.csv", "1,spleen\n2\n", r"a.csv:2: '2' is no number with a name"),
        ("a.csv", "red,green\n1,2\n", r"a.csv:1: the columns are red, green"),
        ("a.txt", "# nothing\n", r"a.txt: there are no label names"),
    ],
)
def test_faults_are_said_with_their_line(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_label_names(_file(tmp_path, name, text))


def test_files_that_are_missing_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file of label names"):
        read_label_names(tmp_path / "absent.json")
    (tmp_path / "picture.txt").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="is not text"):
        read_label_names(tmp_path / "picture.txt")


def test_what_segmentations_say_themselves(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(np.ones((3, 4, 5), np.uint8))
    for number, (label, name) in enumerate({1: "spleen", 5: "liver left"}.items()):
        image.SetMetaData(f"Segment{number}_LabelValue", str(label))
        image.SetMetaData(f"Segment{number}_Name", name)
    slicer = tmp_path / "s.seg.nrrd"
    sitk.WriteImage(image, str(slicer))
    assert names_in_segmentation(slicer) == {1: "spleen", 5: "liver left"}

    nifti = nib.Nifti1Image(np.ones((5, 4, 3), np.uint8), np.eye(4))
    xml = (
        '<LabelTable><Label Key="1" Red="1" Alpha="1"><![CDATA[heart]]></Label><Label Key="7">lung</Label></LabelTable>'
    )
    nifti.header.extensions.append(Nifti1Extension(0, xml.encode()))
    total = tmp_path / "t.nii.gz"
    nib.save(nifti, total)
    assert names_in_segmentation(total) == {1: "heart", 7: "lung"}

    plain = tmp_path / "plain.nii.gz"
    nib.save(nib.Nifti1Image(np.ones((5, 4, 3), np.uint8), np.eye(4)), plain)
    assert names_in_segmentation(plain) == names_in_segmentation(tmp_path / "absent.nrrd") == {}
    assert label_names(None, slicer, total) == {1: "spleen", 5: "liver left", 7: "lung"}
    given = _file(tmp_path, "names.csv", "2,femur\n")
    assert label_names(given, slicer, total) == {2: "femur"}
