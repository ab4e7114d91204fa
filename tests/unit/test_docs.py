"""What README and docs say is true: examples run, commands and targets exist, links lead somewhere."""

import doctest
import importlib
import re
import runpy
import shlex
from pathlib import Path

import huggingface_hub.constants
import pytest
import SimpleITK as sitk
import torch

from elastix_impact.cli.main import main
from elastix_impact.io.images import read_image
from elastix_impact.io.transform_file import TransformRecord, write_transform_file
from elastix_impact.runs.record import RunRecord
from elastix_impact.transforms.translation import TranslationTransform
from elastix_impact.zoo.catalog import REPOSITORY
from hub_server import Hub, serving
from small_case import write_small_case

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "benchmarks" / "README.md",
    ROOT / "docker" / "README.md",
]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EVALUATION = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
PYTHON = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
MODELS_FOLDER = (ROOT / "Data" / "Models" / "README.md").read_text(encoding="utf-8")
APPLYING = (ROOT / "docs" / "applying.md").read_text(encoding="utf-8")


def commands_of(page):
    """The command lines of a page, in tables and in blocks."""
    return sorted(set(re.findall(r"^(?:\| `)?(elastix-impact [a-z][^`\n]*)", page, re.M)))


COMMANDS = commands_of(README)


@pytest.mark.parametrize("module", ["grid"])
def test_examples_in_docstrings(module):
    result = doctest.testmod(importlib.import_module(f"elastix_impact.geometry.{module}"))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("page", ["applying", "coordinates", "training"])
def test_examples_in_chapters(page):
    result = doctest.testfile(
        str(ROOT / "docs" / f"{page}.md"), module_relative=False, encoding="utf-8", optionflags=doctest.ELLIPSIS
    )
    assert result.attempted > 5
    assert result.failed == 0


def test_make_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:`|^)make ([a-z]+)", README, re.M)):
        assert re.search(rf"^{target}:", makefile, re.M), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page):
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link


def test_commands_of_the_readme_are_the_commands_there_are(capsys):
    assert len(COMMANDS) >= 9
    assert main(["--help"]) == 0
    listed = set(re.findall(r"^    ([a-z][a-z-]*)(?: |$)", capsys.readouterr().out, re.M))
    assert {shlex.split(command)[1] for command in COMMANDS} == listed


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub on this machine with the model that the pages name."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with serving(Hub({"TS/M730.pt": b"a model"}, REPOSITORY)) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    "command", [c for c in [*COMMANDS, *commands_of(APPLYING), *commands_of(EVALUATION)] if "..." not in c]
)
def test_commands_of_the_pages_run_on_a_small_case(command, tmp_path, monkeypatch, capsys):
    """Each command as written, with files of the names that it uses."""
    data = write_small_case(tmp_path / "Data")
    places = {
        "fixed.mha": data / "FixedImage.mha", "moving.nii.gz": data / "MovingImage.mha", "F": data / "FixedImage.mha",
        "M": data / "MovingImage.mha", "MAP": data / "ParameterMap.txt", "ParameterMap.txt": data / "ParameterMap.txt",
        "P": data / "Fixed_landmarks.txt", "Q": data / "Moving_landmarks.txt", "T": tmp_path / "T.tfm",
        "FILE.pt": data / "Models" / "MIND" / "R1D2_3D.pt", "DIR": tmp_path / "DIR",
        "TransformParameters.1.txt": tmp_path / "TransformParameters.1.txt",
    }  # fmt: skip
    shift = TranslationTransform(torch.tensor([5.0, -4.0, 3.0], dtype=torch.float64))
    record = TransformRecord(transform=shift, fixed_grid=read_image(data / "FixedImage.mha").grid)
    write_transform_file(places["TransformParameters.1.txt"], record)
    sitk.WriteTransform(sitk.TranslationTransform(3, (5.0, -4.0, 3.0)), str(places["T"]))
    places["DIR"].mkdir()
    (places["DIR"] / "registration.json").write_text(RunRecord(places["DIR"], ()).to_text())
    text = (data / "ParameterMap.txt").read_text()
    (data / "ParameterMap.txt").write_text(text.replace("/Data/", f"{data}/"))
    monkeypatch.chdir(tmp_path)
    words = [str(places.get(word, word)) for word in shlex.split(command)[1:]]
    assert main(words) == 0, capsys.readouterr().err


def test_models_of_the_folders_page_are_made_and_pass(tmp_path, monkeypatch, capsys):
    """Its Python blocks run as written, and `models verify` finds both files fit."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", MODELS_FOLDER, re.S)
    for number, block in enumerate(blocks):
        script = tmp_path / f"block{number}.py"
        script.write_text(block, encoding="utf-8")
        runpy.run_path(str(script), run_name="__main__")
    files = sorted(path.name for path in tmp_path.glob("*.pt"))
    assert files == ["heart.pt", "scripted_heart.pt"]
    assert main(["models", "verify", *files]) == 0
    assert "not fit" not in capsys.readouterr().out


@pytest.mark.parametrize("command", commands_of((ROOT / "docs" / "models.md").read_text(encoding="utf-8")))
def test_commands_of_the_models_page_are_understood(command, tmp_path, monkeypatch, capsys):
    """Those whose weights can't be had here end by saying that the file is missing, not that the words are wrong."""
    monkeypatch.chdir(tmp_path)
    words = shlex.split(command)[1:]
    if words[:2] == ["models", "download"]:
        words.append("--help")
    assert main(words) in (0, 2)
    said = capsys.readouterr().err
    assert "usage" not in said
    assert not said or re.search(r"no such|No such|does not exist|missing|is absent", said), said


@pytest.mark.filterwarnings("ignore::elastix_impact.io.warning.InputWarning")
def test_the_notebook_of_the_python_page_runs(tmp_path, monkeypatch, capsys):
    """Its blocks in order, in one namespace."""
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for block in re.findall(r"```python\n(.*?)```", PYTHON, re.S):
        exec(compile(block, "docs/python.md", "exec"), namespace)
    said = capsys.readouterr().out
    assert "<Registration: 2 stages, verdict good, TRE 7.81 -> 0." in said
    assert "an array needs a Grid beside it" in said


@pytest.mark.parametrize("page", ["docs/troubleshooting.md", "docker/README.md"])
def test_messages_that_troubleshooting_quotes_exist(page):
    """What stands in the first column of its tables is what the program says, or what PyTorch or the shell does."""
    of_others = {"no kernel image", "cuda:0"}
    source = " ".join(" ".join(path.read_text(encoding="utf-8").split()) for path in (ROOT / "src").rglob("*.py"))
    tables = re.findall(r"^\| (?!you see|what you see|---)(.*?) \|", (ROOT / page).read_text(encoding="utf-8"), re.M)
    quoted = [quote for cell in tables for quote in re.findall(r"`([^`]+)`", cell)]
    pieces = [piece.strip() for quote in quoted for piece in quote.replace("asks for cuda:0", "asks for").split("...")]
    assert len(pieces) > 4
    for piece in pieces:
        assert piece in source or piece in of_others or piece.startswith("/"), piece
