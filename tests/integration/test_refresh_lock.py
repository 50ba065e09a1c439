"""Two refreshes of one root at a time, dead ones, and jobs that outlive their clients."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import pipelines.refresh
import pipelines.run
import transforms.commit
from pipelines.options import UsageError
from pipelines.roots import clear, opened
from tests.integration.test_kills import ROOT as SOURCES
from tests.roots import all_rows, catalog_of, lay_out, power_cut, refresh, runs_of, unaccounted
from tests.support import prose
from transforms.files import read_json, write_text
from transforms.llm.cache import open_cache
from transforms.lock import pid_space
from transforms.swap import SwapError


def hold(root: str, **changes: Any) -> None:
    """Let somebody hold the lock of a root: the parent of this process, unless said otherwise."""
    now = time.time()
    holder = {"run_id": "another", "user": "ada", "host": socket.gethostname(), "pid": os.getppid(), "started": now}
    lock = {"format": 1, "pids": pid_space(), "beaten": now, "lease_s": 300, "detached": False, "released": False}
    write_text(f"{root}/lock.json", json.dumps(holder | lock | changes))


def dead_process() -> int:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


def test_a_second_refresh_at_the_same_time_is_refused(
    one_night: Path, root: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hold(root, beaten=time.time() - 100)
    assert refresh(f"{one_night}/corpus", root) == 2
    said = capsys.readouterr().err
    assert f"{root} is being refreshed by ada@{socket.gethostname()} (process {os.getppid()}, run another" in said
    assert "last heard of 100 s ago" in said and f"when you delete {root}/lock.json" in said and said.count("\n") == 1
    assert read_json(f"{root}/lock.json")["run_id"] == "another"


@pytest.mark.parametrize(
    ("changes", "held"),
    [
        ({"beaten": 0.0}, False),
        ({"pid": "dead"}, False),
        ({"released": True}, False),
        ({"pid": "dead", "pids": "elsewhere"}, True),
        ({"pid": "dead", "detached": True}, True),
    ],
)
def test_a_lock_whose_holder_died_is_taken_over(
    one_night: Path, root: str, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], held: bool
) -> None:
    hold(root, **{name: dead_process() if value == "dead" else value for name, value in changes.items()})
    assert refresh(f"{one_night}/corpus", root) == (2 if held else 0)
    assert ("Took over the lock of ada@" in capsys.readouterr().err) == (not held and "released" not in changes)
    assert read_json(f"{root}/lock.json")["released"] == (not held)


KILLED = """
import os, signal, sys
import transforms.commit
from pipelines.cli import main
transforms.commit.{step} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("step", ["enter", "release"])
def test_a_refresh_that_is_killed_leaves_nothing_behind(tmp_path: Path, step: str) -> None:
    corpus, root = f"{tmp_path}/corpus", f"{tmp_path}/root"
    lay_out(corpus, {"a": {"d4": prose(4), "d5": prose(5)}})
    command = [sys.executable, "-c", KILLED.format(step=step), "refresh", "--input", f"{corpus}/*", "--root", root]
    assert subprocess.run(command, cwd=SOURCES, check=False, capture_output=True).returncode == -signal.SIGKILL
    (dead,) = (path.name for path in Path(root, "runs").iterdir())
    assert not read_json(f"{root}/lock.json")["released"]
    assert runs_of(root) == ([] if step == "enter" else [dead])
    answers = len(list(open_cache(f"{root}/cache").entries()))
    assert refresh(corpus, root) == 0
    (run,) = runs_of(root)
    assert (run == dead) == (step == "release")
    assert [path.name for path in Path(root, "runs").iterdir()] == [path.name for path in Path(root, "state").iterdir()]
    assert {row["source"]["doc_id"] for row in all_rows(root, "qa")} == {"d4", "d5"}
    assert len(list(open_cache(f"{root}/cache").entries())) == answers, "what was paid is not paid again"


def test_a_run_is_not_added_to_a_catalogue_that_it_was_not_planned_from(
    one_night: Path, root: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    laid = transforms.commit.lay_down

    def meanwhile(*arguments: Any) -> None:
        laid(*arguments)
        catalog = catalog_of(root)
        write_text(f"{root}/catalog.json", json.dumps(catalog | {"generation": catalog["generation"] + 1}))

    corpus = {"a": {"d4": prose(4), "d4 copy": prose(4)}, "b": {"d5": prose(5)}, "c": {"d8": prose(8)}}
    place = f"{Path(root).parent}/corpus"
    lay_out(place, corpus)
    before = catalog_of(root)["runs"]
    monkeypatch.setattr(transforms.commit, "lay_down", meanwhile)
    assert refresh(place, root) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert "to the catalogue" in said and "it is not the one that the run was planned from" in said
    assert catalog_of(root)["runs"] == before
    monkeypatch.undo()
    assert refresh(place, root) == 0
    assert list(unaccounted(root, corpus)) == []


def test_a_job_that_enters_as_another_refresh_takes_over_keeps_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, root = f"{tmp_path}/corpus", f"{tmp_path}/root"
    lay_out(corpus, {"a": {"d4": prose(4), "d5": prose(5)}})
    late: list[Any] = []
    monkeypatch.setattr(transforms.commit, "enter", lambda *arguments: late.append(arguments) or power_cut())
    with pytest.raises(Exception, match="the power went out"):
        refresh(corpus, root)
    monkeypatch.undo()
    cleared = pipelines.refresh.clear

    def clear(*arguments: Any) -> Any:
        transforms.commit.enter(*late[0])
        return cleared(*arguments)

    monkeypatch.setattr(pipelines.refresh, "clear", clear)
    assert refresh(corpus, root) == 0
    (run,) = runs_of(root)
    assert Path(root, "runs", run, "qa").is_dir() and Path(root, "state", run, "documents").is_dir()
    assert {row["source"]["doc_id"] for row in all_rows(root, "qa")} == {"d4", "d5"}


def test_a_job_whose_files_another_refresh_has_cleared_away_does_not_enter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus, root = f"{tmp_path}/corpus", f"{tmp_path}/root"
    lay_out(corpus, {"a": {"d4": prose(4), "d5": prose(5)}})
    laid = transforms.commit.lay_down

    def lay_down(*arguments: Any) -> None:
        clear(root, opened(root))
        laid(*arguments)

    monkeypatch.setattr(transforms.commit, "lay_down", lay_down)
    assert refresh(corpus, root) == 1
    assert "it is not the one that the run was planned from" in capsys.readouterr().err
    assert runs_of(root) == []
    monkeypatch.undo()
    assert refresh(corpus, root) == 0
    assert {row["source"]["doc_id"] for row in all_rows(root, "qa")} == {"d4", "d5"}


def test_a_job_that_its_client_has_left_ends_as_another_and_keeps_the_lock_until_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus, root = f"{tmp_path}/corpus", f"{tmp_path}/root"
    lay_out(corpus, {"a": {"d4": prose(4)}})
    assert refresh(corpus, root, "--no-wait") == 2
    assert "--no-wait: nothing would run without this client" in capsys.readouterr().err
    assert read_json(f"{root}/lock.json")["released"]

    cluster = []
    monkeypatch.setattr(pipelines.run, "check_outlives", lambda *_: None)
    monkeypatch.setattr(pipelines.run, "leave", lambda pipeline, *_: cluster.append(pipeline) or "where to look")
    assert refresh(corpus, root, "--no-wait") == 0
    assert "is submitted: where to look" in capsys.readouterr().out
    assert refresh(corpus, root) == 2
    assert "is being refreshed by a detached job of " in capsys.readouterr().err
    assert runs_of(root) == []

    (job,) = cluster
    job.run().wait_until_finish()
    (run,) = runs_of(root)
    assert read_json(f"{root}/lock.json")["released"]
    assert refresh(corpus, root) == 0 and runs_of(root) == [run]


def test_a_job_is_not_submitted_that_its_lock_cannot_be_left_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus, root = f"{tmp_path}/corpus", f"{tmp_path}/root"
    lay_out(corpus, {"a": {"d4": prose(4)}})
    submitted: list[Any] = []

    def outage(*_: Any) -> None:
        raise SwapError("cannot write the lock (outage); try again")

    monkeypatch.setattr(pipelines.run, "check_outlives", lambda *_: None)
    monkeypatch.setattr(pipelines.run, "leave", submitted.append)
    monkeypatch.setattr(pipelines.run, "leave_lock", outage)
    assert refresh(corpus, root, "--no-wait") == 2
    assert capsys.readouterr().err.splitlines()[-1] == "webscale-rl: cannot write the lock (outage); try again"
    assert submitted == [] and read_json(f"{root}/lock.json")["released"]

    def refused(*_: Any) -> None:
        assert read_json(f"{root}/lock.json")["detached"], "before the job begins"
        raise UsageError("the cluster takes no job")

    monkeypatch.undo()
    monkeypatch.setattr(pipelines.run, "check_outlives", lambda *_: None)
    monkeypatch.setattr(pipelines.run, "leave", refused)
    assert refresh(corpus, root, "--no-wait") == 2
    assert read_json(f"{root}/lock.json")["released"]
