"""Published models from Hugging Face into a folder, whole and unchanged or not at all.

`huggingface_hub` does the transfer: its cache, resumption, tokens (HF_TOKEN), mirrors (HF_ENDPOINT) and offline mode
(HF_HUB_OFFLINE) hold. What comes is never loaded here.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

from elastix_impact.errors import ElastixImpactError, ModelError, OutputError
from elastix_impact.io.atomic import write_text_whole, written_whole
from elastix_impact.io.locking import locked

from .catalog import REPOSITORY, REVISION, CatalogEntry

LOCK_NAME = "models.lock.json"
"""Beside the models: revision and SHA-256 of each file when it was first fetched."""

NEWEST = "main"
"""The revision of the first download into a folder where the catalogue pins none; the commit that came holds then."""

_HASH = re.compile(r"[0-9a-f]{64}")

_SECONDS_TO_WAIT = 60.0
"""For another process that writes the lock: it takes milliseconds."""

Report = Callable[[str], None]

_REMEMBERED = ("name", "revision", "sha256", "size")
"""Of a `FetchedModel`, in the lock."""


@final
@dataclass(frozen=True)
class FetchedModel:
    """One file that is in its place now. `fresh` is False if it was there already.

    `verified` says what its hash was compared with: ``"catalogue"``, ``"before"`` (what the lock remembers), or "".
    """

    name: str
    path: str
    revision: str
    sha256: str
    size: int
    fresh: bool
    verified: str


def fetch_models(
    entries: Sequence[CatalogEntry],
    folder: Path,
    *,
    revision: str | None = None,
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
        Branch, tag or commit of the repository; None = the commit that the catalogue pins, else the one that the
        folder's files came from, else `NEWEST`. The commit that came is written into `LOCK_NAME`.
    accept_changes
        Whether a file may differ from what the catalogue says or the lock remembers.
    report
        Gets a sentence per file.

    Raises
    ------
    ModelError
        If a file or the hub can't be reached, or what comes is not what the catalogue says or the lock remembers: it
        is removed from the cache too.
    OutputError
        If the folder can't be written.
    """
    fetched: list[FetchedModel] = []
    with _write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = _read_lock(folder)
        for entry in entries:
            wanted = revision or REVISION or _revision_of(entry, lock) or NEWEST
            model = _present(entry, folder, lock) or _fetch(entry, folder, lock, wanted, accept_changes)
            report(_sentence(model))
            fetched.append(model)
            facts = {key: value for key, value in asdict(model).items() if key in _REMEMBERED}
            lock = _remember(folder, entry.name, facts)
    return fetched


def _present(entry: CatalogEntry, folder: Path, lock: dict[str, Any]) -> FetchedModel | None:
    """The file if it is there and as the lock says."""
    path, known = folder / entry.name, lock.get(entry.name)
    if known is None or not path.is_file():
        return None
    sha256 = _sha256(path)
    if sha256 != known["sha256"] or (entry.sha256 and sha256 != entry.sha256):
        return None
    verified = "catalogue" if entry.sha256 else "before"
    return FetchedModel(entry.name, str(path), known["revision"], sha256, path.stat().st_size, False, verified)


def _fetch(
    entry: CatalogEntry, folder: Path, lock: dict[str, Any], revision: str, accept_changes: bool
) -> FetchedModel:
    cached = _from_hub(entry, revision)
    sha256 = _sha256(cached)
    verified = _verify(entry, cached, sha256, lock.get(entry.name), accept_changes)
    path = folder / entry.name
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as temporary:
        shutil.copyfile(cached, temporary)
    commit = cached.parts[cached.parts.index("snapshots") + 1] if "snapshots" in cached.parts else revision
    return FetchedModel(entry.name, str(path), commit, sha256, path.stat().st_size, True, verified)


def _verify(entry: CatalogEntry, cached: Path, sha256: str, known: dict[str, Any] | None, accept_changes: bool) -> str:
    """What the hash was compared with, see `FetchedModel`; raises if it differs, and the file is gone then."""
    stored = cached.resolve()
    if _HASH.fullmatch(stored.name) and stored.name != sha256:
        _remove(cached)
        raise ModelError(
            f"what came has sha256 {sha256[:12]}..., but the hub itself says {stored.name[:12]}...",
            where=entry.name,
            expected="the bytes that the hub says it sends",
            remedy="Run the command again; if it stays so, don't trust that server",
        )
    expected, source, told = entry.sha256, "catalogue", "is what the catalogue knows"
    if not expected and known is not None:
        expected, source = known["sha256"], "before"
        told = f"was fetched before (revision {known['revision'][:12]})"
    if expected == sha256:
        return source
    if not expected or accept_changes:
        return ""
    _remove(cached)
    raise ModelError(
        f"what {REPOSITORY} gives now has sha256 {sha256[:12]}..., but {expected[:12]}... {told}; it was removed",
        where=entry.name,
        expected="the same bytes",
        remedy="Find out why it changed; --accept-changes takes it, --revision asks for another one",
    )


def _remove(cached: Path) -> None:
    """Take a file out of the hub's cache, where it is a link to where the bytes are."""
    cached.resolve().unlink(missing_ok=True)
    cached.unlink(missing_ok=True)


def _revision_of(entry: CatalogEntry, lock: dict[str, Any]) -> str:
    """The commit that this file, else any other of the folder, came from; "" if there is none."""
    remembered = (lock.get(entry.name), *lock.values())
    return next((str(one["revision"]) for one in remembered if one), "")


def _sentence(model: FetchedModel) -> str:
    means = {
        "catalogue": "as the catalogue says",
        "before": "as fetched before",
        "": "NOT VERIFIED: no other source says what its hash should be; this one is remembered",
    }
    came = "fetched" if model.fresh else "there already"
    return f"{model.path}: {came}, sha256 {model.sha256[:12]}..., {means[model.verified]}"


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
