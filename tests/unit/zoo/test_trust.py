"""Trusted folders: what is refused before a byte of a model is loaded, whoever asks."""

import os
from pathlib import Path

import pytest

from elastix_impact.errors import ModelError
from elastix_impact.zoo import model_file
from elastix_impact.zoo.built_in import built_in_mind
from elastix_impact.zoo.export.mind import export_mind
from elastix_impact.zoo.load import load_model
from elastix_impact.zoo.trust import TRUSTED_MODELS, trusted_folders, trusting

OUTSIDE = "outside the trusted folders"


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    folder = tmp_path / "trusted"
    folder.mkdir()
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    return export_mind(tmp_path / "elsewhere" / "mind.pt", 1, 1, 2)


def test_without_a_word_any_folder_will_do(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TRUSTED_MODELS, raising=False)
    assert trusted_folders() is None
    load_model(elsewhere)


def test_what_was_loaded_before_is_judged_again(elsewhere: Path, trusted: Path) -> None:
    load_model(elsewhere)
    with trusting((trusted,)), pytest.raises(ModelError, match=OUTSIDE):
        load_model(elsewhere)
    with trusting((trusted, elsewhere.parent)):
        load_model(elsewhere)


@pytest.mark.parametrize("value", ["", os.pathsep])
def test_an_empty_variable_means_none(elsewhere: Path, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TRUSTED_MODELS, value)
    with pytest.raises(ModelError, match="there are none"):
        load_model(elsewhere)
    monkeypatch.setenv(TRUSTED_MODELS, f"{value}{os.pathsep}{elsewhere.parent}")
    load_model(elsewhere)


def test_the_built_in_model_is_trusted_always(trusted: Path) -> None:
    with trusting((trusted,)):
        load_model(built_in_mind("R1D1_2D.pt"))


def test_a_link_is_followed(elsewhere: Path, trusted: Path) -> None:
    link = trusted / "link.pt"
    link.symlink_to(elsewhere)
    with trusting((trusted,)), pytest.raises(ModelError, match=OUTSIDE):
        load_model(link)
    outer = elsewhere.with_name("outer.pt")
    outer.symlink_to(export_mind(trusted / "own.pt", 1, 1, 2))
    with trusting((trusted,)):
        load_model(outer)


def test_a_hard_link_into_an_untrusted_place_is_refused(elsewhere: Path, trusted: Path) -> None:
    link = trusted / "hard.pt"
    link.hardlink_to(elsewhere)
    with trusting((trusted,)), pytest.raises(ModelError, match=r"2 names \(hard links\), 1 of them"):
        load_model(link)
    elsewhere.rename(trusted / "second.pt")
    with trusting((trusted,)):
        load_model(link)


def test_a_file_put_in_place_of_the_one_that_is_open_is_not_loaded(
    trusted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is changed for another one after it was opened and judged: what is loaded is what was judged."""
    path = export_mind(trusted / "mind.pt", 1, 1, 2)
    other = export_mind(tmp_path / "other.pt", 1, 1, 3)
    expected = path.read_bytes()
    judge = model_file.check_trusted

    def judge_and_swap(judged: Path, state: os.stat_result) -> None:
        judge(judged, state)
        os.replace(other, path)

    monkeypatch.setattr(model_file, "check_trusted", judge_and_swap)
    with trusting((trusted,)):
        model = load_model(path)
    assert path.read_bytes() != expected
    assert model.file.size == len(expected)


def test_a_file_that_went_before_it_was_judged_is_refused(
    trusted: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An untrusted file is opened, and a trusted one put in its place before its place is looked at."""
    path = export_mind(trusted / "mind.pt", 1, 1, 2)
    link = trusted / "link.pt"
    link.symlink_to(elsewhere)
    judge = model_file.check_trusted

    def swap_and_judge(judged: Path, state: os.stat_result) -> None:
        link.unlink()
        os.link(path, link)
        judge(judged, state)

    monkeypatch.setattr(model_file, "check_trusted", swap_and_judge)
    with trusting((trusted,)), pytest.raises(ModelError, match=OUTSIDE):
        load_model(link)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pt")
    with pytest.raises(ModelError, match="a pipe or a device"):
        load_model(tmp_path / "pipe.pt")
