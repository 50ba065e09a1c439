"""Dataflow without a cloud: the template's metadata, and the job that the launcher's own command line makes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.cloud import storage
from google.cloud.dataflow_v1beta3.types import ParameterMetadata, TemplateMetadata

from pipelines.options import parse_run
from tests.caches import emulator
from tests.deploy.commands import DEPLOY, ROOT, told, values
from tests.support import prose_corpus

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
    metadata = TemplateMetadata.from_json(json.dumps(METADATA), ignore_unknown_fields=False)
    assert metadata.name and metadata.description
    for parameter in metadata.parameters:
        assert isinstance(parameter, ParameterMetadata)
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
def launched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.CompletedProcess[str], Any]]:
    """The command line of the template's launcher: parameters and environment, each as --name=value.

    It runs the file that the image names, from a directory that is not ours.
    """
    directory = tmp_path_factory.mktemp("dataflow")
    corpus = prose_corpus(directory, 20)
    with emulator(directory) as name:
        bucket = storage.Client().bucket(name)
        bucket.blob("corpus/part.parquet").upload_from_filename(corpus)
        bucket.blob("config.yaml").upload_from_string("max_error_share: 0.01\n")
        (run,) = told("dataflow").of("gcloud", "dataflow", "flex-template", "run")
        parameters = {
            "input": f"gs://{name}/corpus/**/*.parquet",
            "output": f"gs://{name}/run",
            "config": f"gs://{name}/config.yaml",
            "sdk_container_image": values()["IMAGE"],
        }
        environment = {
            "runner": "DataflowRunner",
            "project": run.flag("--project"),
            "region": run.flag("--region"),
            "job_name": "webscale-rl",
            "staging_location": f"gs://{name}/staging",
            "temp_location": f"gs://{name}/temp",
            "template_location": f"gs://{name}/staging/template_launches/1/job_object",
            "service_account_email": run.flag("--service-account-email"),
            "network": run.flag("--network"),
            "subnetwork": run.flag("--subnetwork"),
            "machine_type": run.flag("--worker-machine-type"),
            "max_num_workers": run.flag("--max-workers"),
        }
        flags = [f"--{flag}={value}" for flag, value in {**parameters, **environment}.items()]
        done = subprocess.run(
            [sys.executable, ROOT / "pipelines/build_qa.py", *flags, "--no_use_public_ips"],
            cwd=directory,
            env={**os.environ, "PYTHONPATH": str(ROOT / "tests/deploy/emulated")},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        yield done, bucket


@pytest.fixture(scope="module")
def job(launched: tuple[subprocess.CompletedProcess[str], Any]) -> dict[str, Any]:
    return json.loads(launched[1].blob("staging/template_launches/1/job_object").download_as_bytes())  # type: ignore[no-any-return]


def test_the_launcher_waits_for_nothing_and_says_where_the_job_is(
    launched: tuple[subprocess.CompletedProcess[str], Any],
) -> None:
    done, bucket = launched
    assert f"gs://{bucket.name}/staging/template_launches/1/job_object" in done.stdout
    assert not bucket.blob("run/manifest.json").exists()


def test_workers_are_what_and_where_the_values_say(job: dict[str, Any]) -> None:
    environment = job["environment"]
    (pool,) = environment["workerPools"]
    assert environment["serviceAccountEmail"] == values()["WORKER_ACCOUNT"]
    assert pool["network"] == values()["NETWORK"]
    assert pool["subnetwork"] == values()["SUBNETWORK"]
    assert pool["ipConfiguration"] == "WORKER_IP_PRIVATE"
    assert pool["machineType"] == values()["MACHINE_TYPE"]
    assert pool["autoscalingSettings"]["maxNumWorkers"] == int(values()["MAX_WORKERS"])
    assert {image["containerImage"] for image in pool["sdkHarnessContainerImages"]} == {values()["IMAGE"]}


def test_nothing_but_the_image_brings_code(
    job: dict[str, Any], launched: tuple[subprocess.CompletedProcess[str], Any]
) -> None:
    (pool,) = job["environment"]["workerPools"]
    packages = {package["name"] for package in pool.get("packages", [])}
    assert not {name for name in packages if name.endswith((".tar.gz", ".whl"))}
    assert "pickled_main_session" not in packages
    staged = [blob.name for blob in launched[1].list_blobs(prefix="staging/")]
    assert any(name.endswith("pipeline.pb") for name in staged)


def test_the_job_has_the_steps_of_the_figure(
    job: dict[str, Any], launched: tuple[subprocess.CompletedProcess[str], Any]
) -> None:
    from apache_beam.portability.api import beam_runner_api_pb2

    (path,) = [blob for blob in launched[1].list_blobs(prefix="staging/") if blob.name.endswith("pipeline.pb")]
    pipeline = beam_runner_api_pb2.Pipeline.FromString(path.download_as_bytes())
    names = {transform.unique_name for transform in pipeline.components.transforms.values()}
    assert {"ReadCorpus", "FilterHeuristics", "ScreenDocuments", "GenerateQA", "JudgeQA", "CommitRun"} <= names
    images = [environment.payload.decode("latin-1") for environment in pipeline.components.environments.values()]
    assert all(values()["IMAGE"] in image for image in images)
    assert job["name"] == "webscale-rl"
