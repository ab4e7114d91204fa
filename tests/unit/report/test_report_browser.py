"""The page in a real browser: nothing is fetched, nothing is complained about, everything fits its width."""

import json
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from elastix_impact.cli.main import main
from small_case import write_small_case

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
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    write_small_case(folder / "Data")
    assert main(["run", "--data", str(folder / "Data"), "--out", str(folder / "Out"), "--quiet", "--report"]) == 0
    return folder / "Out" / "report.html"


def test_the_browser_has_nothing_to_complain_about(page: Path, tmp_path: Path) -> None:
    seen = _browse(page, tmp_path / "profile", "--dump-dom")
    assert "<h1>FixedImage.mha and MovingImage.mha</h1>" in seen.stdout
    assert [line for line in seen.stderr.splitlines() if "CONSOLE" in line or "Refused to" in line] == []


def test_no_request_leaves_the_page(page: Path, tmp_path: Path) -> None:
    _browse(page, tmp_path / "profile", "--dump-dom")
    events = json.loads((tmp_path / "profile.netlog.json").read_text(encoding="utf-8", errors="replace"))["events"]
    asked = {urlsplit(event["params"]["url"]).hostname for event in events if "url" in event.get("params", {})}
    assert [host for host in asked if host and not host.endswith(ITS_OWN)] == []
