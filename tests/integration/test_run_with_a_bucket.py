"""Whole runs whose answers, or whose whole output, live in a bucket."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import main
from tests.caches import emulator, needs_emulator
from tests.integration.test_kills import ROOT, server_process
from tests.integration.test_run_with_a_model import nothing_lost
from tests.model_server import ModelServer
from tests.support import manifest_of, prose_corpus, webscale_rl
from transforms.llm.cache import open_cache

pytestmark = needs_emulator


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(tmp_path_factory.mktemp("emulator")) as name:
        yield name


def answered(log: Path) -> Counter[str]:
    lines = map(json.loads, log.read_text(encoding="utf-8").splitlines())
    return Counter(line["sha256"] for line in lines if line["event"] == "answered")


def kept(place: str) -> int:
    cache = open_cache(place)
    answers = len({name for name, _ in cache.entries()})
    cache.close()
    return answers


def test_a_killed_run_goes_on_from_the_bucket(tmp_path: Path, bucket: str) -> None:
    corpus, output, log = prose_corpus(tmp_path, 60), tmp_path / "run", tmp_path / "calls.jsonl"
    place = f"gs://{bucket}/killed"
    with server_process(log, "--latency", "0.05") as base_url:
        flags = ["--input", corpus, "--output", str(output), "--model", "openai/test", "--api-base", base_url]
        command = [sys.executable, "-m", "pipelines.build_qa", *flags, "--cache", place, "--concurrency", "8"]
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 60
            while not log.exists() or sum(answered(log).values()) < 100:
                assert time.monotonic() < deadline and process.poll() is None
                time.sleep(0.02)
            process.kill()
        before, durable = answered(log), kept(place)
        assert durable > 0
        assert subprocess.run(command, cwd=ROOT, check=False, capture_output=True).returncode == 0
        after = answered(log)
    assert sum(after[body] > 1 for body in before) <= len(before) - durable, "only what was not in the bucket yet"
    assert (output / "_SUCCESS").exists()
    assert not (output / "cache").exists()
    nothing_lost(output)
    assert sum(row["cache_hits"] for row in manifest_of(output)["usage"]) >= durable
    assert kept(place) == len(after) - 1, "all but the small call that tries the model"


def test_a_run_whose_output_is_in_a_bucket_keeps_its_answers_there(
    tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google.cloud import storage
    from google.cloud.storage import batch

    made = batch.MIMEApplicationHTTP.__init__

    def numbered(self: Any, *arguments: Any) -> None:
        made(self, *arguments)
        self["Content-ID"] = "<1>"  # which the emulator wants of each part of a batch

    monkeypatch.setattr(batch.MIMEApplicationHTTP, "__init__", numbered)
    corpus, output = prose_corpus(tmp_path, 12), f"gs://{bucket}/run"
    with ModelServer() as server:
        flags = ["--input", corpus, "--output", output, "--model", "openai/test", "--api-base", server.base_url]
        assert webscale_rl("run", *flags) == 0
        asked = server.stats()["requests"]
        assert webscale_rl("run", *flags, "--overwrite") == 0
        assert server.stats()["requests"] == asked + 1, "the small call that tries the model"
    manifest = json.loads(storage.Client().bucket(bucket).blob("run/manifest.json").download_as_bytes())
    assert sum(row["calls"] for row in manifest["usage"]) == 0
    assert kept(f"{output}/cache") == asked - 1


def test_a_bucket_that_does_not_exist_ends_the_run_before_it_asks(
    tmp_path: Path, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus, output = prose_corpus(tmp_path, 3), tmp_path / "run"
    with ModelServer() as server:
        flags = ["--model", "openai/test", "--api-base", server.base_url, "--cache", "gs://no-such-bucket/cache"]
        assert webscale_rl("run", "--input", corpus, "--output", str(output), *flags) == 2
        assert server.stats()["requests"] == 0
    said = capsys.readouterr().err
    assert "gs://no-such-bucket/cache" in said and "make the bucket" in said
    assert said.count("\n") == 1


def test_a_bucket_that_breaks_during_a_run_is_one_line(
    tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from google.api_core.exceptions import Forbidden
    from google.cloud.storage import Blob

    upload = Blob.upload_from_string

    def refuse(self: Blob, data: bytes, **options: Any) -> None:
        if self.name.endswith(".jsonl"):
            raise Forbidden("this account may not")
        upload(self, data, **options)

    monkeypatch.setattr(Blob, "upload_from_string", refuse)
    corpus = prose_corpus(tmp_path, 3)
    place = f"gs://{bucket}/broken"
    assert main(["run", "--input", corpus, "--output", str(tmp_path / "run"), "--cache", place]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"webscale-rl: cannot write the cache of model answers '{place}' (Forbidden: ")
    assert said.endswith("or name another bucket; the same command goes on from the cache")
