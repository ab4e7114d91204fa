"""What structures are called: class maps, ITK-SNAP's and 3D Slicer's tables, and what segmentations say themselves."""

import contextlib
import csv
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import SimpleITK as sitk

from elastix_impact.errors import InputError

from .formats import library_chatter_off
from .nifti import is_nifti

LabelNames = dict[int, str]
"""Names by label."""

_FORMS = (
    'JSON as {"1": "spleen"} or {"spleen": 1}, an ITK-SNAP label description, a 3D Slicer colour table (.ctbl, .txt, '
    ".csv), or CSV with a number and a name per line"
)
_SNAP_LINE = re.compile(r'(\d+)(?:\s+\d+){3}\s+[\d.]+\s+[01]\s+[01]\s+"(.*)"')
_SLICER_LINE = re.compile(r"(-?\d+)\s+(\S+)(?:\s+[\d.]+){3,4}")
_NUMBER_COLUMNS = ("labelvalue", "label", "id", "index", "value", "number")
_NAME_COLUMNS = ("name", "labelname", "structure", "text")
_SEGMENT_KEY = re.compile(r"(Segment\d+)_LabelValue")
_XML_LABEL = re.compile(r'<Label\s[^>]*Key="(\d+)"[^>]*>(?:<!\[CDATA\[)?(.*?)(?:\]\]>)?</Label>', re.DOTALL)


def read_label_names(path: Path) -> LabelNames:
    """The names in a file.

    Parameters
    ----------
    path
        ``.json``: names by number or numbers by name, also as ``"labels"`` in nnU-Net's ``dataset.json`` or as the only
        task of a TotalSegmentator class map. ``.csv``: 3D Slicer's, or a column of numbers and one of names. Anything
        else: ITK-SNAP's label descriptions, 3D Slicer's colour tables, whose underscores are spaces, or FreeSurfer's.

    Raises
    ------
    InputError
        If it can't be read, is malformed (with the line), gives a number twice, or has no names.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError("no such file of label names", where=str(path), remedy="Check the path") from error
    except OSError as error:
        raise InputError(f"the label names can't be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise InputError(
            "the file of label names is not text", where=str(path), expected=_FORMS, remedy="Save it as UTF-8"
        ) from error
    suffix = path.suffix.lower()
    pairs = {".json": _from_json, ".csv": _from_csv}.get(suffix, _from_lines)(text, path)
    names: LabelNames = {}
    for line, number, name in pairs:
        if number in names:
            raise InputError(
                f'label {number} is named twice, "{names[number]}" and "{name}"',
                where=f"{path}:{line}",
                remedy="Delete one of them",
            )
        names[number] = name
    if not names:
        raise InputError("there are no label names", where=str(path), expected=_FORMS)
    return names


def label_names(path: Path | None, fixed_labels: Path | None, moving_labels: Path | None) -> LabelNames:
    """What a file of names says; without one what the segmentations say themselves, the fixed one first."""
    if path is not None:
        return read_label_names(path)
    given = [one for one in (moving_labels, fixed_labels) if one is not None]
    return {label: name for one in given for label, name in names_in_segmentation(one).items()}


def names_in_segmentation(path: Path) -> LabelNames:
    """The names that a segmentation carries itself; none if its format holds none, or it can't be read.

    3D Slicer writes them into ``.seg.nrrd``, TotalSegmentator into the header extension of NIfTI.
    """
    name = path.name.lower()
    if name.endswith((".nrrd", ".nhdr")):
        return _from_nrrd(path)
    return _from_nifti(path) if is_nifti(path) and path.is_file() else {}


Found = tuple[int, int, str]
"""Line in the file, label, name."""


def _fault(what: str, path: Path, line: int, expected: str) -> InputError:
    return InputError(what, where=f"{path}:{line}", expected=expected, remedy="Correct the line, or delete it")


def _from_json(text: str, path: Path) -> Iterator[Found]:
    try:
        content = json.loads(text, object_pairs_hook=_Pairs)
    except json.JSONDecodeError as error:
        raise InputError(f"not valid JSON: {error.msg}", where=f"{path}:{error.lineno}", expected=_FORMS) from error
    for key, value in _class_map(content, path):
        line = text[: max(text.find(json.dumps(key, ensure_ascii=False)), 0)].count("\n") + 1
        if isinstance(value, int) and not isinstance(value, bool):
            yield line, value, key
        elif isinstance(value, str) and key.strip().lstrip("-").isdecimal():
            yield line, int(key), value
        else:
            raise _fault(f'"{key}": {value!r} is no label with its name', path, line, '"1": "spleen" or "spleen": 1')


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object in order, those that stand twice included."""


def _class_map(content: object, path: Path) -> "_Pairs":
    """The object that holds the names: the whole, its "labels", or the only object in it."""
    if isinstance(content, _Pairs):
        inner = {key: value for key, value in content if isinstance(value, _Pairs)}
        if "labels" in inner:
            return inner["labels"]
        if len(inner) > 1:
            raise InputError(
                f"there are {len(inner)} class maps, {', '.join(inner)}",
                where=str(path),
                expected="one",
                remedy="Keep the one that the segmentation was made with",
            )
        return next(iter(inner.values()), content)
    raise InputError("the JSON is no object", where=f"{path}:1", expected=_FORMS)


def _from_lines(text: str, path: Path) -> Iterator[Found]:
    """ITK-SNAP: ``1 255 0 0 1 1 1 "Spleen"``; 3D Slicer and FreeSurfer: ``1 spleen 255 0 0 255``."""
    for line, content in enumerate(text.splitlines(), 1):
        content = content.strip()
        if not content or content.startswith("#"):
            continue
        snap, slicer = _SNAP_LINE.fullmatch(content), _SLICER_LINE.fullmatch(content)
        if snap is not None:
            yield line, int(snap[1]), snap[2]
        elif slicer is not None:
            yield line, int(slicer[1]), slicer[2].replace("_", " ")
        else:
            expected = '1 255 0 0 1 1 1 "spleen" (ITK-SNAP) or 1 spleen 255 0 0 255 (3D Slicer)'
            raise _fault(f"{content!r} is no line of a table of labels", path, line, expected)


def _from_csv(text: str, path: Path) -> Iterator[Found]:
    try:
        dialect = csv.Sniffer().sniff(text.partition("\n")[0], delimiters=",;\t")
    except csv.Error:
        dialect = csv.excel
    rows = csv.reader(text.splitlines(), dialect)
    number_column, name_column = 0, 1
    for cells in rows:
        cells = [cell.strip() for cell in cells]
        if not any(cells) or cells[0].startswith("#"):
            continue
        if rows.line_num == 1 and not _is_number(cells[0]):
            number_column, name_column = _columns(cells, path)
        elif len(cells) <= max(number_column, name_column) or not _is_number(cells[number_column]):
            raise _fault(f"{','.join(cells)!r} is no number with a name", path, rows.line_num, "a line like 1,spleen")
        else:
            yield rows.line_num, int(cells[number_column]), cells[name_column]


def _is_number(cell: str) -> bool:
    return cell.lstrip("-").isdecimal()


def _columns(head: list[str], path: Path) -> tuple[int, int]:
    """Where the head of a table says that numbers and names are."""
    words = [word.lower().replace("_", "").replace(" ", "") for word in head]
    numbers, names = (_first(words, known) for known in (_NUMBER_COLUMNS, _NAME_COLUMNS))
    if numbers is None or names is None:
        raise _fault(f"the columns are {', '.join(head)}", path, 1, "a column LabelValue, label or id, and one Name")
    return numbers, names


def _first(words: list[str], known: Iterable[str]) -> int | None:
    return next((words.index(word) for word in known if word in words), None)


def _from_nrrd(path: Path) -> LabelNames:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        with library_chatter_off():
            reader.ReadImageInformation()
    except RuntimeError:
        return {}
    keys = [found for key in reader.GetMetaDataKeys() if (found := _SEGMENT_KEY.fullmatch(key))]
    names: LabelNames = {}
    for key in keys:
        with contextlib.suppress(RuntimeError, ValueError):
            names[int(reader.GetMetaData(key[0]))] = reader.GetMetaData(f"{key[1]}_Name")
    return names


def _from_nifti(path: Path) -> LabelNames:
    import nibabel as nib
    from nibabel.filebasedimages import ImageFileError

    try:
        extensions = cast(Any, nib.load(path)).header.extensions
        texts = [bytes(one.get_content()).decode("utf-8", errors="replace") for one in extensions]
    except (OSError, ValueError, AttributeError, TypeError, ImageFileError):
        return {}
    return {int(number): name.strip() for text in texts for number, name in _XML_LABEL.findall(text)}
