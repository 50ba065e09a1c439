"""Every call of webscale-rl in deploy/, read by the command itself."""

from __future__ import annotations

import importlib
import shlex
from functools import cache
from typing import Final

import pytest

from pipelines.cli import _COMMANDS
from tests.deploy.commands import READMES, ROOT, told, units, values
from tests.deploy.test_airflow import dag
from tests.deploy.test_kubernetes import pods

PARSERS: Final = {
    "run": ("pipelines.options", "parse_run"),
    "estimate": ("pipelines.estimate", "parse_estimate"),
    "check-run": ("pipelines.check", "parse_check"),
    "refresh": ("pipelines.refresh", "parse_refresh"),
}


@cache
def calls() -> tuple[tuple[str, ...], ...]:
    """Return the arguments of each call: of the READMEs, pods, the DAG, Cloud Run and systemd."""
    found = [command.words[1:] for readme in READMES for command in told(readme).of("webscale-rl")]
    found += [tuple(pods()[name]["containers"][0]["args"]) for name in ("run", "refresh")]
    found += [tuple(task["command"][1:]) for task in dag()["tasks"].values()]
    (deployed,) = told("cron").of("gcloud", "run", "jobs", "deploy")
    assert deployed.flag("--command") == "webscale-rl"
    found.append(tuple(deployed.flag("--args").removeprefix("^;^").split(";")))
    for line in units()["webscale-rl.service"]["Service", "ExecStart"]:
        program, *words = shlex.split(line)
        assert program == "/opt/webscale-rl/bin/webscale-rl"
        found.append(tuple(words))
    return tuple(found)


def test_there_is_a_call_from_everywhere() -> None:
    assert len(calls()) == 12
    assert {call[0] for call in calls()} == PARSERS.keys()


@pytest.mark.parametrize("command", PARSERS)
def test_the_command_understands_every_call(command: str) -> None:
    assert command in _COMMANDS
    module, name = PARSERS[command]
    parse = getattr(importlib.import_module(module), name)
    of_ours = str(ROOT / "examples/vertex-ai.yaml")  # what the commands lay down as CONFIG
    for call in calls():
        if call[0] == command:
            assert parse([word.replace(values()["CONFIG"], of_ours) for word in call[1:]])
