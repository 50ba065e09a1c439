"""Whole runs whose answers, or whose whole output, live in a bucket."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import main
from prompts import load_prompts
from schemas.config_filters import LanguageSettings
from tests.caches import emulator, leaves_sockets, needs_emulator
from tests.integration.test_kills import ROOT, server_process
from tests.integration.test_run_with_a_model import nothing_lost
from tests.model_server import ModelServer
from tests.support import manifest_of, prose, prose_corpus, rows_of, webscale_rl, write_corpus
from tests.weather import numbered_parts, weather
from transforms.files import copy, list_files, write_text
from transforms.language import model_path
from transforms.llm.cache import open_cache
from transforms.quality import train, training_line

pytestmark = [needs_emulator, leaves_sockets]


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

    numbered_parts(monkeypatch)
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


def test_a_run_loses_nothing_in_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbered_parts(monkeypatch)
    corpus = prose_corpus(tmp_path, 20)
    # What begins each: a file of survivors, a pack of answers (not the probe of the cache before), a shard, the end.
    begins = {
        "scratch": "name=storm%2Fscratch%2F2",
        "pack": "ifGenerationMatch",
        "shard": "%2Fqa%2F",
        "end": "manifest",
    }
    ends: dict[str, float] = {}
    refused: Counter[str] = Counter()

    def stormy(method: str, path: str) -> int | None:
        """Refuse everything for two seconds when each of some files is first written."""
        now = time.monotonic()
        for name, part in begins.items():
            if (
                name not in ends
                and method in ("PUT", "POST")
                and part in path
                and (name != "pack" or "scratch" in ends)
            ):
                ends[name] = now + 2
            if ends.get(name, 0) > now:
                refused[name] += 1
                return 503
        return None

    with weather() as sky, emulator(tmp_path, sky) as name:
        output = f"gs://{name}/storm"
        flags = ["--input", corpus, "--output", output, "--cache", f"gs://{name}/storm/cache"]
        sky.answer = stormy
        assert webscale_rl("run", *flags) == 0
        for path in [*list_files(f"{output}/**/*.parquet"), f"{output}/manifest.json"]:
            copy(path, path.replace(output, str(tmp_path / "run")))
    assert webscale_rl("run", "--input", corpus, "--output", tmp_path / "calm") == 0
    assert refused.keys() == begins.keys()
    assert rows_of(tmp_path / "run", "qa") == rows_of(tmp_path / "calm", "qa")
    assert manifest_of(tmp_path / "run")["stages"] == manifest_of(tmp_path / "calm")["stages"]


CONFIG = """
prompts: {place}/prompts
filters:
  language: {{languages: [en], model: {place}/models/language.ftz}}
  quality: {{model: {place}/models/quality.bin, threshold: 0.1}}
"""


def lay_out(place: Path) -> None:
    """Lay out all that a run reads: a corpus in two directories, prompts, models of filters, a configuration."""
    for name, first in (("corpus", 0), ("corpus/more/files", 20)):
        (place / name).mkdir(parents=True)
        write_corpus(place / name / f"{first}.parquet", [prose(n) for n in range(first, first + 20)], row_group_size=7)
    (place / "prompts/templates").mkdir(parents=True)
    repair = load_prompts().templates["repair"]
    (place / "prompts/templates/repair.txt").write_text(f"{repair} Think.\n", encoding="utf-8")
    (place / "models").mkdir()
    shutil.copy(model_path(LanguageSettings(languages=("en",))), place / "models/language.ftz")
    lines = "".join(training_line(prose(n), kept=n % 2 == 0).decode() for n in range(100, 140))
    (place / "lines.txt").write_text(lines, encoding="utf-8")
    train(str(place / "lines.txt"), str(place / "models/quality.bin"))


def run_at(place: str, config: str, *flags: str) -> list[str]:
    """Return the arguments of a run of which all is at one place."""
    flags = ("--input", f"{place}/corpus/**/*.parquet", "--output", f"{place}/run", "--config", config, *flags)
    return ["run", *flags, "--cache", f"{place}/cache", "--state", f"{place}/state"]


def upload(place: Path, target: str) -> set[str]:
    """Copy all files of a directory to a bucket and return their names there."""
    files = [path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()]
    for name in files:
        copy(str(place / name), f"{target}/{name}")
    return set(files)


def test_a_run_of_which_all_is_in_a_bucket_is_the_local_run(
    tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbered_parts(monkeypatch, children=True)
    here, there = tmp_path / "here", f"gs://{bucket}/all"
    lay_out(here)
    given = upload(here, there)
    (here / "config.yaml").write_text(CONFIG.format(place=here), encoding="utf-8")
    write_text(f"{there}/config.yaml", CONFIG.format(place=there))
    workers = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]
    assert webscale_rl(*run_at(str(here), f"{here}/config.yaml")) == 0
    assert webscale_rl(*run_at(there, f"{there}/config.yaml", *workers)) == 0

    fetched = tmp_path / "there"
    left = {path.removeprefix(f"{there}/") for path in list_files(f"{there}/**")}
    for name in left:
        (fetched / name).parent.mkdir(parents=True, exist_ok=True)
        copy(f"{there}/{name}", str(fetched / name))

    def rows(place: Path, directory: str, name: str) -> str:
        return json.dumps(rows_of(place / "run", directory)).replace(name, "PLACE")

    for directory in ("qa", "rejected", "errors", "superseded"):
        assert rows(fetched, directory, there) == rows(here, directory, str(here))
    manifests = [manifest_of(place / "run") for place in (here, fetched)]
    for key in ("stages", "rows", "prompts", "complete"):
        assert manifests[0][key] == manifests[1][key]
    assert manifests[1]["rows"]["qa"] > 20
    assert {stage["stage"]: stage["in"] for stage in manifests[1]["stages"]}["read"] == 40

    run, part = manifests[1]["run_id"], "part-00000-of-00001.parquet"
    packs = {name for name in left if re.fullmatch(r"cache/\w+-[0-9a-f]{32}\.jsonl", name)}
    assert packs
    assert left - packs == given | {
        "config.yaml",
        *(f"run/{directory}/{part}" for directory in ("qa", "rejected", "errors", "superseded")),
        "run/manifest.json",
        "run/report.html",
        "run/_SUCCESS",
        *(f"state/{run}/{name}" for name in (f"documents/{part}", f"questions/{part}", "run.json", "_SUCCESS")),
    }
    assert webscale_rl(*run_at(there, f"{there}/config.yaml", "--overwrite")) == 0
    assert packs == {path.removeprefix(f"{there}/") for path in list_files(f"{there}/cache/*")}, "nothing asked again"
