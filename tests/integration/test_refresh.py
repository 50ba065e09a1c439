"""A dataset that grows night by night: new and changed files, duplicates, takedowns, crashes, and two at once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pipelines.batch
import pipelines.refresh
import pipelines.run
import transforms.commit
from pipelines.options import UsageError
from pipelines.roots import clear, last_night, opened
from tests.batch_runs import WAIT, batches_of, quick_batches
from tests.caches import emulator, needs_emulator
from tests.integration.test_kills import ROOT as SOURCES
from tests.model_server import ModelServer
from tests.roots import (
    Corpus,
    all_rows,
    catalog_of,
    content_of,
    ids_file,
    lay_out,
    refresh,
    rows,
    runs_of,
    unaccounted,
)
from tests.support import prose, webscale_rl
from tests.weather import numbered_parts
from transforms.files import delete, delete_tree, list_files, read_json, write_parquet, write_text
from transforms.llm.cache import open_cache
from transforms.lock import pid_space
from transforms.swap import SwapError

NEAR = " The wagons were counted twice."
NIGHTS: tuple[Corpus, ...] = (
    {
        "a": {"d1": prose(1), "d2": prose(2), "d3": prose(3)},
        "b": {"d4": prose(4), "d1 copy": prose(1), "d6": prose(6), "short": "Too short."},
    },
    {
        "a": {"d1": prose(7), "d2": prose(2), "d3": prose(3)},
        "b": {"d4": prose(4), "d1 copy": prose(1), "d6": prose(6), "short": "Too short."},
        "c": {"d5": prose(5), "d2 copy": prose(2), "d4 near": prose(4) + NEAR},
    },
    {
        "a": {"d1": prose(7), "d2": prose(2), "d3": prose(3)},
        "b": {"d4": prose(4), "d1 copy": prose(1), "d6": prose(6), "short": "Too short.", "d9": prose(9)},
        "c": {"d5": prose(5), "d2 copy": prose(2), "d4 near": prose(4) + NEAR},
        "d": {"d5 copy": prose(5), "d8": prose(8)},
    },
)
"""The changed d1 gives its copy a turn, and the takedown of d4 what is nearly it."""
TAKEN_DOWN = frozenset({"d4", "d1 copy"})


@pytest.fixture(params=["directory", pytest.param("bucket", marks=needs_emulator)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return where the corpus and the roots of a test are."""
    if request.param == "directory":
        yield str(tmp_path)
        return
    with emulator(tmp_path) as bucket, pytest.MonkeyPatch.context() as patch:
        numbered_parts(patch)
        yield f"gs://{bucket}/somewhere"


def power_cut(*_: Any, **__: Any) -> None:
    raise OSError("the power went out")


@pytest.mark.timeout(600)
def test_three_nights_are_the_same_nights_in_an_empty_root_whatever_crashed(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, disturbed, undisturbed = f"{place}/corpus", f"{place}/disturbed", f"{place}/undisturbed"
    for night, step in enumerate(("lay_down", "enter", "release")):
        lay_out(corpus, NIGHTS[night])
        flags = ("--forget", ids_file(tmp_path / "ids.parquet", *TAKEN_DOWN)) if night == 2 else ()
        assert refresh(corpus, undisturbed, *flags) == 0
        monkeypatch.setattr(transforms.commit, step, power_cut)
        with pytest.raises(Exception, match="the power went out"):
            refresh(corpus, disturbed, *flags)
        monkeypatch.undo()
        assert refresh(corpus, disturbed) == 0
        assert content_of(disturbed) == content_of(undisturbed)
        assert list(unaccounted(disturbed, NIGHTS[night], TAKEN_DOWN if night == 2 else frozenset())) == []
        names = {path.split("/runs/")[1].split("/")[0] for path in list_files(f"{disturbed}/runs/**")}
        assert names == set(runs_of(disturbed)), "what died is cleared away"
    assert sum(run["documents"] for run in catalog_of(disturbed)["runs"]) == 7 + 6 + 4 + 10
    kept = {row["source"]["doc_id"] for row in all_rows(disturbed, "qa")}
    assert kept == {"d1", "d2", "d3", "d5", "d8", "d9", "d4 near"}
    reasons = {row["doc_id"]: row["reason"] for row in all_rows(disturbed, "rejected") if row["doc_id"] in TAKEN_DOWN}
    assert reasons == dict.fromkeys(TAKEN_DOWN, "forgotten"), "the file that holds them still was read again"


@pytest.fixture(scope="module")
def one_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with a `corpus`, and a `root` that one night over it has left."""
    place = tmp_path_factory.mktemp("night")
    lay_out(f"{place}/corpus", {"a": {"d4": prose(4), "d4 copy": prose(4)}, "b": {"d5": prose(5)}})
    assert refresh(f"{place}/corpus", f"{place}/root") == 0
    return place


@pytest.fixture
def root(one_night: Path, tmp_path: Path) -> str:
    """Return a root of one night over the corpus of `one_night`."""
    shutil.copytree(one_night / "root", tmp_path / "root")
    return str(tmp_path / "root")


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


def test_what_ends_as_an_error_comes_again_each_night_and_never_stops_what_is_new(tmp_path: Path) -> None:
    corpus, root = f"{tmp_path}/corpus", f"{tmp_path}/root"
    lay_out(corpus, {"a": {f"d{number}": prose(number) for number in range(1, 30)}})
    Path(corpus, "broken.parquet").write_text("no Parquet")
    assert refresh(corpus, root) == 0
    assert len(runs_of(root)) == 1, "within a refresh an error does not come again"
    assert {path.rpartition("/")[2]: seen["errors"] for path, seen in catalog_of(root)["files"].items()} == {
        "a.parquet": 0,
        "broken.parquet": 1,
    }
    before = content_of(root)
    assert refresh(corpus, root) == 0, "nothing is new, and what could not be read cannot be read"
    assert content_of(root) == before
    pq.write_table(pa.table({"id": ["x"], "text": [prose(31)]}), f"{corpus}/new.parquet")
    assert refresh(corpus, root) == 0, "half of the rows are errors, none of them is news"
    first, second = runs_of(root)
    assert {row["source"]["path"].rpartition("/")[2] for row in rows(f"{root}/runs/{second}/errors")} == {
        "broken.parquet"
    }
    pq.write_table(pa.table({"id": ["y"], "text": [prose(33)]}), f"{corpus}/broken.parquet")
    assert refresh(corpus, root) == 0
    assert {run["errors"] for run in catalog_of(root)["files"].values()} == {0}
    assert first == runs_of(root)[0] and len(runs_of(root)) == 3


def test_a_damaged_row_is_not_read_again_before_its_file_changes(tmp_path: Path) -> None:
    corpus, root = f"{tmp_path}/corpus", f"{tmp_path}/root"
    texts = [b"\xff\xfe", *(prose(number).encode() for number in range(1, 30))]
    buffers = pa.array(texts, pa.binary()).buffers()
    column = pa.Array.from_buffers(pa.string(), len(texts), buffers)
    write_parquet(f"{corpus}/a.parquet", pa.table({"id": [f"d{row}" for row in range(len(texts))], "text": column}))
    assert refresh(corpus, root) == refresh(corpus, root) == 0
    (run,) = catalog_of(root)["runs"]
    assert run["rows"]["errors"] == 1


def test_a_run_that_is_not_complete_is_no_part_of_the_dataset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus, root = f"{tmp_path}/corpus", f"{tmp_path}/root"
    lay_out(corpus, {"a": {"d4": prose(4)}})
    Path(corpus, "broken.parquet").write_text("no Parquet")
    assert refresh(corpus, root) == 3
    assert "read: 1 of 2 ended as errors" in capsys.readouterr().err
    assert catalog_of(root)["runs"] == [] and catalog_of(root)["files"] == {}
    Path(corpus, "broken.parquet").unlink()
    assert refresh(corpus, root) == 0
    assert len(runs_of(root)) == len(list(Path(root, "runs").iterdir())) == 1


def test_what_disappears_from_the_corpus_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus, root = f"{tmp_path}/corpus", f"{tmp_path}/root"
    lay_out(corpus, {"a": {"d4": prose(4)}, "b": {"d5": prose(5)}})
    assert refresh(corpus, root) == 0
    before = content_of(root)
    lay_out(corpus, {"a": {"d4": prose(4)}})
    assert refresh(corpus, root) == 0
    assert content_of(root) == before
    lay_out(corpus, {})
    assert refresh(corpus, root) == 2
    assert "matches no file" in capsys.readouterr().err
    assert content_of(root) == before


def test_other_settings_are_refused_with_what_they_cost_and_full_makes_all_anew(
    one_night: Path, root: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = f"{one_night}/corpus"
    config = tmp_path / "other.yaml"
    config.write_text("models: {generate: {max_tokens: 100}}\nchecks: {max_answer_words: 9}", encoding="utf-8")
    before = content_of(root)
    assert refresh(place, root, "--concurrency", "3") == 0, "that decides about nothing"
    capsys.readouterr()
    lay_out(f"{tmp_path}/more", {"c": {"d8": prose(8)}})
    command = ["refresh", "--input", f"{place}/*", f"{tmp_path}/more/*", "--root", root, "--config", str(config)]
    assert webscale_rl(*command) == 2
    said = capsys.readouterr().err
    assert "made with other settings (checks, models.generate): --full" in said and said.count("\n") == 1
    assert "4 documents" in said and "2 files" in said and "requests of generate, judge" in said
    assert content_of(root) == before

    (old,) = runs_of(root)
    assert webscale_rl(*command, "--full") == 0
    (new,) = runs_of(root)
    assert new != old and [path.name for path in Path(root, "runs").iterdir()] == [new]
    assert [path.name for path in Path(root, "state").iterdir()] == [new]
    assert catalog_of(root)["settings"] == {
        "models": {"generate": {"max_tokens": 100}},
        "checks": {"max_answer_words": 9},
    }
    assert {row["source"]["doc_id"] for row in all_rows(root, "qa")} == {"d4", "d5", "d8"}
    assert webscale_rl(*command) == 0, "the settings are those of the catalogue now"
    assert runs_of(root) == [new]


def test_other_settings_are_refused_where_nothing_is_due_too(one_night: Path, root: str, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("checks: {max_answer_words: 9}", encoding="utf-8")
    assert refresh(f"{one_night}/corpus", root, "--config", str(config)) == 2


def test_a_file_is_known_however_it_is_named(
    one_night: Path, root: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(one_night)
    for place in ("corpus", "./corpus", "../" + one_night.name + "/corpus"):
        assert refresh(place, root) == 0
        assert "Nothing is due" in capsys.readouterr().out
    assert len(runs_of(root)) == 1


def test_what_full_leaves_out_is_said(root: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lay_out(f"{tmp_path}/corpus", {"c": {"d8": prose(8)}})
    before = len(catalog_of(root)["files"])
    assert refresh(f"{tmp_path}/corpus", root, "--full") == 0
    assert f"{before} files of earlier runs are not in --input: what came of them goes." in capsys.readouterr().out
    assert len(catalog_of(root)["files"]) == 1


def test_a_setting_of_null_is_another_one(one_night: Path, root: str, tmp_path: Path) -> None:
    lay_out(f"{tmp_path}/corpus", {"c": {"d8": prose(8)}})
    config = tmp_path / "config.yaml"
    config.write_text("max_document_tokens: null", encoding="utf-8")
    assert refresh(f"{tmp_path}/corpus", root, "--config", str(config)) == 2
    assert refresh(f"{tmp_path}/corpus", root, "--config", str(config), "--full") == 0
    assert catalog_of(root)["settings"] == {"max_document_tokens": None}


def test_runs_of_a_directory(root: str, tmp_path: Path) -> None:
    assert last_night(root) == last_night(f"{root}/") == ([f"{root}/runs/{runs_of(root)[0]}"], [])
    assert last_night(f"{tmp_path}/a-run") == ([f"{tmp_path}/a-run"], [])


def garble(paths: list[str]) -> None:
    for path in paths:
        write_text(path, "no Parquet")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda root: write_text(f"{root}/catalog.json", "{"), "catalog.json is damaged (JSONDecodeError"),
        (lambda root: write_text(f"{root}/catalog.json", "[]"), "catalog.json is damaged (TypeError"),
        (lambda root: write_text(f"{root}/catalog.json", '{"format": 2}'), "has the format 2, and this version"),
        (lambda root: write_text(f"{root}/catalog.json", '{"format": 1, "runs": 3}'), "is damaged (runs: "),
        (lambda root: Path(root, "catalog.json").unlink(), "has runs but no catalog.json"),
        (lambda root: write_text(f"{root}/lock.json", "{"), "lock.json is damaged"),
        (
            lambda root: write_text(f"{root}/runs/x/batch/b.batch.json", '{"key": 1}'),
            "x/batch/b.batch.json is damaged, or",
        ),
        (lambda root: write_text(f"{root}/manifest.json", "{}"), "is a run's --output"),
        (lambda root: delete_tree(f"{root}/state/{runs_of(root)[0]}"), "; restore it, or refresh with --full"),
        (lambda root: delete(list_files(f"{root}/state/*/documents/*")), "; restore it, or refresh with --full"),
        (lambda root: garble(list_files(f"{root}/state/*/documents/*")), "; restore it, or refresh with --full"),
    ],
)
def test_a_root_that_cannot_be_used_is_one_line(
    tmp_path: Path, root: str, capsys: pytest.CaptureFixture[str], spoil: Callable[[str], Any], said: str
) -> None:
    lay_out(f"{tmp_path}/corpus", {"c": {"d8": prose(8)}})
    spoil(root)
    assert refresh(f"{tmp_path}/corpus", root) == 2
    complaint = capsys.readouterr().err
    assert said in complaint and complaint.count("\n") == 1, complaint
    if "--full" in said:
        assert refresh(f"{tmp_path}/corpus", root, "--full") == 0


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--state", "s"), "--state is not for a refresh: the root has one of its own"),
        (("--output=o",), "--output is not for a refresh"),
        (("--until", "dedup"), "--until is not for a refresh"),
        (("--config", "CONFIG"), "cache is not for a refresh"),
        (("--llm-mode", "batch"), "--llm-mode batch and --wait belong together"),
        (("--root", "CORPUS"), "lies in --root"),
        (("--root", ""), "--root is missing"),
        (("--forget", "missing.parquet"), "--forget missing.parquet cannot be read"),
        (("--forget", "CORPUS/a.txt"), "cannot be read"),
        (("--forget", "CORPUS/names.parquet"), "has no column 'id' (it has name)"),
    ],
)
def test_what_is_no_refresh_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], said: str
) -> None:
    lay_out(f"{tmp_path}/corpus", {"a": {"d4": prose(4)}})
    Path(tmp_path, "config.yaml").write_text("cache: elsewhere", encoding="utf-8")
    Path(tmp_path, "corpus", "a.txt").write_text("d4", encoding="utf-8")
    pq.write_table(pa.table({"name": ["d4"]}), tmp_path / "corpus" / "names.parquet")
    places = {"CORPUS": f"{tmp_path}/corpus", "CONFIG": f"{tmp_path}/config.yaml"}
    for name, path in places.items():
        flags = tuple(flag.replace(name, path) for flag in flags)
    assert refresh(f"{tmp_path}/corpus", f"{tmp_path}/root", *flags) == 2
    complaint = capsys.readouterr().err
    assert said in complaint and complaint.count("\n") == 1, complaint


def test_a_refresh_in_batches_waits_for_them_and_goes_on_with_those_of_a_dead_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, root = f"{tmp_path}/corpus", f"{tmp_path}/root"
    lay_out(corpus, {"a": {"d4": prose(4), "d5": prose(5)}})
    with ModelServer() as server, quick_batches():
        flags = (*WAIT, "--model", "openai/test", "--api-base", server.base_url)
        monkeypatch.setattr(pipelines.batch, "_wait", power_cut)
        with pytest.raises(OSError, match="the power went out"):
            refresh(corpus, root, *flags)
        monkeypatch.undo()
        (dead,) = Path(root, "runs").iterdir()
        (sent,) = batches_of(dead)
        assert sent.under_way and not runs_of(root)
        assert refresh(corpus, root, *flags[3:]) == 2, "an online run would pay for the batch's requests again"
        (place,) = Path(root, "runs").iterdir()
        assert batches_of(place) == [sent]
        assert refresh(corpus, root, *flags) == 0
    (run,) = runs_of(root)
    assert sorted(path.name for path in Path(root, "runs").iterdir()) == [run]
    assert sent.name in {batch.name for batch in batches_of(Path(root, "runs", run))}
    assert {row["source"]["doc_id"] for row in all_rows(root, "qa")} == {"d4", "d5"}
    assert read_json(f"{root}/lock.json")["released"]


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
