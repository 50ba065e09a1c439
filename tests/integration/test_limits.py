"""Two runs at once against a provider that counts in a sliding window, told of its limit and sharing it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.model_server import Behaviour, ModelServer
from tests.redis_server import RedisServer
from tests.support import manifest_of, prose_corpus, stages_of, webscale_rl

ROOT = Path(__file__).parents[2]
DOCUMENTS = 12
LIMIT = 1000
WINDOW = (60, 3.0)
"""What the limit may fill in three seconds: 0.98 of it, and what the tolerance lets go early."""


def start(number: int, directory: Path, server: ModelServer, *flags: str) -> subprocess.Popen[str]:
    corpus, output = prose_corpus(directory, DOCUMENTS, first=DOCUMENTS * number), directory / f"run-{number}"
    config = directory / "limits.yaml"
    config.write_text(json.dumps({"limits": {"hosted_vllm/test": {"requests_per_minute": LIMIT}}}))
    model = ["--model", "hosted_vllm/test", "--api-base", server.base_url]
    command = [sys.executable, "-m", "pipelines.build_qa", "--input", corpus, "--output", str(output), *model]
    command += ["--config", str(config), *flags]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def two_runs(directory: Path, *flags: str, least: float) -> None:
    """Run twice at once; no call is refused, nothing is lost, and the limit is used, at least by a share."""
    log = directory / "log.jsonl"
    with ModelServer(Behaviour(sliding_window=WINDOW, latency=0.05), log=log) as server:
        runs = [start(number, directory, server, *flags) for number in (0, 1)]
        for run in runs:
            _, said = run.communicate(timeout=120)
            assert run.returncode == 0, said
        stats = server.stats()
    assert set(stats["by_status"]) == {"200"}
    for number in (0, 1):
        stages = stages_of(directory / f"run-{number}")
        assert stages["screen"]["in"] == stages["classify"]["kept"] == DOCUMENTS
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    came = [line["at"] for line in lines if line["event"] == "received"]
    middle = came[len(came) // 4 : 3 * len(came) // 4]
    assert least * LIMIT <= (len(middle) - 1) / (middle[-1] - middle[0]) * 60 <= 1.05 * LIMIT


def test_two_runs_share_a_limit_through_redis(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as redis:
        two_runs(tmp_path, "--limiter", redis.url, least=0.85)


def test_two_runs_that_know_of_each_other_divide_a_limit(tmp_path: Path) -> None:
    two_runs(tmp_path, "--num-workers-hint", "2", least=0.45)  # they may not be at work at the same time


def test_the_manifest_has_the_limiter_without_its_password(tmp_path: Path) -> None:
    config = tmp_path / "limits.yaml"
    with RedisServer(tmp_path, "hunter2") as redis, ModelServer() as server:
        config.write_text(
            "limits: {hosted_vllm/test: {tokens_per_minute: 10000000, concurrency: 3}}\n"
            f"limiter: {redis.url.replace('redis://', 'redis://:hunter2@')}\n"
        )
        flags = ["--input", prose_corpus(tmp_path, 3), "--output", str(tmp_path / "run"), "--config", str(config)]
        assert webscale_rl("run", *flags, "--model", "hosted_vllm/test", "--api-base", server.base_url) == 0
        assert server.stats()["max_in_flight"] <= 3
    assert manifest_of(tmp_path / "run")["config"]["limiter"] == f"redis://[redacted]@127.0.0.1:{redis.port}/0"
    written = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert not [path for path in written if b"hunter2" in path.read_bytes()]


def test_a_limiter_that_is_away_ends_the_run_before_it_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    redis = RedisServer(tmp_path)  # never started
    config = tmp_path / "limits.yaml"
    config.write_text("limits: {hosted_vllm/test: {tokens_per_minute: 100000}}\n")
    limiter = redis.url.replace("redis://", "redis://:hunter2@")
    flags = ["--input", prose_corpus(tmp_path, 1), "--output", str(tmp_path / "run"), "--config", str(config)]
    with ModelServer() as server:
        model = ["--model", "hosted_vllm/test", "--api-base", server.base_url]
        assert webscale_rl("run", *flags, *model, "--limiter", limiter) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"webscale-rl: --limiter redis://[redacted]@127.0.0.1:{redis.port}/0: ")
    assert "start Redis there" in line and "hunter2" not in line
    assert not (tmp_path / "run" / "manifest.json").exists()
