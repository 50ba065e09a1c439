"""What dies on a cluster while models are asked: the same rows come out, and what was answered is not asked again."""

from __future__ import annotations

import json
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.llm import serving
from tests.runners.conftest import Cluster
from tests.runners.jobs import LIMIT_S, TOOK, assert_same, command, run
from tests.runners.prepare import ROOT
from tests.support import prose_corpus

pytestmark = pytest.mark.timeout(LIMIT_S + 60)

DOCUMENTS = 100
CONCURRENCY = 8
LATENCY_S = 0.15
ENOUGH = 150
"""Calls after which something dies: screening is over for some documents, and not for others."""


def flags(corpus: str, url: str) -> list[str]:
    model = ["--model", "openai/test", "--api-base", f"{url}/v1"]
    return ["--input", corpus, *model, "--concurrency", str(CONCURRENCY)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    return prose_corpus(tmp_path_factory.mktemp("prose"), DOCUMENTS)


@pytest.fixture(scope="module")
def undisturbed(corpus: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with serving() as server:
        yield run("FnApiRunner, model server", flags(corpus, server.url), tmp_path_factory.mktemp("local") / "run")


def answered(log: Path) -> dict[str, int]:
    """Return how often each request was answered, by the hash of its body."""
    times: dict[str, int] = defaultdict(int)
    for line in log.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if event["event"] == "answered":
            times[event["sha256"]] += 1
    return times


def disturbed(name: str, cluster: Cluster, corpus: str, tmp_path: Path, disturb: Callable[[], None]) -> Path:
    """Make a run in whose model stages something is disturbed; return its output. Checks what was asked twice."""
    output, log = tmp_path / "run", tmp_path / "calls.jsonl"
    with serving("--latency", str(LATENCY_S), "--log", str(log)) as server:
        arguments = [*flags(corpus, server.url), "--output", str(output), *cluster.flags]
        began = time.monotonic()
        with (tmp_path / "client.log").open("wb") as said:
            client = subprocess.Popen(command(*arguments), cwd=ROOT, stdout=said, stderr=said)
        try:
            while len(answered(log)) < ENOUGH:
                assert client.poll() is None and time.monotonic() < began + LIMIT_S, _said(tmp_path)
                time.sleep(0.1)
            disturb()
            assert client.wait(LIMIT_S) == 0, _said(tmp_path)
        finally:
            client.kill()
            client.wait()
    TOOK.append(f"{name}: {time.monotonic() - began:.0f} s")
    times = answered(log)
    small = json.loads(log.read_text(encoding="utf-8").partition("\n")[0])["sha256"]  # the call that tries the model
    assert times.pop(small) == 1
    again = sum(n - 1 for n in times.values())
    assert again <= CONCURRENCY, f"{again} answered calls were made again; {CONCURRENCY} can be in flight"
    TOOK.append(f"  {len(times)} calls, {again} of them again")
    return output


def _said(tmp_path: Path) -> str:
    return (tmp_path / "client.log").read_text(encoding="utf-8", errors="replace")[-4000:]


def test_a_worker_that_dies_in_a_model_stage(cluster: Cluster, corpus: str, undisturbed: Path, tmp_path: Path) -> None:
    output = disturbed("Flink cluster, os._exit of a worker", cluster, corpus, tmp_path, cluster.dies.touch)
    assert not cluster.dies.exists(), "no worker has died"
    assert_same(undisturbed, output, usage=False)


def test_a_task_manager_that_is_killed(cluster: Cluster, corpus: str, undisturbed: Path, tmp_path: Path) -> None:
    def kill() -> None:
        cluster.flink.kill_worker()
        cluster.flink.start_worker()

    output = disturbed("Flink cluster, kill -9 of the task manager", cluster, corpus, tmp_path, kill)
    assert_same(undisturbed, output, usage=False)
