"""Dataflow without a cloud: the template's metadata, and the job that the launcher's own command line makes."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from google.cloud import storage

from pipelines.options import parse_run
from tests.caches import emulator
from tests.deploy.commands import DEPLOY, ROOT, told, values
from tests.support import prose_corpus

types = pytest.importorskip(
    "google.cloud.dataflow_v1beta3.types", reason="Dataflow's client is not installed here: make test-deploy"
)
METADATA = json.loads((DEPLOY / "dataflow/metadata.json").read_text(encoding="utf-8"))
EXAMPLES = {
    "input": "gs://my-corpus/**/*.parquet",
    "output": "gs://my-bucket/run",
    "sdk_container_image": "europe-west4-docker.pkg.dev/p/r/webscale-rl@sha256:0f",
    "config": "gs://my-bucket/config.yaml",
    "model": "vertex_ai/gemini-2.5-flash",
    "cache": "gs://my-bucket/cache",
    "concurrency": "256",
    "sample": "500",
    "until": "dedup",
}


def test_dataflow_knows_every_field_of_the_metadata() -> None:
    metadata = types.TemplateMetadata.from_json(json.dumps(METADATA), ignore_unknown_fields=False)
    assert metadata.name and metadata.description
    for parameter in metadata.parameters:
        assert parameter.name and parameter.label and parameter.help_text
    required = [parameter.name for parameter in metadata.parameters if not parameter.is_optional]
    assert required == ["input", "output", "sdk_container_image"]


def test_every_parameter_is_a_flag_that_takes_what_its_pattern_lets_through(tmp_path: Path) -> None:
    assert [parameter["name"] for parameter in METADATA["parameters"]] == list(EXAMPLES)
    for parameter in METADATA["parameters"]:
        assert all(re.fullmatch(pattern, EXAMPLES[parameter["name"]]) for pattern in parameter["regexes"])
    config = tmp_path / "config.yaml"
    config.write_text("", encoding="utf-8")
    options = parse_run([f"--{name}={value}" for name, value in {**EXAMPLES, "config": config}.items()])
    assert options.config.input == [EXAMPLES["input"]]
    assert options.config.models.judge.model == EXAMPLES["model"]
    assert options.beam.get_all_options()["sdk_container_image"] == EXAMPLES["sdk_container_image"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("output", "my-bucket/run"),
        ("output", "gs://my-bucket/r*n"),
        ("sample", "0"),
        ("until", "sreen"),
        ("config", "config.yaml"),
        ("sdk_container_image", "webscale-rl"),
    ],
)
def test_what_would_fail_on_the_launcher_is_refused_before_it_starts(name: str, value: str) -> None:
    (parameter,) = [parameter for parameter in METADATA["parameters"] if parameter["name"] == name]
    assert not all(re.fullmatch(pattern, value) for pattern in parameter["regexes"])


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The buckets that `values.env` names, with a corpus and a configuration; yields an empty directory."""
    directory = tmp_path_factory.mktemp("dataflow")
    corpus = prose_corpus(directory, 20)
    with emulator(directory):
        objects = storage.Client().create_bucket(values()["CORPUS_BUCKET"])
        objects.blob("2026/part.parquet").upload_from_filename(corpus)
        storage.Client().create_bucket(values()["BUCKET"]).blob("config.yaml").upload_from_string(
            "dedup: {bands: 18}\n"
        )
        yield directory


def submitted(command: Sequence[str | Path], directory: Path) -> str:
    """Return what a client says that submits a job, which stays where --template_location says."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": f"{ROOT}/tests/emulated:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def content(path: str) -> bytes:
    return storage.Client().bucket(values()["BUCKET"]).blob(path).download_as_bytes()  # type: ignore[no-any-return]


LAUNCHED = "staging/template_launches/1/job_object"
BY_FLAGS = "by-flags.json"


@pytest.fixture(scope="module")
def launched(cloud: Path) -> str:
    """What the template's launcher says: it gives parameters and environment, each as --name=value, to the file that
    the image names.
    """
    (run,) = told("dataflow").of("gcloud", "dataflow", "flex-template", "run")
    parameters = run.flag("--parameters").removeprefix("^;^").split(";")
    environment = {
        "runner": "DataflowRunner",
        "project": run.flag("--project"),
        "region": run.flag("--region"),
        "job_name": run.words[4],
        "staging_location": run.flag("--staging-location"),
        "temp_location": run.flag("--temp-location"),
        "template_location": f"gs://{values()['BUCKET']}/{LAUNCHED}",
        "service_account_email": run.flag("--service-account-email"),
        "network": run.flag("--network"),
        "subnetwork": run.flag("--subnetwork"),
        "machine_type": run.flag("--worker-machine-type"),
        "max_num_workers": run.flag("--max-workers"),
    }
    assert "--disable-public-ips" in run.words
    flags = [f"--{flag}" for flag in [*parameters, *(f"{name}={value}" for name, value in environment.items())]]
    return submitted([ROOT / "pipelines/build_qa.py", *flags, "--no_use_public_ips"], cloud)


@pytest.fixture(scope="module")
def by_flags(cloud: Path) -> str:
    """What a client says that was given flags alone, and the package beside the image."""
    (run,) = told("dataflow").of("webscale-rl", "run")
    source = cloud / "source"
    for name in ("setup.py", "pyproject.toml", "README.md"):
        source.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, source)
    for room in ("schemas", "prompts", "rewards", "transforms", "pipelines"):
        shutil.copytree(ROOT / room, source / room, ignore=shutil.ignore_patterns("__pycache__"))
    more = [f"--setup_file={source}/setup.py", f"--template_location=gs://{values()['BUCKET']}/{BY_FLAGS}"]
    output = f"--output=gs://{values()['BUCKET']}/by-flags"
    command = Path(sys.executable).with_name("webscale-rl")
    return submitted([command, *run.words[1:], output, *more], cloud)


def job(path: str) -> dict[str, Any]:
    return json.loads(content(path))  # type: ignore[no-any-return]


def test_the_launcher_waits_for_nothing_and_says_where_the_job_is(launched: str) -> None:
    assert f"gs://{values()['BUCKET']}/{LAUNCHED}" in launched
    output = values()["OUTPUT"].removeprefix(f"gs://{values()['BUCKET']}/")
    assert f"{values()['OUTPUT']}/_SUCCESS" in launched
    assert not storage.Client().bucket(values()["BUCKET"]).blob(f"{output}/manifest.json").exists()


@pytest.mark.parametrize("path", [LAUNCHED, BY_FLAGS])
@pytest.mark.usefixtures("launched", "by_flags")
def test_workers_are_what_and_where_the_values_say(path: str) -> None:
    environment = job(path)["environment"]
    (pool,) = environment["workerPools"]
    assert environment["serviceAccountEmail"] == values()["WORKER_ACCOUNT"]
    assert pool["network"] == values()["NETWORK"]
    assert pool["subnetwork"] == values()["SUBNETWORK"]
    assert pool["ipConfiguration"] == "WORKER_IP_PRIVATE"
    assert pool["machineType"] == values()["MACHINE_TYPE"]
    assert pool["autoscalingSettings"]["maxNumWorkers"] == int(values()["MAX_WORKERS"])
    assert {image["containerImage"] for image in pool["sdkHarnessContainerImages"]} == {values()["IMAGE"]}
    assert environment["tempStoragePrefix"].startswith(f"storage.googleapis.com/{values()['BUCKET']}/temp/")


def packages(path: str) -> dict[str, str]:
    """Return what workers fetch when they start, name to object."""
    (pool,) = job(path)["environment"]["workerPools"]
    prefix = f"storage.googleapis.com/{values()['BUCKET']}/"
    return {package["name"]: package["location"].removeprefix(prefix) for package in pool["packages"]}


@pytest.mark.usefixtures("launched")
def test_with_the_image_nothing_else_brings_code() -> None:
    assert packages(LAUNCHED).keys() == {"submission_environment_dependencies.txt"}, "a list that workers log"


@pytest.mark.usefixtures("by_flags")
def test_without_our_image_the_package_brings_all_of_us() -> None:
    with tarfile.open(fileobj=io.BytesIO(content(packages(BY_FLAGS)["workflow.tar.gz"]))) as archive:
        staged = {name.partition("/")[2] for name in archive.getnames()}
    ours = ("schemas", "prompts", "rewards", "transforms", "pipelines")
    wanted = {
        path.relative_to(ROOT).as_posix()
        for room in ours
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted <= staged


@pytest.mark.usefixtures("launched")
def test_the_job_is_the_figure_in_our_image() -> None:
    from apache_beam.portability.api import beam_runner_api_pb2

    folder = packages(LAUNCHED)["submission_environment_dependencies.txt"].rpartition("/")[0]
    pipeline = beam_runner_api_pb2.Pipeline.FromString(content(f"{folder}/pipeline.pb"))
    names = {transform.unique_name for transform in pipeline.components.transforms.values()}
    assert {"ReadCorpus", "FilterHeuristics", "ScreenDocuments", "GenerateQA", "JudgeQA", "CommitRun"} <= names
    (environment,) = pipeline.components.environments.values()
    payload = beam_runner_api_pb2.DockerPayload.FromString(environment.payload)
    assert payload.container_image == values()["IMAGE"]
