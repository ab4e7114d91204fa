"""Published models from Hugging Face into a folder, whole and unchanged or not at all.

`huggingface_hub` does the transfer: its cache, resumption, tokens (HF_TOKEN), mirrors (HF_ENDPOINT) and offline mode
(HF_HUB_OFFLINE) hold. What comes is never loaded here.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

from elastix_impact.errors import ElastixImpactError, ModelError, OutputError
from elastix_impact.io.atomic import write_text_whole, written_whole
from elastix_impact.io.locking import locked

from .catalog import REPOSITORY, CatalogEntry

LOCK_NAME = "models.lock.json"
"""Beside the models: revision and SHA-256 of each file when it was first fetched."""

DEFAULT_REVISION = "main"

_SECONDS_TO_WAIT = 60.0
"""For another process that writes the lock: it takes milliseconds."""

Report = Callable[[str], None]


@final
@dataclass(frozen=True)
class FetchedModel:
    """One file that is in its place now. `fresh` is False if it was there already."""

    name: str
    path: str
    revision: str
    sha256: str
    size: int
    fresh: bool


def fetch_models(
    entries: Sequence[CatalogEntry],
    folder: Path,
    *,
    revision: str = DEFAULT_REVISION,
    accept_changes: bool = False,
    report: Report = lambda _: None,
) -> list[FetchedModel]:
    """Put published models below `folder` under their names.

    Parameters
    ----------
    entries
        What is wanted; nothing else is fetched.
    folder
        Usually ``Models``; made if absent.
    revision
        Branch, tag or commit of the repository. The commit that came is written into `LOCK_NAME`.
    accept_changes
        Whether a file may differ from what the lock remembers.
    report
        Gets a sentence per file.

    Raises
    ------
    ModelError
        If a file or the hub can't be reached, or what comes is not what the lock remembers.
    OutputError
        If the folder can't be written.
    """
    fetched: list[FetchedModel] = []
    with _write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = _read_lock(folder)
        for entry in entries:
            model = _present(entry, folder, lock) or _fetch(entry, folder, lock, revision, accept_changes)
            report(f"{model.path}: {'fetched' if model.fresh else 'there already'}, sha256 {model.sha256[:12]}...")
            fetched.append(model)
            facts = {key: value for key, value in asdict(model).items() if key not in ("path", "fresh")}
            lock = _remember(folder, entry.name, facts)
    return fetched


def _present(entry: CatalogEntry, folder: Path, lock: dict[str, Any]) -> FetchedModel | None:
    """The file if it is there and as the lock says."""
    path, known = folder / entry.name, lock.get(entry.name)
    if known is None or not path.is_file():
        return None
    sha256 = _sha256(path)
    if sha256 != known["sha256"]:
        return None
    return FetchedModel(entry.name, str(path), known["revision"], sha256, path.stat().st_size, fresh=False)


def _fetch(
    entry: CatalogEntry, folder: Path, lock: dict[str, Any], revision: str, accept_changes: bool
) -> FetchedModel:
    cached = _from_hub(entry, revision)
    sha256, known = _sha256(cached), lock.get(entry.name)
    if known is not None and known["sha256"] != sha256 and not accept_changes:
        raise ModelError(
            f"what {REPOSITORY} gives now has sha256 {sha256[:12]}..., but {known['sha256'][:12]}... was fetched "
            f"before (revision {known['revision'][:12]})",
            where=entry.name,
            expected="the same bytes as before",
            remedy="Find out why it changed; --accept-changes takes it, --revision asks for the old one",
        )
    path = folder / entry.name
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as temporary:
        shutil.copyfile(cached, temporary)
    commit = cached.parts[cached.parts.index("snapshots") + 1] if "snapshots" in cached.parts else revision
    return FetchedModel(entry.name, str(path), commit, sha256, path.stat().st_size, fresh=True)


def _from_hub(entry: CatalogEntry, revision: str) -> Path:
    """The file in the hub's cache."""
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(REPOSITORY, entry.name, revision=revision, endpoint=os.environ.get("HF_ENDPOINT")))
    except ElastixImpactError:
        raise
    except Exception as error:
        raise _explained(error, entry, revision) from error


def _explained(error: Exception, entry: CatalogEntry, revision: str) -> ElastixImpactError:
    """The hub's errors in words of ours; their classes differ from version to version, their names don't."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    where = f"{REPOSITORY}/{entry.name}"
    if kinds & {"RevisionNotFoundError"}:
        return ModelError(f'there is no revision "{revision}"', where=where, remedy="Leave --revision out")
    if kinds & {"GatedRepoError", "RepositoryNotFoundError"}:
        return ModelError(
            "the hub gives no access to the repository", where=where, remedy="Set HF_TOKEN, or check HF_ENDPOINT"
        )
    if kinds & {"RemoteEntryNotFoundError"} or ("EntryNotFoundError" in kinds and "FileNotFoundError" not in kinds):
        return ModelError(
            f'the repository has no such file at revision "{revision}"', where=where, remedy="Try --revision main"
        )
    if kinds & {"LocalEntryNotFoundError", "OfflineModeIsEnabled", "ConnectionError", "ConnectError", "TimeoutError"}:
        return ModelError(
            "the hub can't be reached, and the file is not in the local cache",
            where=where,
            remedy="Check the network, HF_ENDPOINT and HF_HUB_OFFLINE, or copy the file into the folder by hand; run "
            "the command again and it goes on where it stopped",
        )
    if isinstance(error, OSError) and error.errno is not None:
        return OutputError(f"{error.strerror or error}", where=str(error.filename or where), remedy=_SPACE)
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    remedy = "Run the command again; it goes on where it stopped"
    return ModelError(f"the download failed: {text}", where=where, remedy=remedy)


_SPACE = "Give a folder that can be written and has room; HF_HOME says where the cache is"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_lock(folder: Path) -> dict[str, Any]:
    path = folder / LOCK_NAME
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ModelError("can't be read", where=str(path), remedy="Delete it; the files are fetched again") from error


def _remember(folder: Path, name: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Add an entry to what the lock holds by now, and give back all of it; one process at a time does so."""
    with locked(folder / f".{LOCK_NAME}.lock", "another download is at work in this folder", wait=_SECONDS_TO_WAIT):
        lock = _read_lock(folder) | {name: facts}
        write_text_whole(folder / LOCK_NAME, json.dumps(dict(sorted(lock.items())), indent=1) + "\n")
    return lock


@contextmanager
def _write_errors(folder: Path) -> Generator[None]:
    """Turn what the file system refuses into an OutputError."""
    try:
        yield
    except OSError as error:
        what = error.strerror or str(error)
        raise OutputError(what, where=str(error.filename or folder), remedy=_SPACE) from error
