"""A rate that the worker pools of two jobs share through Redis."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.llm import serving
from tests.redis_server import RedisServer
from tests.runners.flink_cluster import worker_pool
from tests.runners.jobs import LIMIT_S, TOOK, command
from tests.runners.prepare import ROOT
from tests.support import prose_corpus

pytestmark = pytest.mark.timeout(LIMIT_S)

MODEL = "hosted_vllm/test"
PER_MINUTE = 600
WARM_UP_S = 5.0
MINUTE_S = 60.0
POOLS = 2


def arrivals(log: Path) -> list[float]:
    """Return when each request came, in seconds since 1970, but for those that try the model."""
    events = map(json.loads, log.read_text(encoding="utf-8").splitlines())
    return sorted(event["at"] for event in events if event["event"] == "received")[POOLS:]


@contextlib.contextmanager
def job(pool: str, place: Path, *flags: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a job whose workers are those of a pool, until the block ends."""
    workers = ["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=EXTERNAL"]
    arguments = command(*flags, "--output", str(place), *workers, f"--environment_config={pool}")
    client = subprocess.Popen(arguments, cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield client
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(client.pid, signal.SIGKILL)
        client.wait()


def test_two_worker_pools_use_a_rate_and_no_more(tmp_path: Path) -> None:
    log, config = tmp_path / "calls.jsonl", tmp_path / "run.json"
    config.write_text(json.dumps({"limits": {MODEL: {"requests_per_minute": PER_MINUTE}}}), encoding="utf-8")
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(RedisServer(tmp_path))
        server = stack.enter_context(serving("--latency", "lognormal:0.3:0.5", "--log", str(log)))
        flags = ["--config", str(config), "--model", MODEL, "--api-base", f"{server.url}/v1", "--limiter", redis.url]
        clients = []
        for number in range(POOLS):
            pool = stack.enter_context(worker_pool({}, tmp_path / f"pool-{number}.log"))
            corpus = prose_corpus(tmp_path, 200, first=200 * number)
            clients.append(stack.enter_context(job(pool, tmp_path / str(number), "--input", corpus, *flags)))
        deadline = time.monotonic() + LIMIT_S
        while len(came := arrivals(log)) < 2 or came[-1] < came[0] + WARM_UP_S + MINUTE_S:
            assert time.monotonic() < deadline, "no minute of requests came"
            assert all(client.poll() is None for client in clients), "a run has ended too early"
            time.sleep(0.5)
    for number in range(POOLS):
        answers = sum(path.stat().st_size for path in (tmp_path / str(number) / "cache").rglob("*") if path.is_file())
        assert answers > 10_000, "only one of the pools has asked"
    begin = came[0] + WARM_UP_S
    steady = sum(begin <= at < begin + MINUTE_S for at in came)
    most = max(sum(at <= other < at + MINUTE_S for other in came) for at in came)
    TOOK.append(f"two pools, one Redis: {steady} of {PER_MINUTE} requests in a minute, {most} in any minute at most")
    assert most <= PER_MINUTE
    assert steady >= 0.95 * PER_MINUTE
