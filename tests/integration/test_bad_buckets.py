"""Buckets that cannot be used: one line with the remedy, exit code 2, in seconds, and nothing is touched."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.caches import leaves_sockets, needs_emulator
from tests.integration.test_kills import ROOT
from tests.support import prose_corpus, webscale_rl
from tests.weather import Weather, numbered_parts
from transforms import storage
from transforms.files import write_text

pytestmark = [needs_emulator, leaves_sockets]

Refused = Callable[..., str]


@pytest.fixture
def refused(
    tmp_path: Path, sky: Weather, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Refused]:
    """Return what a run says that begins with some flags and is refused in seconds."""
    numbered_parts(monkeypatch)
    corpus = prose_corpus(tmp_path, 3)

    def run(*flags: str) -> str:
        given = [] if "--input" in flags else ["--input", corpus]
        given += [] if "--output" in flags else ["--output", str(tmp_path / "run")]
        began = time.monotonic()
        assert webscale_rl("run", *given, *flags) == 2
        assert time.monotonic() - began < 5
        said = capsys.readouterr().err
        assert said.startswith("webscale-rl: ") and said.count("\n") == 1
        assert not (tmp_path / "run").exists() or not list((tmp_path / "run").iterdir())
        return said

    yield run
    sky.clear_up()


MAKE = "); make the bucket, or name another\n"
PLACES = [
    ("--input", "gs://no-such-bucket/*.parquet", MAKE),
    ("--input", "gs://no-such-bucket/a.parquet", MAKE),
    ("--output", "gs://no-such-bucket/run", MAKE),
    ("--cache", "gs://no-such-bucket/cache", MAKE),
    ("--state", "gs://no-such-bucket/state", MAKE),
    (
        "--config",
        "gs://no-such-bucket/config.yaml",
        "gs://no-such-bucket/config.yaml is not there, or its bucket is not; name a readable YAML file\n",
    ),
]


@pytest.mark.parametrize(("flag", "place", "remedy"), PLACES)
def test_a_bucket_that_does_not_exist(refused: Refused, bucket: str, flag: str, place: str, remedy: str) -> None:
    said = refused(flag, place, *(["--model", "openai/test"] if flag == "--cache" else []))
    assert f"{flag}" in said and place in said and said.endswith(remedy)


@pytest.mark.parametrize(("flag", "place"), [place[:2] for place in PLACES])
def test_a_bucket_without_permission(refused: Refused, sky: Weather, bucket: str, flag: str, place: str) -> None:
    sky.answer = lambda method, path: 403
    said = refused(flag, place)
    assert flag in said and "Forbidden" in said and "let this account list" in said


def test_a_state_behind_a_closed_door_is_not_called_damaged(refused: Refused, sky: Weather, bucket: str) -> None:
    write_text(f"{bucket}/state/20270101T000000Z-00000000/run.json", "{}")
    sky.answer = lambda method, path: 403 if "run.json" in path else None
    said = refused("--state", f"{bucket}/state")
    assert "Forbidden" in said and "let this account list" in said and "whose documents may then come again" not in said


def test_prompts_and_models_of_filters(refused: Refused, sky: Weather, bucket: str, tmp_path: Path) -> None:
    for status, remedy in ((403, "let this account list"), (404, "")):
        sky.answer = lambda method, path, status=status: status
        for key in ("prompts: {}", "filters: {{quality: {{model: {}, threshold: 0.5}}}}"):
            (tmp_path / "config.yaml").write_text(key.format(f"{bucket}/it"), encoding="utf-8")
            said = refused("--config", str(tmp_path / "config.yaml"))
            assert f"{bucket}/it" in said and remedy in said


def test_expired_credentials(refused: Refused, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from google.auth.exceptions import RefreshError
    from google.oauth2.credentials import Credentials

    def expired(*_: object, **__: object) -> None:
        raise RefreshError("invalid_grant: Token has been expired or revoked.", {"error": "invalid_grant"})

    monkeypatch.setattr(Credentials, "before_request", expired)
    for flag in ("--input", "--output", "--state"):  # the cache's client asks an emulator as nobody
        said = refused(flag, f"{bucket}/there/*" if flag == "--input" else f"{bucket}/there")
        assert flag in said and "expired or revoked" in said and "gcloud auth application-default login" in said


def test_no_credentials(refused: Refused, bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    monkeypatch.setenv("HOME", str(tmp_path))  # where gcloud keeps them
    monkeypatch.delenv("NO_GCE_CHECK")
    storage._prepare.cache_clear()
    said = refused("--output", f"{bucket}/run")
    assert "--output: cannot write" in said or "--output: cannot read" in said
    assert "set GOOGLE_APPLICATION_CREDENTIALS" in said


@pytest.mark.parametrize("module", ["google.cloud.storage", "google_auth_httplib2"])
def test_without_the_extra(tmp_path: Path, bucket: str, module: str) -> None:
    corpus = prose_corpus(tmp_path, 3)
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules[{module!r}] = None\n", encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    command = [sys.executable, "-m", "pipelines.build_qa", "--input", corpus, "--output", f"{bucket}/run"]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    said = [line for line in done.stderr.splitlines() if not line.startswith("WARNING:root:apitools")]
    assert len(said) == 1 and said[0].startswith("webscale-rl: --output: cannot ")
    assert "install this package with the extra gcp (pip install '.[gcp]'), here and where workers run" in said[0]


def test_a_bucket_that_breaks_while_a_run_writes_is_one_line(
    tmp_path: Path,
    sky: Weather,
    bucket: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    numbered_parts(monkeypatch)
    sky.answer = lambda method, path: 403 if "name=broken%2Fqa" in path else None
    corpus = prose_corpus(tmp_path, 20)
    flags = ["--input", corpus, "--output", f"{bucket}/broken", "--cache", str(tmp_path / "cache")]
    assert webscale_rl("run", *flags) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    sky.clear_up()
    assert said.startswith(f"webscale-rl: cannot write {bucket}/broken/qa/part-00000-of-00001.parquet (Forbidden: ")
    assert said.endswith(
        "let this account list, get, create and delete objects there, or name another bucket;"
        " the same command goes on from the cache"
    )
