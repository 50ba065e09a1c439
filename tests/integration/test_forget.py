"""Takedowns: what came of a document is nowhere under a root any more, and does not come back."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import pipelines.batch
import pipelines.takedown
import transforms.commit
from tests.batch_runs import WAIT, quick_batches
from tests.model_server import ModelServer
from tests.roots import (
    all_rows,
    catalog_of,
    content_of,
    ids_file,
    lay_out,
    power_cut,
    read_table,
    refresh,
    rows,
    runs_of,
    unaccounted,
)
from tests.support import manifest_of, prose, webscale_rl
from transforms.files import list_files
from transforms.llm.cache import open_cache

NEAR = " The wagons were counted twice."
FIRST = {"a": {"d4": prose(4), "d5": prose(5)}, "b": {"d6": prose(6), "heir": prose(4), "d7": prose(7)}}
SECOND = {**FIRST, "a": {"d4": prose(8), "d5": prose(5)}}


@pytest.fixture(scope="module")
def two_nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with a corpus, and a root: d4 has had two texts, of which `heir` copies the first."""
    place = tmp_path_factory.mktemp("nights")
    for corpus in (FIRST, SECOND):
        lay_out(f"{place}/corpus", corpus)
        assert refresh(f"{place}/corpus", f"{place}/root") == 0
    return place


@pytest.fixture
def root(two_nights: Path, tmp_path: Path) -> str:
    shutil.copytree(two_nights / "root", tmp_path / "root")
    return str(tmp_path / "root")


def mentions(root: str, doc_id: str, text: str) -> list[str]:
    """Return the files under a root that name a document, or hold the beginning of its text: Parquet by its rows."""
    name = re.compile(rf"""["']{doc_id}\\?["']""")  # as Python, JSON, and JSON within JSON quote it
    found = []
    for path in Path(root).rglob("*"):
        if path.is_file():
            rows = ".parquet" in path.name
            content = str(read_table(str(path)).to_pylist()) if rows else path.read_bytes().decode(errors="replace")
            found += [str(path)] if name.search(content) or text[:60] in content else []
    return found


def answers(root: str) -> set[str]:
    cache = open_cache(f"{root}/cache")
    keys = {key for key, _ in cache.entries()}
    cache.close()
    return keys


def calls_of(root: str, doc_id: str) -> set[str]:
    kinds = [row for kind in ("qa", "rejected", "errors") for row in all_rows(root, kind)]
    return {key for row in kinds if row["source"]["doc_id"] == doc_id for key in row["calls"].values() if key}


def test_nothing_of_a_forgotten_document_is_left(root: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys, before, others = calls_of(root, "d4"), answers(root), calls_of(root, "d7") | calls_of(root, "d5")
    assert keys and mentions(root, "d4", prose(4)) and catalog_of(root)["runs"][1]["rows"]["superseded"] == 1
    dead = Path(root, "runs", "dead", "rejected")
    shutil.copytree(Path(root, "runs", runs_of(root)[0], "rejected"), dead)
    rows_before = {run["id"]: run["rows"] for run in catalog_of(root)["runs"]}
    ids = ids_file(tmp_path / "ids.parquet", "d4", "d6", "never seen")
    assert webscale_rl("refresh", "--root", root, "--forget", ids) == 0
    assert f"2 of 3 documents were in {root}" in capsys.readouterr().out
    assert not dead.exists()
    for number in (4, 6):
        assert mentions(root, f"d{number}", prose(number)) == []
    assert not answers(root) & keys and others <= answers(root) and len(answers(root)) < len(before)
    for run in catalog_of(root)["runs"]:
        manifest = manifest_of(Path(root, "runs", run["id"]))
        assert manifest["forgotten"] == {
            name: rows_before[run["id"]][name] - run["rows"][name]
            for name in ("qa", "rejected", "errors", "superseded")
        }
        for name in ("qa", "rejected", "errors", "superseded"):
            there = [read_table(path).num_rows for path in list_files(f"{root}/runs/{run['id']}/{name}/part-*.parquet")]
            assert manifest["rows"][name] == run["rows"][name] == sum(there)
    once = content_of(root)
    assert webscale_rl("refresh", "--root", root, "--forget", ids) == 0
    assert "0 of 3 documents were in" in capsys.readouterr().out
    assert content_of(root) == once, "they are noted already"


def test_the_duplicate_of_a_forgotten_document_has_its_turn_and_the_document_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus, root = f"{tmp_path}/corpus", f"{tmp_path}/root"
    texts = {"a": {"d4": prose(4)}, "b": {"d4 near": prose(4) + NEAR, "d5": prose(5)}, "c": {"d4 copy": prose(4)}}
    lay_out(corpus, {name: texts[name] for name in "ac"})
    assert refresh(corpus, root) == 0
    lay_out(corpus, texts)
    assert refresh(corpus, root) == 0
    assert {row["source"]["doc_id"] for row in all_rows(root, "qa")} == {"d4", "d5"}
    capsys.readouterr()
    assert refresh(corpus, root, "--forget", ids_file(tmp_path / "ids.parquet", "d4")) == 0
    assert "reads 2 corpus files: 2 with documents whose survivor went" in capsys.readouterr().out
    assert {row["source"]["doc_id"] for row in all_rows(root, "qa")} == {"d4 near", "d5"}
    assert list(unaccounted(root, texts, frozenset({"d4"}))) == []
    lay_out(corpus, {**texts, "a": {"d4": prose(9), "new": prose(7)}})
    assert refresh(corpus, root) == 0
    assert [row["reason"] for row in all_rows(root, "rejected") if row["doc_id"] == "d4"] == ["forgotten"]
    assert refresh(corpus, root, "--full") == 0, "not even then"
    assert {row["source"]["doc_id"] for row in all_rows(root, "qa")} == {"d4 near", "d5", "new"}
    assert len(runs_of(root)) == 1


def test_what_a_run_that_died_at_its_very_end_has_left_is_forgotten_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, root = f"{tmp_path}/corpus", f"{tmp_path}/root"
    lay_out(corpus, {"a": {"d4": prose(4), "d5": prose(5)}})

    monkeypatch.setattr(transforms.commit, "_clear", power_cut)
    with pytest.raises(Exception, match="the power went out"):
        refresh(corpus, root)
    monkeypatch.undo()
    for shard in list_files(f"{root}/runs/*/qa/part-*") + list_files(f"{root}/state/*/documents/part-*"):
        shutil.copy(shard, f"{shard}.{'0' * 32}.tmp")
    (run,) = runs_of(root)
    assert any(f"{run}/scratch" in path for path in mentions(root, "d4", prose(4)))
    assert sum(path.endswith(".tmp") for path in mentions(root, "d4", prose(4))) == 2
    assert webscale_rl("refresh", "--root", root, "--forget", ids_file(tmp_path / "ids.parquet", "d4")) == 0
    assert mentions(root, "d4", prose(4)) == [] and runs_of(root) == [run]


@pytest.mark.parametrize("dies", [True, False])
def test_what_duplicates_a_forgotten_document_or_question_does_not_name_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies: bool
) -> None:
    corpus, root, ids = f"{tmp_path}/corpus", f"{tmp_path}/root", ids_file(tmp_path / "ids.parquet", "d4")
    longer = " ".join(prose(number) for number in (4, 60, 61, 62))
    for texts in ({"a": {"d4": prose(4)}}, {"a": {"d4": prose(4)}, "b": {"copy": prose(4), "longer": longer}}):
        lay_out(corpus, texts)
        assert refresh(corpus, root) == 0
    first, second = runs_of(root)
    pairs = {row["id"] for row in rows(f"{root}/runs/{first}/qa")}
    named = [row["duplicate_of"] for row in rows(f"{root}/runs/{second}/rejected") if row["duplicate_of"]]
    assert "d4" in named and pairs.intersection(named)
    whole = pipelines.takedown._sweep_run

    def power_cut(output: str, *arguments: Any) -> Any:
        if output.endswith(second):
            raise RuntimeError("the power went out")
        return whole(output, *arguments)

    if dies:
        monkeypatch.setattr(pipelines.takedown, "_sweep_run", power_cut)
        with pytest.raises(RuntimeError, match="the power went out"):
            webscale_rl("refresh", "--root", root, "--forget", ids)
        monkeypatch.undo()
    assert webscale_rl("refresh", "--root", root, "--forget", ids) == 0
    for name in ("d4", *pairs):
        assert mentions(root, name, prose(4)) == []


def test_what_batches_under_way_answer_about_a_forgotten_document_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus, root = f"{tmp_path}/corpus", f"{tmp_path}/root"
    lay_out(corpus, {"a": {"d4": prose(4), "d5": prose(5)}})

    with ModelServer() as server, quick_batches():
        flags = (*WAIT, "--model", "openai/test", "--api-base", server.base_url)
        monkeypatch.setattr(pipelines.batch, "_wait", power_cut)
        with pytest.raises(OSError, match="the power went out"):
            refresh(corpus, root, *flags)
        monkeypatch.undo()
        assert webscale_rl("refresh", "--root", root, "--forget", ids_file(tmp_path / "ids.parquet", "d4")) == 0
        said = capsys.readouterr()
        assert "1 of 1 documents were in" in said.out
        assert "until its batches are over" in said.err
        assert refresh(corpus, root, *flags) == 0
    kinds = [row for kind in ("qa", "rejected", "errors") for row in all_rows(root, kind)]
    assert {row["source"]["doc_id"] for row in kinds if any(row["calls"].values())} == {"d5"}
    assert answers(root) == {key for row in kinds for key in row["calls"].values() if key}


def test_what_was_forgotten_stays_so_where_the_catalogue_is_lost(tmp_path: Path) -> None:
    corpus, root = f"{tmp_path}/corpus", tmp_path / "root"
    lay_out(corpus, {"a": {"d4": prose(4), "d5": prose(5)}})
    assert refresh(corpus, str(root), "--forget", ids_file(tmp_path / "ids.parquet", "d4", "d6")) == 0
    (root / "catalog.json").unlink()
    assert refresh(corpus, str(root)) == 2
    shutil.move(root / "runs", tmp_path / "runs")
    shutil.move(root / "state", tmp_path / "state")
    assert refresh(corpus, str(root)) == 0
    (takedown,) = catalog_of(str(root))["forgotten"]
    assert takedown["swept"] and takedown["ids"] == 2 and (root / "forgotten" / f"{takedown['id']}.parquet").exists()
    assert {row["source"]["doc_id"] for row in all_rows(str(root), "qa")} == {"d5"}


def test_a_root_that_is_none_is_not_made_by_forgetting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "mistyped"
    assert webscale_rl("refresh", "--root", str(root), "--forget", ids_file(tmp_path / "ids.parquet", "d4")) == 2
    said = capsys.readouterr().err
    assert f"--root {root} has no catalog.json: name the dataset" in said and said.count("\n") == 1
    assert not root.exists()


STEPS = (
    ("duplicates_of", 1), ("_remove_answers", 1), ("_rewrite", 2), ("_sweep_state", 1), ("_sweep_run", 1),
    ("_sweep_run", 2), ("_swept", 1),
)  # fmt: skip


@pytest.mark.parametrize(("step", "call"), STEPS)
def test_a_takedown_that_dies_is_taken_up_by_the_next_refresh(
    root: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    step: str,
    call: int,
) -> None:
    keys = calls_of(root, "d4")
    assert "d4" in {row["duplicate_of"] for row in all_rows(root, "rejected")}
    whole, calls = getattr(pipelines.takedown, step), []

    def power_cut(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == call:
            raise RuntimeError("the power went out")
        return whole(*arguments)

    monkeypatch.setattr(pipelines.takedown, step, power_cut)
    with pytest.raises(RuntimeError, match="the power went out"):
        webscale_rl("refresh", "--root", root, "--forget", ids_file(tmp_path / "ids.parquet", "d4"))
    monkeypatch.undo()
    assert [takedown["swept"] for takedown in catalog_of(root)["forgotten"]] == [False]
    other = ids_file(tmp_path / "other.parquet", "d5")
    assert webscale_rl("refresh", "--root", root, "--forget", other) == 0
    assert "1 of 1 documents were in" in capsys.readouterr().out, "only those that were asked for"
    assert [takedown["swept"] for takedown in catalog_of(root)["forgotten"]] == [True, True]
    assert mentions(root, "d4", prose(4)) == [] and not answers(root) & keys
