"""A rate that the worker processes of one job share through Redis."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from bench.llm import serving
from tests.redis_server import RedisServer
from tests.runners.jobs import LIMIT_S, TOOK, command
from tests.runners.prepare import ROOT
from tests.support import prose_corpus

pytestmark = pytest.mark.timeout(LIMIT_S)

MODEL = "hosted_vllm/test"
PER_MINUTE = 600
WARM_UP_S = 5.0
MINUTE_S = 60.0


def arrivals(log: Path) -> list[float]:
    """Return when each request came, in seconds since 1970, but for the one that tries the model."""
    events = map(json.loads, log.read_text(encoding="utf-8").splitlines())
    return [event["at"] for event in events if event["event"] == "received"][1:]


def test_two_workers_use_a_rate_and_no_more(tmp_path: Path) -> None:
    log, config, output = tmp_path / "calls.jsonl", tmp_path / "run.json", tmp_path / "run"
    config.write_text(json.dumps({"limits": {MODEL: {"requests_per_minute": PER_MINUTE}}}), encoding="utf-8")
    flags = ["--input", prose_corpus(tmp_path, 300), "--output", str(output), "--config", str(config), "--model", MODEL]
    workers = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]
    with RedisServer(tmp_path) as redis, serving("--latency", "lognormal:0.3:0.5", "--log", str(log)) as server:
        shared = ["--api-base", f"{server.url}/v1", "--limiter", redis.url]
        client = subprocess.Popen(
            command(*flags, *shared, *workers), cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            deadline = time.monotonic() + LIMIT_S
            while len(came := arrivals(log)) < 2 or came[-1] < came[0] + WARM_UP_S + MINUTE_S:
                assert client.poll() is None and time.monotonic() < deadline, "the run has ended too early"
                time.sleep(0.5)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(client.pid, signal.SIGKILL)
            client.wait()
    answering = [path for path in (output / "cache").rglob("*") if path.is_file() and path.stat().st_size > 1000]
    assert len(answering) >= 2, "only one of the workers has asked"
    begin = came[0] + WARM_UP_S
    steady = sum(begin <= at < begin + MINUTE_S for at in came)
    most = max(sum(at <= other < at + MINUTE_S for other in came) for at in came)
    TOOK.append(f"two workers, one Redis: {steady} of {PER_MINUTE} requests in a minute, {most} in any minute at most")
    assert most <= PER_MINUTE
    assert steady >= 0.95 * PER_MINUTE
