"""A standalone Flink cluster of the tests' own, without containers: real JVMs on loopback that can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.runners.prepare import ROOT, flink_home

_CONFIGURATION: Final = Path(__file__).with_name("flink")
_START_S: Final = 90.0
_HEAP_OF: Final = {"jobmanager": ("-Xmx768m",), "taskmanager": ("-Xmx896m", "-XX:MaxDirectMemorySize=1408m")}
_MAIN: Final = {
    "jobmanager": "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
    "taskmanager": "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
}
_OPENED: Final = (
    "java.lang java.lang.reflect java.io java.net java.nio java.text java.time java.util java.util.concurrent"
    " java.util.concurrent.atomic java.util.concurrent.locks sun.nio.ch"
).split()


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


class FlinkCluster:
    """A job manager and a task manager with two slots; a context that ends with all of its processes.

    Args:
      directory: for configuration, logs and what they keep on disk.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.address = f"127.0.0.1:{free_port()}"
        self.master: subprocess.Popen[bytes] | None = None
        self.worker: subprocess.Popen[bytes] | None = None
        self._starts = 0

    def __enter__(self) -> FlinkCluster:
        (self.directory / "tmp").mkdir(parents=True)
        shutil.copytree(_CONFIGURATION, self.directory / "conf")
        with (self.directory / "conf" / "config.yaml").open("a", encoding="utf-8") as file:
            file.write(f"rest.port: {self.address.partition(':')[2]}\njobmanager.rpc.port: {free_port()}\n")
            file.write(f"blob.server.port: 0\nio.tmp.dirs: {self.directory / 'tmp'}\n")
        try:
            self.master = self._start("jobmanager")
            self.start_worker()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self.worker, self.master):
            if process is not None:
                process.kill()
                process.wait()

    def start_worker(self) -> None:
        """Start a task manager and wait until the cluster has its slots."""
        self.worker = self._start("taskmanager")
        deadline = time.monotonic() + _START_S
        while not self._slots():
            assert time.monotonic() < deadline, f"the cluster is not up, see {self.directory}/*.log"
            time.sleep(0.2)

    def kill_worker(self) -> None:
        """End the task manager as a machine ends that is switched off."""
        assert self.worker is not None
        self.worker.kill()
        self.worker.wait()

    def _slots(self) -> int:
        for process in (self.master, self.worker):
            assert process is not None and process.poll() is None, f"a JVM has ended, see {self.directory}/*.log"
        with contextlib.suppress(OSError):
            return int(self.get("overview")["slots-available"])
        return 0

    def _start(self, role: str) -> subprocess.Popen[bytes]:
        self._starts += 1
        libraries = flink_home() / "lib"
        classes = ":".join(str(path) for name in ("flink-dist", "log4j") for path in libraries.glob(f"{name}-*.jar"))
        opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED]
        logging = f"-Dlog4j.configurationFile=file:{self.directory}/conf/log4j.properties"
        options = [*_HEAP_OF[role], "-XX:MaxMetaspaceSize=640m", *opened, logging, "-cp", classes]
        with (self.directory / f"{self._starts}-{role}.log").open("wb") as log:
            return subprocess.Popen(
                ["java", *options, _MAIN[role], "--configDir", str(self.directory / "conf")],
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def get(self, path: str, method: str = "GET") -> Any:
        """Return what the cluster's REST interface answers."""
        request = urllib.request.Request(f"http://{self.address}/v1/{path}", method=method)
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.load(reply)

    def jobs(self) -> list[dict[str, Any]]:
        """Return the jobs that the cluster has seen, the oldest first."""
        found: list[dict[str, Any]] = self.get("jobs/overview")["jobs"]
        return sorted(found, key=lambda job: job["start-time"])

    def free(self) -> None:
        """Cancel what is still at work: a job whose client has given up holds its slots."""
        for job in self.jobs():
            if job["state"] not in ("FINISHED", "FAILED", "CANCELED"):
                self.get(f"jobs/{job['jid']}?mode=cancel", "PATCH")


@contextlib.contextmanager
def worker_pool(environment: dict[str, str], log: Path) -> Iterator[str]:
    """Run a pool that starts a Python worker for whoever asks; yields its address. It ends with its workers.

    The pool starts a bare `python`, which must be this one.
    """
    port = free_port()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={port}"]
    with (
        log.open("wb") as file,
        subprocess.Popen(
            command,
            env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), **environment},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield f"127.0.0.1:{port}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
