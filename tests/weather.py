"""An object store in bad weather: a proxy before the emulator that answers 503, or refuses, for a while."""

from __future__ import annotations

import contextlib
import http.client
import re
import runpy
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


class Weather(ThreadingHTTPServer):
    """Hands requests on to the server at `behind`, or answers with what `answer` returns for them.

    Attributes:
      answer: (method, path) -> the status to answer with, null to hand the request on.
      forget: name of a parameter that is left out of every request; null for none.
      sent: bytes of all bodies that were answered with.
      seen: (method, path, status) of each request, in order.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = 0
        self.answer: Callable[[str, str], int | None] = _fair
        self.forget: str | None = None
        self.sent = 0
        self.seen: list[tuple[str, str, int]] = []

    def clear_up(self) -> None:
        """Hand all requests on again."""
        self.answer = _fair

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: a client that is killed, or comes before the emulator listens, is no news."""


def _fair(method: str, path: str) -> int | None:
    return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Weather

    def _handle(self) -> None:
        body = self._body()
        status = self.server.answer(self.command, self.path)
        if status is not None:
            self._reply(status, {}, b'{"error": {"message": "as the test wants it"}}')
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        headers["Host"] = self.headers["Host"]
        path = re.sub(f"&{self.server.forget}=[^&]*", "", self.path)
        connection.request(self.command, path, body, headers)
        answer = connection.getresponse()
        given = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP}
        self._reply(answer.status, given, answer.read())
        connection.close()

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.server.seen.append((self.command, self.path, status))
        self.server.sent += len(body)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Stay silent."""

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _handle


@contextlib.contextmanager
def weather() -> Iterator[Weather]:
    """Run a proxy; where it hands requests on to is told later, by `behind`."""
    with Weather() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


EMULATED = Path(__file__).with_name("emulated")
"""What a Python reads that starts with this directory on its path, and mends its client of the emulator."""


def numbered_parts(patch: pytest.MonkeyPatch, *, children: bool = False) -> None:
    """Give each part of a batch of requests the Content-ID that the emulator wants, though Google's service does not.

    Args:
      children: whether child processes do, too.
    """
    from google.cloud.storage import batch

    patch.setattr(batch.MIMEApplicationHTTP, "__init__", batch.MIMEApplicationHTTP.__init__)  # which is undone
    runpy.run_path(str(EMULATED / "sitecustomize.py"))
    if children:
        patch.setenv("PYTHONPATH", ":".join([str(EMULATED), *filter(None, sys.path)]))
