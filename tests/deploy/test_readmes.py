"""The READMEs of deploy/ are commands: they run, say what they mean to the programs they call, and reach every file."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.commands import DEPLOY, PROGRAMS, READMES, ROOT, Command, blocks, told, units, values

SHELLCHECK = Path(sys.executable).with_name("shellcheck")


@pytest.mark.parametrize("readme", READMES)
def test_a_readme_is_commands_that_run(readme: str) -> None:
    assert told(readme).commands
    prose = re.sub(r"^```bash\n.*?^```$", "", (DEPLOY / readme / "README.md").read_text(), flags=re.S | re.M)
    assert len(prose.split()) < 40, "commands only: a word or two says which"


def test_every_file_is_in_the_table_and_every_directory_has_commands() -> None:
    table = (DEPLOY / "README.md").read_text(encoding="utf-8")
    for path in DEPLOY.rglob("*"):
        if path.is_file() and path.name not in ("README.md",) and "__pycache__" not in path.parts:
            assert path.name in table, path
    assert {path.name for path in DEPLOY.iterdir() if path.is_dir()} == set(READMES)


@pytest.mark.parametrize("readme", READMES)
def test_every_file_of_a_directory_is_what_some_command_takes(readme: str) -> None:
    everything = "".join(blocks(readme))
    for path in (DEPLOY / readme).iterdir():
        if path.name not in ("README.md", "__pycache__"):
            assert re.search(rf"(deploy/{readme}/|[ ]){re.escape(path.name)}[ ;)\"|\n]", everything), path


def test_values_are_all_used_and_nothing_else_is_left_to_fill_in() -> None:
    used: set[str] = set()
    for path in DEPLOY.rglob("*"):
        if path.is_file() and path.suffix != ".pyc" and path.name not in ("Dockerfile", "values.env"):
            used |= set(re.findall(r"\$\{?([A-Z_]{2,})", path.read_text(encoding="utf-8")))
    derived = {"WORKER_ACCOUNT", "CLIENT_ACCOUNT", "SCHEDULER_ACCOUNT", "DATAFLOW_FLAGS"}
    made_of = set(re.findall(r"\$([A-Z_]+)", (DEPLOY / "values.env").read_text(encoding="utf-8")))
    assert used - values().keys() == {"AIRFLOW_HOME", "SMTP_CONNECTION"}
    assert values().keys() - used - made_of == set()
    assert derived <= used


@pytest.mark.parametrize("readme", READMES)
def test_shellcheck_finds_nothing_in_the_commands(readme: str) -> None:
    for block in blocks(readme):
        check = [SHELLCHECK, "--shell=bash", "--external-sources", "--source-path=SCRIPTDIR", "-"]
        done = subprocess.run(check, input=block, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_shellcheck_finds_nothing_in_the_scripts() -> None:
    scripts = sorted(DEPLOY.rglob("*.sh"))
    assert scripts
    check = [SHELLCHECK, "--external-sources", f"--source-path={ROOT}", *scripts]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_accounts_have_what_they_need_and_nothing_else() -> None:
    granted: set[tuple[str, str, str]] = set()
    for command in told("dataflow").commands:
        if any(word.endswith("add-iam-policy-binding") for word in command.words):
            where = command.words[command.words.index("add-iam-policy-binding") + 1]
            account = command.flag("--member").removeprefix("serviceAccount:webscale-rl-").split("@")[0]
            granted.add((account, command.flag("--role"), where))
    project, corpus, bucket = "my-project", "gs://my-corpus", "gs://my-webscale-rl"
    assert granted == {
        ("worker", "roles/dataflow.worker", project),
        ("worker", "roles/aiplatform.user", project),
        ("worker", "roles/storage.objectViewer", corpus),
        ("worker", "roles/storage.objectUser", bucket),
        ("worker", "roles/artifactregistry.reader", "webscale-rl"),
        ("client", "roles/dataflow.developer", project),
        ("client", "roles/aiplatform.user", project),
        ("client", "roles/storage.objectViewer", corpus),
        ("client", "roles/storage.objectUser", bucket),
        ("client", "roles/iam.serviceAccountUser", values()["WORKER_ACCOUNT"]),
        ("client", "roles/artifactregistry.reader", "webscale-rl"),
    }
    made = {command.words[4] for command in told("dataflow").of("gcloud", "iam", "service-accounts", "create")}
    assert made == {"webscale-rl-worker", "webscale-rl-client", "webscale-rl-scheduler"}


def test_the_schedule_may_start_the_client_and_nothing_else() -> None:
    (grant,) = [command for command in told("cron").commands if "add-iam-policy-binding" in command.words]
    assert grant.words[1:5] == ("run", "jobs", "add-iam-policy-binding", "webscale-rl-refresh")
    assert grant.flag("--role") == "roles/run.invoker"
    (schedule,) = told("cron").of("gcloud", "scheduler")
    assert schedule.flag("--oauth-service-account-email") == values()["SCHEDULER_ACCOUNT"]
    assert grant.flag("--member") == f"serviceAccount:{values()['SCHEDULER_ACCOUNT']}"
    assert schedule.flag("--uri").endswith("/projects/my-project/locations/europe-west4/jobs/webscale-rl-refresh:run")
    (deployed,) = told("cron").of("gcloud", "run", "jobs", "deploy")
    assert deployed.flag("--service-account") == values()["CLIENT_ACCOUNT"]
    assert deployed.flag("--max-retries") == "0", "another attempt would spend the budget again"


def test_the_template_is_run_with_parameters_that_it_has() -> None:
    (run,) = told("dataflow").of("gcloud", "dataflow", "flex-template", "run")
    (build,) = told("dataflow").of("gcloud", "dataflow", "flex-template", "build")
    metadata = json.loads((ROOT / build.flag("--metadata-file")).read_text(encoding="utf-8"))
    known = {parameter["name"]: parameter for parameter in metadata["parameters"]}
    given = dict(one.split("=", 1) for one in run.flag("--parameters").removeprefix("^;^").split(";"))
    assert {name for name, parameter in known.items() if not parameter.get("isOptional")} <= given.keys()
    for name, value in given.items():
        assert all(re.fullmatch(pattern, value) for pattern in known[name]["regexes"]), name
    assert run.flag("--template-file-gcs-location") == build.words[4]
    assert build.flag("--image") == given["sdk_container_image"] == values()["IMAGE"]
    assert run.flag("--service-account-email") == values()["WORKER_ACCOUNT"]


def test_a_night_is_a_user_s_of_its_own_and_its_failure_is_told() -> None:
    night, mail = units()["webscale-rl.service"], units()["webscale-rl-mail.service"]
    assert night["Service", "User"] == ["webscale-rl"]
    assert night["Service", "Type"] == ["oneshot"], "its commands follow one another while they succeed"
    commands = night["Service", "ExecStart"]
    assert [shlex.split(command)[1] for command in commands] == ["refresh", "check-run"]
    assert not any(set(command) & {"$", "%"} for command in commands), "to systemd these are not themselves"
    assert night["Unit", "OnFailure"] == ["webscale-rl-mail.service"]
    shell, flag, line = shlex.split(*mail["Service", "ExecStart"])
    assert (shell, flag) == ("/bin/sh", "-c")
    assert "--unit webscale-rl.service" in line and line.endswith(f" {values()['ALERT_EMAIL']}")
    check = [SHELLCHECK, "--shell=sh", "-"]
    done = subprocess.run(check, input=f"{line}\n", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_night_begins_by_the_clock_of_the_time_zone_that_is_said() -> None:
    timer = units()["webscale-rl.timer"]
    minute, hour, *days = values()["SCHEDULE"].split()
    assert days == ["*", "*", "*"], "as the values come"
    (calendar,) = timer["Timer", "OnCalendar"]
    assert calendar == f"*-*-* {int(hour):02}:{int(minute):02}:00 {values()['TIME_ZONE']}"
    assert timer["Install", "WantedBy"] == ["timers.target"]
    done = [command.words[1:] for command in told("cron").of("sudo", "systemctl")]
    assert done[:3] == [
        ("systemctl", "daemon-reload"),
        ("systemctl", "enable", "webscale-rl.timer"),
        ("systemctl", "restart", "webscale-rl.timer"),
    ]
    assert units().keys() == {"webscale-rl.timer", "webscale-rl.service", "webscale-rl-mail.service"}


def test_programs_that_are_stood_in_for_are_all_called() -> None:
    called = {command.words[0] for readme in READMES for command in told(readme).commands}
    assert called == set(PROGRAMS)


def test_flags_are_found_in_both_forms() -> None:
    command = Command(("a", "--b=c", "--d", "e"), "")
    assert (command.flag("--b"), command.flag("--d")) == ("c", "e")
    with pytest.raises(AssertionError, match="no --x"):
        command.flag("--x")
