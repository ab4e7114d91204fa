"""The files that hold the measures of a registration: one for programs, and a table per kind of single results."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from elastix_impact.evaluation.labels import LabelSummary
from elastix_impact.evaluation.summary import EvaluationSummary, LandmarkErrors
from elastix_impact.io.json_text import json_text

FILE_NAME, LANDMARKS_NAME, LABELS_NAME = "evaluation.json", "landmarks.csv", "labels.csv"
RESULT_NAMES = (FILE_NAME, LANDMARKS_NAME, LABELS_NAME)


def evaluation_files(summary: EvaluationSummary) -> dict[str, str]:
    """The texts of `FILE_NAME`, and of the tables of single landmarks and labels as far as there are any."""
    texts = {FILE_NAME: json_text(summary.to_json())}
    if summary.landmarks is not None:
        texts[LANDMARKS_NAME] = _landmark_table(summary.landmarks)
    if summary.labels:
        texts[LABELS_NAME] = _label_table(summary.labels)
    return texts


def _landmark_table(landmarks: LandmarkErrors) -> str:
    axes = "xyz"[: landmarks.fixed_points.shape[1]]
    head = [f"{image}_{axis}_mm" for image in ("fixed", "moving") for axis in axes]
    moments = list(landmarks.errors)
    rows = zip(landmarks.names, landmarks.fixed_points.tolist(), landmarks.moving_points.tolist())
    errors = torch.stack([landmarks.errors[moment].double() for moment in moments], 1).tolist()
    return _table(
        ["name", *head, *(f"{moment}_mm" for moment in moments)],
        [[name, *_numbers([*fixed, *moving, *row])] for (name, fixed, moving), row in zip(rows, errors)],
    )


def _label_table(labels: Mapping[str, LabelSummary]) -> str:
    moments, first = list(labels), next(iter(labels.values()))
    columns = ("dice", "hd95_mm", "assd_mm")
    rows = []
    for place, score in enumerate(first.scores):
        row: list[Any] = [score.label, first.names.get(score.label, "")]
        for moment in moments:
            one = labels[moment].scores[place]
            row += _numbers([getattr(one, column) for column in columns])
        rows.append(row)
    return _table(["label", "name", *(f"{moment}_{column}" for moment in moments for column in columns)], rows)


def _numbers(values: Sequence[float | None]) -> list[str]:
    return ["" if value is None else f"{value:.6g}" for value in values]


def _table(head: list[str], rows: list[list[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([head, *rows])
    return text.getvalue()
