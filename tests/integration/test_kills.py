"""Runs that are killed at ten random moments, online and in batches: what is asked twice was in flight at a kill."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.support import manifest_of, prose_corpus, rows_of, stages_of

ROOT = Path(__file__).parents[2]
KILLS = 10
CONCURRENCY = 4
MARGIN_S = 1.0  # between the server's last word on a request and its answer on the client's disk, on a busy machine


@contextlib.contextmanager
def server_process(log: Path, *options: str) -> Iterator[str]:
    """Run the model server as a process that outlives its clients; yields its base URL."""
    command = [sys.executable, "-m", "tests.model_server", "--log", str(log), *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        finally:
            process.send_signal(signal.SIGTERM)


def kill_again_and_again(command: Sequence[str], output: Path, longest: float, seed: int) -> list[float]:
    """Start a command ten times and kill it at a random moment of its work; return when, in seconds since 1970."""
    moments, rng = [], random.Random(seed)
    for _ in range(KILLS):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            owner, deadline = output / "scratch" / "owner.json", time.monotonic() + 60
            while not owner.exists() or json.loads(owner.read_text())["pid"] != process.pid:
                assert time.monotonic() < deadline, "the run has not begun within a minute"
                assert process.poll() is None, "the run ended before it could be killed: make it longer"
                time.sleep(0.01)
            time.sleep(rng.uniform(0, longest))
            assert process.poll() is None, "the run ended before it could be killed: make it longer"
            process.kill()
        moments.append(time.time())
    return moments


def finish(command: Sequence[str], output: Path) -> None:
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (output / "_SUCCESS").exists()
    for stage in stages_of(output).values():
        assert stage["in"] == stage["kept"] + stage["rejected"] + stage["errors"] + stage["pending"]


def visits(log: Path) -> dict[str, list[tuple[float, float]]]:
    """Return when each body came and when the server was done with it, visit by visit."""
    came: dict[int, dict[str, Any]] = {}
    found = defaultdict(list)
    for line in map(json.loads, log.read_text(encoding="utf-8").splitlines()):
        if line["event"] == "received":
            came[line["id"]] = line
        elif line["event"] in ("answered", "dropped"):
            found[line["sha256"]].append((came[line["id"]]["at"], line["at"]))
    return dict(found)


def test_online_only_what_was_in_flight_is_asked_again(tmp_path: Path) -> None:
    corpus, output, log = prose_corpus(tmp_path, 120), tmp_path / "run", tmp_path / "calls.jsonl"
    with server_process(log, "--latency", "0.1") as url:
        flags = ["--input", corpus, "--output", str(output), "--model", "openai/test", "--api-base", url]
        command = [sys.executable, "-m", "pipelines.build_qa", *flags, "--concurrency", str(CONCURRENCY)]
        kills = kill_again_and_again(command, output, longest=5.0, seed=1)
        finish(command, output)
    seen = visits(log)
    small = json.loads(log.read_text(encoding="utf-8").split("\n")[0])["sha256"]  # the call that tries the model
    assert len(seen.pop(small)) == KILLS + 1
    requests = sum(row["requests"] for row in manifest_of(output)["usage"])
    assert len(seen) == requests, "all that was ever asked is what the finished run has asked"
    again = [visit for body in seen.values() for visit in body[:-1]]
    assert len(again) <= KILLS * CONCURRENCY
    for came, left in again:
        assert any(came <= kill <= left + MARGIN_S for kill in kills), "asked again, but not in flight at a kill"
    replayed = sum(row["cache_hits"] for row in manifest_of(output)["usage"])
    assert replayed > 0, "no kill fell into the work"


def test_in_batches_nothing_is_sent_again(tmp_path: Path) -> None:
    corpus, output, log = prose_corpus(tmp_path, 12), tmp_path / "run", tmp_path / "calls.jsonl"
    with server_process(log, "--batch-seconds", "2", "--batch-hold", "0.7") as url:
        flags = ["--input", corpus, "--output", str(output), "--model", "openai/test", "--api-base", url]
        command = [sys.executable, "-m", "pipelines.build_qa", *flags, "--llm-mode", "batch", "--wait"]
        kill_again_and_again(command, output, longest=5.0, seed=2)
        finish(command, output)
    seen = visits(log)
    requests = sum(row["requests"] for row in manifest_of(output)["usage"])
    assert len(seen) == requests, "all that was ever sent is what the finished run has asked"
    assert all(len(visit) == 1 for visit in seen.values())
    batches = manifest_of(output)["batches"]
    assert batches["requests"] == batches["answered"] == requests
    assert len(rows_of(output, "qa")) == stages_of(output)["questions"]["kept"] > 0
