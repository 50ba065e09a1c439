"""A real Redis server of a test's own, on a free port of this machine; skips where none is installed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest


class RedisServer:
    """A `redis-server` that can be stopped and started again at the same address, each time empty."""

    def __init__(self, directory: Path, password: str | None = None) -> None:
        pytest.importorskip("redis", reason="the package redis is not installed")
        found = shutil.which("redis-server")
        if found is None:
            pytest.skip("redis-server is not installed (apt-get install redis-server)")
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            self.port = int(bound.getsockname()[1])
        self.url = f"redis://127.0.0.1:{self.port}/0"
        settings = f"--port {self.port} --bind 127.0.0.1 --appendonly no --dir {directory}".split()
        self._command = [found, *settings, "--save", "", *(["--requirepass", password] if password else [])]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it accepts connections."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert self._process.poll() is None and time.monotonic() < deadline, "redis-server does not start"
                time.sleep(0.02)

    def stop(self) -> None:
        """Kill it, as a machine would go."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
