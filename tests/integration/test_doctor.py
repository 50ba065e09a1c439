"""`webscale-rl doctor`: every check names what is wrong and the remedy, and all of them end in seconds."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import pipelines.doctor
from pipelines.doctor import FAILED, WELL, Finding, Unsure, checks_of, examine, parse_doctor
from pipelines.options import UsageError
from tests.caches import leaves_sockets, needs_emulator
from tests.model_server import ModelServer
from tests.redis_server import RedisServer
from tests.support import prose_corpus, webscale_rl
from tests.weather import Weather
from transforms.files import copy, list_files
from transforms.probe import probe
from transforms.storage import StorageError
from transforms.versions import versions_here


@pytest.fixture(autouse=True)
def fair(sky: Weather) -> Iterator[None]:
    yield
    sky.clear_up()


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[str, str]]:
    """Return (mark, what was said) by check, and see that each is one line."""
    lines = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    assert len({name for _, name, _ in lines}) == len(lines)
    return {name: (mark, text) for mark, name, text in lines}


def test_an_environment_that_is_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus, output = prose_corpus(tmp_path, 3), tmp_path / "deep" / "run"
    began = time.monotonic()
    assert webscale_rl("doctor", "--input", corpus, "--output", output, "--state", tmp_path / "state") == WELL
    assert time.monotonic() - began < 7
    found = said(capsys)
    assert {name: mark for name, (mark, _) in found.items()} == dict.fromkeys(
        ("runner", "input", "output", "cache", "state"), "ok"
    )
    assert f"its workers have {versions_here()}" in found["runner"][1]
    assert "has 3 rows" in found["input"][1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["prose-0-3.parquet"], "nothing is left"


@needs_emulator
@leaves_sockets
def test_an_environment_with_everything(
    tmp_path: Path, bucket: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipelines.doctor, "LIMIT_S", 60.0)  # two processes start as fast as a busy machine lets them
    copy(prose_corpus(tmp_path, 3), f"{bucket}/corpus/deep/a.parquet")
    (tmp_path / "config.yaml").write_text("limits: {openai/test: {requests_per_minute: 600}}\n", encoding="utf-8")
    workers = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]
    with ModelServer() as server, RedisServer(tmp_path) as redis:
        flags = ["--input", f"{bucket}/corpus/**/*.parquet", "--output", f"{bucket}/run", "--state", f"{bucket}/state"]
        flags += ["--cache", f"{bucket}/cache", "--model", "openai/test", "--api-base", server.base_url]
        flags += ["--limiter", redis.url, "--config", str(tmp_path / "config.yaml"), *workers]
        assert webscale_rl("doctor", *flags) == WELL
    found = said(capsys)
    assert list(found) == ["runner", "input", "output", "cache", "state", "models", "limiter"]
    assert {mark for mark, _ in found.values()} == {"ok"}
    assert list_files(f"{bucket}/**") == [f"{bucket}/corpus/deep/a.parquet"]


def test_everything_that_fails_is_named_with_its_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        (tmp_path / "config.yaml").write_text(
            "limits: {openai/test: {requests_per_minute: 600}}\n"
            f"prompts: {tmp_path}/none\nfilters: {{quality: {{model: {tmp_path}/none.bin, threshold: 0.5}}}}\n",
            encoding="utf-8",
        )
        (tmp_path / "file").write_text("", encoding="utf-8")
        monkeypatch.setattr(pipelines.doctor, "versions_here", lambda: replace(versions_here(), webscale_rl="9.9.9"))
        flags = ["--input", tmp_path / "*.parquet", "--output", tmp_path / "file/run", "--model", "openai/test"]
        flags += ["--api-base", f"http://127.0.0.1:{port}/v1", "--limiter", f"redis://127.0.0.1:{port}/0"]
        assert webscale_rl("doctor", *flags, "--config", tmp_path / "config.yaml") == FAILED
    found = said(capsys)
    assert {mark for mark, _ in found.values()} == {"FAIL"}
    for name, remedy in {
        "runner": "and this command webscale-rl 9.9.9; build the workers' image from this version",
        "input": "matches no file; check the path",
        "output": "make it writable, or name another",
        "cache": "make it writable, or name another",
        "prompts": "put at least one of these there",
        "filters": "name a fastText classifier",
        "models": "start the server there, or correct api_base",
        "limiter": "start Redis there, or correct its address",
    }.items():
        assert remedy in found[name][1], name


@needs_emulator
@leaves_sockets
@pytest.mark.parametrize(
    ("status", "remedy"), [(403, "let this account list, get, create and delete"), (404, "make the bucket, or name")]
)
def test_a_bucket_that_refuses(
    tmp_path: Path, bucket: str, sky: Weather, capsys: pytest.CaptureFixture[str], status: int, remedy: str
) -> None:
    corpus = prose_corpus(tmp_path, 3)
    sky.answer = lambda method, path: status
    began = time.monotonic()
    assert webscale_rl("doctor", "--input", corpus, "--output", f"{bucket}/run") == FAILED
    assert time.monotonic() - began < 10
    found = said(capsys)
    assert {name for name, (mark, _) in found.items() if mark == "FAIL"} == {"runner", "output", "cache"}
    assert all(remedy in text for _, (mark, text) in found.items() if mark == "FAIL")


@needs_emulator
@leaves_sockets
def test_a_store_that_ignores_preconditions(bucket: str, sky: Weather) -> None:
    sky.forget = "ifGenerationMatch"
    with pytest.raises(StorageError, match=r"it ignores if_generation_match\); name a bucket"):
        probe(f"{bucket}/here")
    sky.forget = None
    assert list_files(f"{bucket}/here/**") == []
    probe(f"{bucket}/here")


@needs_emulator
@leaves_sockets
def test_an_answer_that_is_lost_is_no_second_write(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = uuid.uuid4()
    monkeypatch.setattr("transforms.probe.uuid.uuid4", lambda: written)
    copy(__file__, f"{bucket}/lost/probe-{written.hex}")
    probe(f"{bucket}/lost")
    assert list_files(f"{bucket}/lost/**") == []


@needs_emulator
@leaves_sockets
def test_a_store_that_is_not_well_is_left_as_it_was(bucket: str, sky: Weather) -> None:
    sky.answer = lambda method, path: 403 if method == "GET" and "alt=media" in path else None
    with pytest.raises(StorageError, match=r"^cannot read .*/left/probe-.*let this account list"):
        probe(f"{bucket}/left")
    sky.clear_up()
    assert list_files(f"{bucket}/left/**") == []


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    place = tmp_path
    if os.geteuid() == 0:  # who may write anywhere, but for the names of processes
        place = Path("/proc")
    else:
        tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match=rf"cannot write {place}/a \((Permission denied|No such file.*): {place}\)"):
        probe(f"{place}/a")


def test_a_directory_that_workers_do_not_share(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def elsewhere(directory: str) -> Iterator[str]:
        yield f"{directory}/not-here"

    monkeypatch.setattr(pipelines.doctor, "marked", elsewhere)
    assert webscale_rl("doctor", "--input", prose_corpus(tmp_path, 3), "--output", tmp_path / "run") == FAILED
    found = said(capsys)
    assert found["runner"][0] == "FAIL" and "name a directory that all workers share, or gs://" in found["runner"][1]
    assert found["output"][0] == "ok"


def test_runners_are_asked_as_by_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--input", prose_corpus(tmp_path, 3), "--output", tmp_path / "run", "--runner", "PortableRunner"]
    assert webscale_rl("doctor", *flags, "--job_endpoint=embed", "--environment_type=LOOPBACK") == WELL
    assert said(capsys)["runner"][1].startswith("PortableRunner ended a job in ")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        began = time.monotonic()
        assert webscale_rl("doctor", *flags, f"--job_endpoint={place}", "--environment_type=LOOPBACK") == FAILED
        assert time.monotonic() - began < 5
    mark, text = said(capsys)["runner"]
    assert mark == "FAIL" and f"nothing answers at {place}" in text and "start it, or correct the address" in text


def test_a_job_that_does_not_end_in_time_is_no_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Slow()
    monkeypatch.setattr("apache_beam.Pipeline.run", lambda self: job)
    monkeypatch.setattr(pipelines.doctor, "JOB_LIMIT_S", 0.3)
    began = time.monotonic()
    assert webscale_rl("doctor", "--input", prose_corpus(tmp_path, 3), "--output", tmp_path / "run") == WELL
    assert time.monotonic() - began < 5
    mark, text = said(capsys)["runner"]
    assert mark == "?" and text.endswith("so nothing is known of its workers; see there whether they are only starting")
    assert job.looked > 1 and job.cancelled == 1
    assert [path.name for path in tmp_path.iterdir()] == ["prose-0-3.parquet"], "nothing is left"


class Slow:
    """A job that goes on, and whose cancelling may fail."""

    def __init__(self, refused: Exception | None = None) -> None:
        self.looked = self.cancelled = 0
        self.refused = refused

    @property
    def state(self) -> str:
        self.looked += 1
        return "RUNNING"

    def cancel(self) -> None:
        self.cancelled += 1
        if self.refused is not None:
            raise self.refused


def test_a_job_that_cannot_be_cancelled_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apache_beam.Pipeline.run", lambda self: Slow(ConnectionError("gone")))
    monkeypatch.setattr(pipelines.doctor, "JOB_LIMIT_S", 0.0)
    assert webscale_rl("doctor", "--input", prose_corpus(tmp_path, 3), "--output", tmp_path / "run") == WELL
    mark, text = said(capsys)["runner"]
    assert mark == "?" and re.search(r"only starting, and cancel webscale-rl-doctor-[0-9a-f]{8}$", text)


def test_who_is_interrupted_cancels_the_job_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    job = Slow()
    monkeypatch.setattr("apache_beam.Pipeline.run", lambda self: job)
    monkeypatch.setattr(pipelines.doctor.time, "sleep", interrupted)
    flags = ["--input", prose_corpus(tmp_path, 3), "--output", str(tmp_path / "run")]
    with pytest.raises(KeyboardInterrupt):
        checks_of(*parse_doctor(flags))["runner"]()
    assert job.cancelled == 1
    assert [path.name for path in tmp_path.iterdir()] == ["prose-0-3.parquet"]


def test_wrong_usage_is_told_as_that_of_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert webscale_rl("doctor", "--output", tmp_path) == 2
    assert capsys.readouterr().err.startswith("webscale-rl: --input is missing;")
    with pytest.raises(UsageError, match="unknown flag --runer"):
        parse_doctor(["--input", "a", "--output", "b", "--runer", "x"])
    assert webscale_rl("doctor", "--input", "a", "--output", "b", "--runner", "NoRunner") == FAILED
    assert "--runner NoRunner: " in said(capsys)["runner"][1]


def test_a_runner_is_started_in_the_main_thread_while_the_others_are_asked() -> None:
    begun = threading.Event()

    def runner() -> str:
        assert begun.wait(5), "the others wait for the runner"
        signal.signal(signal.SIGUSR1, signal.getsignal(signal.SIGUSR1))  # as Beam does when it starts one
        return "here"

    findings = examine({"runner": runner, "input": lambda: begun.set() or "there"}, limit_s=5)
    assert findings == [Finding("runner", "ok", "here"), Finding("input", "ok", "there")]


def test_what_does_not_answer_is_not_waited_for() -> None:
    def doubtful() -> str:
        raise Unsure("it is only starting")

    def broken() -> str:
        raise ZeroDivisionError("two\nlines of http://user:word@host")

    began = time.monotonic()
    findings = examine(
        {"slow": lambda: time.sleep(30) or "", "quick": lambda: "here", "new": doubtful, "bad": broken}, limit_s=0.3
    )
    assert time.monotonic() - began < 5
    assert [(finding.check, finding.mark) for finding in findings] == [
        ("slow", "failed"),
        ("quick", "ok"),
        ("new", "unsure"),
        ("bad", "failed"),
    ]
    assert findings[0].said.startswith("no answer within 0.3 s; ")
    assert findings[3] == Finding("bad", "failed", "ZeroDivisionError: two lines of http://[redacted]@host")


def test_what_a_run_does_not_use_is_not_asked(tmp_path: Path) -> None:
    flags = ["--input", "a", "--output", "b", "--model", "openai/test"]
    assert list(checks_of(*parse_doctor([*flags, "--until", "dedup"]))) == ["runner", "input", "output"]
    assert "models" not in checks_of(*parse_doctor([*flags, "--llm-mode", "batch"]))
