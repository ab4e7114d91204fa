"""Segmentations without a common number are told, not passed over."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from elastix_impact.cli.main import main


def segmentation(path: Path, *labels: int) -> str:
    values = np.zeros((6, 7, 8), np.uint8)
    for place, label in enumerate(labels):
        values[1 + place, 2:5, 2:5] = label
    sitk.WriteImage(sitk.GetImageFromArray(values), str(path))
    return str(path)


@pytest.mark.parametrize(
    ("fixed", "moving", "said"),
    [((1, 2), (3,), "has 1, 2, "), ((1,), (), "none. Give the same"), ((), (), "has none, ")],
)
def test_no_number_in_both_is_told_on_stderr_in_the_tables_and_in_json(
    fixed: tuple[int, ...], moving: tuple[int, ...], said: str, tmp_path: Path, capsys
) -> None:
    sitk.WriteTransform(sitk.TranslationTransform(3, (1.0, 0.0, 0.0)), str(tmp_path / "t.tfm"))
    names = segmentation(tmp_path / "f.nrrd", *fixed), segmentation(tmp_path / "m.nrrd", *moving)
    words = ["evaluate", "-t", str(tmp_path / "t.tfm"), "--fixed-labels", names[0], "--moving-labels", names[1]]
    assert main([*words, "--out", str(tmp_path / "o")]) == 0
    captured = capsys.readouterr()
    for text in (
        captured.err,
        captured.out,
        json.loads((tmp_path / "o/evaluation.json").read_text())["labels_problem"],
    ):
        assert "no label is in both segmentations" in text
        assert said in text
        assert names[0] in text
    assert captured.err.count("no label is in both") == 1


def test_with_a_common_number_nothing_is_said(tmp_path: Path, capsys) -> None:
    sitk.WriteTransform(sitk.TranslationTransform(3, (1.0, 0.0, 0.0)), str(tmp_path / "t.tfm"))
    names = segmentation(tmp_path / "f.nrrd", 1, 2), segmentation(tmp_path / "m.nrrd", 2, 3)
    words = ["evaluate", "-t", str(tmp_path / "t.tfm"), "--fixed-labels", names[0], "--moving-labels", names[1]]
    assert main([*words, "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert json.loads(captured.out)["labels_problem"] is None
