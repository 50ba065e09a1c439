"""What kubectl is given: by Kubernetes' own schemas, and a FlinkDeployment by that of the operator."""

from __future__ import annotations

import copy
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pipelines.check import UNFINISHED
from pipelines.cli import _FAILED, _WRONG_USAGE
from tests.deploy.commands import told, values

KUBERNETES = "1.29"
"""The first version where a container that goes on beside others, and ends with them, needs no feature gate."""
CRD = "META-INF/fabric8/flinkdeployments.flink.apache.org-v1.yml"


def applied(readme: str) -> list[dict[str, Any]]:
    """Return the objects that the commands of a README apply, in their order."""
    return [
        content
        for command in told(readme).of("kubectl", "apply", "-f", "-")
        for content in yaml.safe_load_all(command.read)
    ]


def one(readme: str, kind: str) -> dict[str, Any]:
    (found,) = [content for content in applied(readme) if content["kind"] == kind]
    return found


def pods() -> dict[str, dict[str, Any]]:
    """Return the specs of all pods that are ours."""
    return {
        "run": one("flink", "Job")["spec"]["template"]["spec"],
        "refresh": one("flink", "CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"],
        "task manager": one("flink", "FlinkDeployment")["spec"]["taskManager"]["podTemplate"]["spec"],
    }


def closed(schema: Any) -> Any:
    """Return a schema that refuses what it does not name, as `kubectl apply --validate=strict` does."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: closed(value) for key, value in schema.items()}
    open_ended = strict.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in strict
    if "properties" in strict and isinstance(strict["properties"], dict) and not open_ended:
        strict["additionalProperties"] = False
    if strict.pop("x-kubernetes-int-or-string", False):
        strict.pop("anyOf", None)
        strict["type"] = ["integer", "string"]
    return strict


def refusals(schema: dict[str, Any], content: dict[str, Any]) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(content)]


@pytest.fixture(scope="module")
def flink_schema() -> dict[str, Any]:
    (jar,) = (Path(sys.prefix) / "flink-crd").glob("*.jar")
    with zipfile.ZipFile(jar) as archive:
        definition = yaml.safe_load(archive.read(CRD))
    (version,) = definition["spec"]["versions"]
    assert version["name"] == "v1beta1"
    schema = closed(version["schema"]["openAPIV3Schema"])
    # These are the API server's own, and no definition has them.
    schema["properties"] |= {"apiVersion": {"const": "flink.apache.org/v1beta1"}, "kind": {}, "metadata": {}}
    return schema  # type: ignore[no-any-return]


@pytest.mark.parametrize("readme", ["airflow", "flink"])
def test_kubernetes_knows_every_field(readme: str, tmp_path: Path) -> None:
    known = [content for content in applied(readme) if content["kind"] != "FlinkDeployment"]
    assert known
    file = tmp_path / "objects.yaml"
    file.write_text(yaml.safe_dump_all(known), encoding="utf-8")
    validate = [Path(sys.executable).with_name("kubernetes-validate"), "--strict", "--no-warn", "-k", KUBERNETES, file]
    done = subprocess.run(validate, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("passed") == len(known), "a kind that it does not know it lets through"


def test_the_operator_knows_every_field(flink_schema: dict[str, Any]) -> None:
    assert refusals(flink_schema, one("flink", "FlinkDeployment")) == []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("spec", "flinkVersions"), "v1_19", "'flinkVersions' was unexpected"),
        (("spec", "flinkVersion"), "v1_3", "'v1_3' is not one of"),
        (("spec", "taskManager", "replica"), 1, "'replica' was unexpected"),
        (("spec", "taskManager", "podTemplate", "spec", "container"), [], "'container' was unexpected"),
    ],
)
def test_the_operator_s_schema_refuses_what_it_does_not_know(
    flink_schema: dict[str, Any], path: tuple[str, ...], value: object, said: str
) -> None:
    deployment = copy.deepcopy(one("flink", "FlinkDeployment"))
    place = deployment
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    (refusal,) = refusals(flink_schema, deployment)
    assert said in refusal


def test_kubernetes_schema_refuses_a_field_that_is_misspelt(tmp_path: Path) -> None:
    job = copy.deepcopy(one("flink", "Job"))
    job["spec"]["backofLimit"] = 3
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(job), encoding="utf-8")
    validate = [Path(sys.executable).with_name("kubernetes-validate"), "--strict", "--no-warn", "-k", KUBERNETES, file]
    done = subprocess.run(validate, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "backofLimit" in done.stdout + done.stderr


def test_workers_are_where_the_client_says() -> None:
    workers = pods()["task manager"]["containers"][0]
    (port,) = workers["ports"]
    assert f"--service_port={port['containerPort']}" in workers["command"]
    deployment = one("flink", "FlinkDeployment")
    for pod in (pods()["run"], pods()["refresh"]):
        (server,), (client,) = pod["initContainers"], pod["containers"]
        assert f"--environment_config=localhost:{port['containerPort']}" in client["args"]
        assert server["restartPolicy"] == "Always", (
            "a job server that is no sidecar would keep the client from starting"
        )
        assert f"--flink-master={deployment['metadata']['name']}-rest:8081" in server["args"]
        (endpoint,) = [word.partition("=")[2] for word in client["args"] if word.startswith("--job_endpoint=")]
        assert endpoint.replace(":", "/") in server["startupProbe"]["exec"]["command"][-1]
        version = deployment["spec"]["flinkVersion"].removeprefix("v").replace("_", ".")
        assert f"beam_flink{version}_job_server" in server["image"]
        assert deployment["spec"]["image"].startswith(f"flink:{version}-")
        assert f"--parallelism={values()['MAX_WORKERS']}" in client["args"]
    slots = deployment["spec"]["flinkConfiguration"]["slotmanager.number-of-slots.max"]
    assert slots == values()["MAX_WORKERS"], "a job of more slots than there may be waits for ever"


@pytest.mark.parametrize("name", ["run", "refresh", "task manager"])
def test_our_containers_are_not_root(name: str) -> None:
    pod = pods()[name]
    for container in pod["containers"]:
        own = {**pod.get("securityContext", {}), **container["securityContext"]}
        assert own["runAsNonRoot"] and own["runAsUser"] == 10001
        assert not own["allowPrivilegeEscalation"]


def test_accounts_that_pods_name_are_made_and_bound() -> None:
    made = {content["metadata"]["name"] for content in applied("flink") if content["kind"] == "ServiceAccount"}
    named = {pods()[name]["serviceAccountName"] for name in ("run", "refresh")}
    assert named | {one("flink", "FlinkDeployment")["spec"]["serviceAccount"]} == made
    bound = {
        command.flag("--member").split("/")[-1].rstrip("]")
        for command in told("flink").of("gcloud", "iam", "service-accounts", "add-iam-policy-binding")
    }
    assert bound == made


@pytest.mark.parametrize("readme", ["airflow", "flink"])
def test_nodes_may_fetch_the_image(readme: str) -> None:
    (grant,) = told(readme).of("gcloud", "artifacts", "repositories", "add-iam-policy-binding")
    region, project, repository = values()["IMAGE"].replace("-docker.pkg.dev", "").split("/")[:3]
    assert (grant.words[4], grant.flag("--project"), grant.flag("--location")) == (repository, project, region)
    assert grant.flag("--member") == f"serviceAccount:{values()['NODE_ACCOUNT']}"
    assert grant.flag("--role") == "roles/artifactregistry.reader"


def test_a_second_night_never_begins_while_the_first_goes_on() -> None:
    assert one("flink", "CronJob")["spec"]["concurrencyPolicy"] == "Forbid"
    assert one("flink", "CronJob")["spec"]["schedule"] == values()["SCHEDULE"]


@pytest.mark.parametrize("kind", ["Job", "CronJob"])
def test_a_run_that_is_not_complete_or_has_failed_is_not_tried_again_and_spends_no_second_budget(kind: str) -> None:
    spec = one("flink", kind)["spec"]
    job = spec if kind == "Job" else spec["jobTemplate"]["spec"]
    (rule,) = job["podFailurePolicy"]["rules"]
    assert rule["action"] == "FailJob"
    for_a_person = [_FAILED, _WRONG_USAGE, UNFINISHED]
    assert rule["onExitCodes"] == {"containerName": "webscale-rl", "operator": "In", "values": for_a_person}
    assert job["backoffLimit"] > 0, "a pod that dies has another one follow it"
