"""The DAG, loaded by Airflow itself, which has an environment of its own beside this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.commands import ROOT, told, values
from tests.deploy.test_kubernetes import one

# The environment that this one stands beside: `make test-deploy` makes both.
AIRFLOW = Path(sys.prefix).with_name(".venv-airflow") / "bin" / "python"

_LOAD = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder=sys.argv[1])
dags = {
    name: {
        "schedule": [dag.schedule, str(dag.timezone)],
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "tasks": {
            task.task_id: {
                "downstream": sorted(task.downstream_task_ids),
                "image": task.image,
                "command": [*task.cmds, *task.arguments],
                "namespace": task.namespace,
                "account": task.service_account_name,
                "retries": task.retries,
                "tells": [[type(each).__name__, each.to] for each in task.on_failure_callback],
            }
            for task in dag.tasks
        },
    }
    for name, dag in bag.dags.items()
}
print(json.dumps({"errors": bag.import_errors, "dags": dags}))
"""


def load(directory: Path) -> dict[str, Any]:
    """Return what Airflow makes of a directory of DAGs."""
    assert AIRFLOW.is_file(), f"{AIRFLOW} is missing: make test-deploy"
    environment = {**os.environ, "AIRFLOW_HOME": str(directory), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    done = subprocess.run(
        [AIRFLOW, "-c", _LOAD, directory],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


@cache
def dag() -> dict[str, Any]:
    """Return the DAG as the commands of the README lay it down."""
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "webscale_rl.py").write_text(told("airflow").dag, encoding="utf-8")
        found = load(Path(directory))
    assert found["errors"] == {}
    assert list(found["dags"]) == ["webscale_rl"]
    return found["dags"]["webscale_rl"]  # type: ignore[no-any-return]


def test_airflow_loads_it_and_runs_one_at_a_time() -> None:
    assert dag()["schedule"] == [values()["SCHEDULE"], values()["TIME_ZONE"]]
    assert dag()["max_active_runs"] == 1
    assert not dag()["catchup"], "a night that was missed is in the next one"


def test_the_report_follows_the_refresh_which_follows_the_estimate() -> None:
    assert {name: task["downstream"] for name, task in dag()["tasks"].items()} == {
        "estimate": ["refresh"],
        "refresh": ["check-run"],
        "check-run": [],
    }


@pytest.mark.parametrize("name", ["estimate", "refresh", "check-run"])
def test_a_task_is_a_command_in_our_image_and_tells_when_it_fails(name: str) -> None:
    task = dag()["tasks"][name]
    assert task["image"] == values()["IMAGE"]
    assert task["command"][:2] == ["webscale-rl", name]
    assert task["tells"] == [["SmtpNotifier", values()["ALERT_EMAIL"]]]
    account = one("airflow", "ServiceAccount")["metadata"]
    assert (task["namespace"], task["account"]) == (account["namespace"], account["name"])


def test_no_task_is_tried_again_and_spends_the_budget_again() -> None:
    assert {task["retries"] for task in dag()["tasks"].values()} == {0}


def test_a_file_that_is_no_dag_is_an_error_here_too(tmp_path: Path) -> None:
    text = (ROOT / "deploy/airflow/webscale_rl.py").read_text(encoding="utf-8")
    (tmp_path / "webscale_rl.py").write_text(text, encoding="utf-8")
    found = load(tmp_path)
    assert found["dags"] == {}
    assert "TIME_ZONE" in json.dumps(found["errors"]), "values have not been filled in"
