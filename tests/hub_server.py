"""A small server that speaks as much of the Hugging Face hub's protocol as a download needs."""

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """What the server holds, what it was asked, and how it misbehaves.

    `cut_after` bytes of a body a connection breaks, as often as `cuts` says.
    """

    files: dict[str, bytes]
    repository: str
    cut_after: int | None = None
    cuts: int = 0
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        wanted = self.headers.get("Range")
        self.hub.requests.append((self.command, self.path, wanted))
        match = re.fullmatch(rf"/{self.hub.repository}/resolve/([^/]+)/(.+?)(\?.*)?", self.path)
        if match is None:
            self._refuse("RepoNotFound")
        elif match[1] not in ("main", COMMIT):
            self._refuse("RevisionNotFound")
        elif match[2] not in self.hub.files:
            self._refuse("EntryNotFound")
        else:
            self._send(self.hub.files[match[2]], wanted, with_body=with_body)

    def _refuse(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, data: bytes, wanted: str | None, *, with_body: bool) -> None:
        start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data) - start))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if not with_body:
            return
        body = data[start:]
        if self.hub.cut_after is not None and self.hub.cuts > 0 and len(body) > self.hub.cut_after:
            self.hub.cuts -= 1
            self.wfile.write(body[: self.hub.cut_after])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(body)


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve while the block runs; `hub.url` says where."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
