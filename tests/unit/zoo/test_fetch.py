"""Downloads from a server that speaks the hub's protocol: good, broken off, changed, absent, unreachable."""

import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import huggingface_hub.constants
import pytest

from elastix_impact.errors import ModelError, OutputError
from elastix_impact.zoo import fetch
from elastix_impact.zoo.catalog import REPOSITORY, find_entry
from elastix_impact.zoo.fetch import LOCK_NAME, fetch_models
from hub_server import COMMIT, Hub, serving

pytestmark = pytest.mark.usefixtures("no_waiting")

BYTES = random.Random(0).randbytes(200_000)
M730 = find_entry("TS/M730")


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library waits longer and longer between attempts."""
    monkeypatch.setattr("time.sleep", lambda _seconds: None)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with serving(Hub({"TS/M730.pt": BYTES, "TS/M291.pt": BYTES[::-1]}, REPOSITORY)) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


def test_a_file_comes_whole_with_its_hash_and_commit(hub: Hub, tmp_path: Path) -> None:
    said: list[str] = []
    (model,) = fetch_models([M730], tmp_path / "Models", report=said.append)
    path = tmp_path / "Models" / "TS" / "M730.pt"
    assert path.read_bytes() == BYTES
    assert (model.revision, model.sha256, model.fresh) == (COMMIT, hashlib.sha256(BYTES).hexdigest(), True)
    lock = json.loads((tmp_path / "Models" / LOCK_NAME).read_text(encoding="utf-8"))
    assert lock["TS/M730.pt"] == {
        "name": "TS/M730.pt", "revision": COMMIT, "sha256": model.sha256, "size": len(BYTES)
    }  # fmt: skip
    assert "fetched" in said[0]
    assert {entry.name for entry in (tmp_path / "Models").rglob("*")} == {"TS", "M730.pt", LOCK_NAME}


def test_what_is_there_is_not_fetched_again_and_what_was_spoilt_is(hub: Hub, tmp_path: Path) -> None:
    fetch_models([M730], tmp_path)
    hub.requests.clear()
    (again,) = fetch_models([M730], tmp_path)
    assert not again.fresh
    assert hub.requests == []
    (tmp_path / "TS" / "M730.pt").write_bytes(b"spoilt")
    (mended,) = fetch_models([M730], tmp_path)
    assert mended.fresh
    assert (tmp_path / "TS" / "M730.pt").read_bytes() == BYTES


def test_only_what_is_asked_for_comes(hub: Hub, tmp_path: Path) -> None:
    fetch_models([M730], tmp_path)
    assert not any("M291" in path for _, path, _ in hub.requests)


def test_a_broken_connection_is_taken_up_again(hub: Hub, tmp_path: Path) -> None:
    hub.cut_after, hub.cuts = 1000, 1
    fetch_models([M730], tmp_path)
    assert (tmp_path / "TS" / "M730.pt").read_bytes() == BYTES


def test_what_comes_incomplete_never_gets_the_good_name(hub: Hub, tmp_path: Path) -> None:
    hub.cut_after, hub.cuts = 50_000, 1000
    folder = tmp_path / "Models"
    with pytest.raises(ModelError, match="un the command again"):
        fetch_models([M730], folder)
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    hub.cuts = 0
    fetch_models([M730], folder)
    assert (folder / "TS" / "M730.pt").read_bytes() == BYTES


def test_other_bytes_than_before_are_refused_until_accepted(hub: Hub, tmp_path: Path) -> None:
    fetch_models([M730], tmp_path)
    lock = json.loads((tmp_path / LOCK_NAME).read_text(encoding="utf-8"))
    lock["TS/M730.pt"]["sha256"] = "0" * 64
    (tmp_path / LOCK_NAME).write_text(json.dumps(lock), encoding="utf-8")
    (tmp_path / "TS" / "M730.pt").unlink()
    with pytest.raises(ModelError, match=r"000000000000\.\.\. was fetched before.*--accept-changes"):
        fetch_models([M730], tmp_path)
    assert not (tmp_path / "TS" / "M730.pt").exists()
    (model,) = fetch_models([M730], tmp_path, accept_changes=True)
    assert model.fresh


def test_what_the_catalogue_knows_is_asked_for_and_other_bytes_are_removed(hub: Hub, tmp_path: Path) -> None:
    known = replace(M730, sha256=hashlib.sha256(BYTES).hexdigest())
    said: list[str] = []
    (model,) = fetch_models([known], tmp_path / "first", report=said.append)
    assert model.verified == "catalogue"
    assert "as the catalogue says" in said[0]
    (again,) = fetch_models([known], tmp_path / "first")
    assert (again.verified, again.fresh) == ("catalogue", False)
    other = replace(M730, sha256="0" * 64)
    with pytest.raises(ModelError, match=r"000000000000\.\.\. is what the catalogue knows; it was removed"):
        fetch_models([other], tmp_path / "second")
    assert [path for path in (tmp_path / "second").rglob("*") if path.is_file()] == []
    assert [path for path in (tmp_path / "cache").rglob("*.pt") if path.exists()] == []
    with pytest.raises(ModelError, match="what the catalogue knows"):
        fetch_models([other], tmp_path / "first")


def test_what_no_hash_is_known_of_is_said_to_be_unverified(hub: Hub, tmp_path: Path) -> None:
    said: list[str] = []
    (model,) = fetch_models([M730], tmp_path, report=said.append)
    assert model.verified == ""
    assert "NOT VERIFIED" in said[0]
    (again,) = fetch_models([M730], tmp_path)
    assert again.verified == "before"


def test_other_bytes_than_the_hub_itself_says_are_refused(hub: Hub, tmp_path: Path) -> None:
    """A cache that somebody changed: its files are named by the hash that the hub stated."""
    fetch_models([M730], tmp_path / "first")
    (stored,) = (path for path in (tmp_path / "cache").rglob("blobs/*") if path.stat().st_size == len(BYTES))
    stored.write_bytes(BYTES[::-1])
    with pytest.raises(ModelError, match="but the hub itself says"):
        fetch_models([M730], tmp_path / "second")
    assert not (tmp_path / "second" / "TS").exists()
    assert not stored.exists()


def test_the_commit_of_the_first_download_is_that_of_all_later_ones(hub: Hub, tmp_path: Path) -> None:
    fetch_models([M730], tmp_path)
    hub.requests.clear()
    fetch_models([find_entry("TS/M291")], tmp_path)
    assert hub.requests
    assert all(f"/resolve/{COMMIT}/" in path for _, path, _ in hub.requests)


def test_the_pinned_commit_is_asked_for_by_default(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elastix_impact.zoo.fetch.REVISION", COMMIT)
    fetch_models([M730], tmp_path)
    assert hub.requests
    assert all(f"/resolve/{COMMIT}/" in path for _, path, _ in hub.requests)


def test_a_file_that_the_hub_lacks(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match='no such file at revision "main"'):
        fetch_models([find_entry("TS/M731")], tmp_path)


def test_a_revision_that_the_hub_lacks(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match='no revision "gone"'):
        fetch_models([M730], tmp_path, revision="gone")


def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match=r"can't be reached.*copy the file into the folder by hand"):
        fetch_models([M730], tmp_path / "Models")


def test_a_folder_that_cannot_be_written(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "Models").write_text("a file", encoding="ascii")
    with pytest.raises(OutputError, match="folder that can be written"):
        fetch_models([M730], tmp_path / "Models")


def test_a_damaged_lock_is_named(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).write_text("{", encoding="ascii")
    with pytest.raises(ModelError, match=f"{LOCK_NAME}.*Delete it"):
        fetch_models([M730], tmp_path)


def test_the_command_downloads_and_makes_mind_itself(hub: Hub, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "elastix_impact", "models", "download", "M730_2_Layers", "MIND/R1D2_2D"]
    environment = os.environ | {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [*command, "--to", str(tmp_path / "Models")], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    names = ["MIND/R1D2_2D.pt", "TS/M730.pt"]
    assert done.stdout.splitlines() == [str(tmp_path / "Models" / name) for name in names]
    assert "made from code" in done.stderr
    missing = subprocess.run([*command[:-2], "TS/M7777"], env=environment, capture_output=True, text=True, check=False)
    assert missing.returncode == 2
    assert "Did you mean" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_downloads_side_by_side_lose_no_entry(tmp_path):
    names = [f"TS/M{number}.pt" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: fetch._remember(tmp_path, name, {"sha256": name}), names))
    lock = json.loads((tmp_path / fetch.LOCK_NAME).read_text())
    assert lock == {name: {"sha256": name} for name in names}
    assert [path.name for path in tmp_path.iterdir()] == [fetch.LOCK_NAME]
