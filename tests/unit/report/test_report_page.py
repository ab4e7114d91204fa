"""The page of a report, parsed: everything in one file, readable without pictures, and right."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from elastix_impact.cli.main import main
from elastix_impact.errors import InputError
from elastix_impact.report.render import write_report
from small_case import write_small_case, write_small_labels

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """Collects what the tests ask for, and checks that every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.images: list[dict[str, str]] = []
        self.charts: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.links += [values[name] for name in ("src", "href", "xlink:href") if name in values]
        if tag == "img":
            self.images.append(values)
        if tag == "svg":
            self.charts.append(values.get("aria-label", ""))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("h1", "h2"):
            self.headings.append(data)
        if not {"style", "script"} & set(self._open):
            self.words += data


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run with its report."""
    folder = tmp_path_factory.mktemp("report")
    write_small_labels(write_small_case(folder / "Data"))
    assert main(["run", "--data", str(folder / "Data"), "--out", str(folder / "Out"), "--quiet", "--report"]) == 0
    return folder / "Out"


@pytest.fixture(scope="module")
def page(out: Path) -> Page:
    return Page((out / "report.html").read_text(encoding="utf-8"))


def test_the_page_says_what_was_done_and_how_well(out: Path, page: Page) -> None:
    record = json.loads((out / "registration.json").read_text())
    assert page.headings[0] == "FixedImage.mha and MovingImage.mha"
    assert "complete" in page.words
    for when in ("before", "after"):
        assert f"{record['landmarks_mm'][when]['mean']:.2f}" in page.words
    for fact in ("elastix-impact run", record["versions"]["torch"], "121212", "IMPACT", "elastix: a toolbox"):
        assert fact in page.words
    wanted = {"What was registered", "Landmarks", "Structures", "The deformation", "The run", "To cite"}
    assert wanted <= set(page.headings)


def test_pictures_come_before_tables(page: Page) -> None:
    order = ("The images", "Before and after", "The deformation", "Landmarks", "Structures", "What was registered")
    places = [page.headings.index(heading) for heading in order]
    assert places == sorted(places)


def test_structures_are_outlined_on_every_plane_and_named(out: Path, page: Page) -> None:
    text = (out / "report.html").read_text(encoding="utf-8")
    dice = {row["label"]: row["dice"] for row in _json(out, "evaluation.json")["labels"]["after"]["labels"]}
    for label in (1, 2):
        assert f"label {label} Dice {dice[label]:.2f}" in page.words
        for line, whose in (("area", "fixed"), ("dashed", "moving, before"), ("solid", "moving, registered")):
            found = re.findall(rf'<path class="{line}" d="M[^"]+z"[^>]*><title>label {label}, {whose}</title>', text)
            assert len(found) >= 2
    assert sum(chart.startswith("Outlines: ") for chart in page.charts) == 9


def test_windows_are_stated_under_the_pictures(page: Page) -> None:
    words = r"Fixed image: 1st to 99.5th percentile of what is shown, width \d+, level -?\d+\. Moving image: "
    assert len(re.findall(words, page.words)) == 4


def _json(folder: Path, name: str) -> dict[str, Any]:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def _changed(out: Path, folder: Path, **changes: Any) -> str:
    """The page of a copy of the run whose record has these keys."""
    shutil.copytree(out, folder)
    (folder / "registration.json").write_text(json.dumps(_json(out, "registration.json") | changes))
    return write_report(folder).read_text(encoding="utf-8")


def test_the_verdict_is_on_top_in_words(out: Path, tmp_path: Path) -> None:
    check = {"check": "folded", "value": 0.24, "threshold": 0.01, "unit": "share", "word": "bad"}
    reason = check | {"sentence": "24 % is folded.", "remedy": "A coarser grid."}
    verdict = {"word": "bad", "reasons": [reason], "checks": [check]}
    text = _changed(out, tmp_path / "Out", verdict=verdict)
    page = Page(text)
    assert re.search(r"Bad: do not use this result\s*✗\s*bad\s*24 % is folded.", page.words)
    assert "(measured 0.24 share, threshold 0.01 share)" in page.words
    assert "A coarser grid." in page.words
    assert text.index('<section id="verdict" class="verdict bad">') < text.index("<img")
    assert '<section id="verdict" class="verdict good">' in (out / "report.html").read_text(encoding="utf-8")


def test_stages_that_were_measured_are_a_table(out: Path, tmp_path: Path, page: Page) -> None:
    stages = _json(out, "registration.json")["stages"]
    guard = {"kept": False, "before": {}, "after": {}, "sentence": "It was worse."}
    stages[0] |= {"evaluation": _json(out, "evaluation.json"), "guard": guard}
    changed = Page(_changed(out, tmp_path / "Out", stages=stages))
    assert "Stage by stage" in changed.headings
    assert "✗ taken back" in changed.words
    assert "It was worse." in changed.words
    assert "Stage by stage" in page.headings  # every run measures its stages
    assert "taken back" not in page.words


def test_lengths_of_pictures_without_scale_are_pixels(out: Path, tmp_path: Path) -> None:
    inputs = _json(out, "registration.json")["inputs"]
    inputs["fixed"] |= {"path": "gone.jpg", "size": [100, 80], "spacing": [0.5, 0.5]}
    error = _json(out, "evaluation.json")["landmarks_mm"]["after"]["mean"]
    assert f"→ {error:.2f} mm on average" in Page(_changed(out, tmp_path / "mm", inputs=inputs)).words
    inputs["fixed"] |= {"spacing": [25.4 / 72, 25.4 / 72]}
    page = Page(_changed(out, tmp_path / "px", inputs=inputs))
    assert f"→ {error * 72 / 25.4:.2f} px on average" in page.words
    assert "HD95 before [px]" in page.words
    assert "no real scale (counted as 0.353)" in page.words


def test_defaults_are_told_from_what_the_map_sets(page: Page, out: Path) -> None:
    text = (out / "report.html").read_text(encoding="utf-8")
    assert re.search(r'<tr><th scope="row">Metric</th><td>Impact</td><td>line \d+</td></tr>', text)
    assert re.search(
        r'<tr class="faint"><th scope="row">RequiredRatioOfValidSamples</th><td>0.25</td><td>default</td></tr>', text
    )


def test_every_picture_says_what_it_shows(page: Page) -> None:
    assert len(page.images) >= 30
    assert all(len(image["alt"]) > 20 for image in page.images)
    assert len({image["alt"] for image in page.images}) >= 36
    assert page.charts
    assert all(page.charts)


def test_nothing_is_fetched_and_the_file_is_small(out: Path, page: Page) -> None:
    assert [link for link in page.links if not link.startswith(("data:", "#"))] == []
    text = (out / "report.html").read_text(encoding="utf-8")
    assert "@import" not in text
    assert (out / "report.html").stat().st_size < 2e6


def test_the_same_run_gives_the_same_page(out: Path, tmp_path: Path) -> None:
    first = write_report(out, tmp_path / "first.html").read_bytes()
    assert first == write_report(out, tmp_path / "second.html").read_bytes()


def test_a_report_without_the_images_says_so(out: Path, tmp_path: Path) -> None:
    shutil.copytree(out, tmp_path / "Out")
    record = json.loads((tmp_path / "Out" / "registration.json").read_text())
    record["inputs"]["moving"]["path"] = str(tmp_path / "gone.mha")
    (tmp_path / "Out" / "registration.json").write_text(json.dumps(record))
    page = Page(write_report(tmp_path / "Out").read_text(encoding="utf-8"))
    assert "The moving image can't be shown" in page.words
    assert page.images == []
    assert "Landmarks" in page.headings


def test_a_failed_run_has_a_report_that_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_small_case(tmp_path / "Data")
    (data / "MovingImage.mha").write_bytes(b"no image")
    run = ["run", "--data", str(data), "--out", str(tmp_path / "Out"), "--quiet", "--report"]
    assert main(run) == 2
    capsys.readouterr()
    assert main(["report", str(tmp_path / "Out"), "--out", str(tmp_path / "page.html")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'page.html'}\n"
    page = Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert "stopped by an error" in page.words
    assert "MovingImage.mha" in page.words


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no registration\.json here"):
        write_report(tmp_path)
    (tmp_path / "registration.json").write_text("{")
    with pytest.raises(InputError, match="no report can be made"):
        write_report(tmp_path)


def test_text_of_others_is_escaped(out: Path, tmp_path: Path) -> None:
    shutil.copytree(out, tmp_path / "Out")
    record = json.loads((tmp_path / "Out" / "registration.json").read_text())
    record["warnings"] = ["<script>alert(1)</script>"]
    (tmp_path / "Out" / "registration.json").write_text(json.dumps(record))
    text = write_report(tmp_path / "Out").read_text(encoding="utf-8")
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
