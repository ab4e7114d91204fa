"""The page in a real browser: nothing is fetched, nothing is complained about, everything fits its width."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from elastix_impact.cli.main import main
from small_case import write_small_case, write_small_labels

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

ITS_OWN = ("google.com", "googleapis.com", "gvt1.com")
"""Hosts that Chromium asks for its own sake."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


def _browse(page: Path, profile: Path, *options: str) -> subprocess.CompletedProcess[str]:
    log = profile.with_suffix(".netlog.json")
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
        "--disable-component-update", "--no-first-run", "--enable-logging=stderr", f"--user-data-dir={profile}",
        f"--log-net-log={log}", *options, page.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, check=True)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    write_small_labels(write_small_case(folder / "Data"))
    assert main(["run", "--data", str(folder / "Data"), "--out", str(folder / "Out"), "--quiet", "--report"]) == 0
    return folder / "Out" / "report.html"


def test_the_browser_has_nothing_to_complain_about(page: Path, tmp_path: Path) -> None:
    seen = _browse(page, tmp_path / "profile", "--dump-dom")
    assert "<h1>FixedImage.mha and MovingImage.mha</h1>" in seen.stdout
    assert _complaints(seen.stderr) == []


def test_the_viewer_shows_all_volumes(page: Path, tmp_path: Path) -> None:
    assert main(["report", str(page.parent), "--viewer"]) == 0
    viewer = page.with_name("viewer.html")
    options = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--virtual-time-budget=20000", "--dump-dom")
    seen = _browse(viewer, tmp_path / "profile", *options)
    assert 'data-volumes="3"' in seen.stdout
    assert 'data-layers="4"' in seen.stdout  # structures of both images, before and after, and landmarks
    assert re.search(r'<canvas id="moving"[^>]*style="[^"]*mask: linear-gradient', seen.stdout)  # the wipe
    assert _complaints(seen.stderr) == []
    assert _hosts(tmp_path / "profile.netlog.json") == []


def test_no_request_leaves_the_page(page: Path, tmp_path: Path) -> None:
    _browse(page, tmp_path / "profile", "--dump-dom")
    assert _hosts(tmp_path / "profile.netlog.json") == []


def _complaints(log: str) -> list[str]:
    """What the browser's console says; that drawing by software is slow is no fault of the page."""
    return [line for line in log.splitlines() if "CONSOLE" in line and "GL Driver Message" not in line]


def _hosts(netlog: Path) -> list[str]:
    """Hosts that were asked for the page's sake."""
    events = json.loads(netlog.read_text(encoding="utf-8", errors="replace"))["events"]
    asked = {urlsplit(event["params"]["url"]).hostname for event in events if "url" in event.get("params", {})}
    return [host for host in asked if host and not host.endswith(ITS_OWN)]
