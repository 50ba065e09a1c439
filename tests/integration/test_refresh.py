"""A dataset that grows night by night: new and changed files, duplicates, takedowns, crashes, and two at once."""

from __future__ import annotations

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
from pipelines.roots import last_night
from tests.batch_runs import WAIT, batches_of, quick_batches
from tests.caches import emulator, needs_emulator
from tests.model_server import ModelServer
from tests.roots import (
    Corpus,
    all_rows,
    catalog_of,
    content_of,
    ids_file,
    lay_out,
    power_cut,
    refresh,
    rows,
    runs_of,
    unaccounted,
)
from tests.support import prose, webscale_rl
from tests.weather import numbered_parts
from transforms.files import delete, delete_tree, list_files, read_json, write_parquet, write_text

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


def test_the_last_line_counts_what_is_in_the_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus, root = f"{tmp_path}/corpus", f"{tmp_path}/root"
    for number, (text, runs) in enumerate(((prose(4), "1 run"), (prose(7), "2 runs"), (prose(7), "2 runs"))):
        lay_out(corpus, {"a": {"d4": text}})
        assert refresh(corpus, root) == 0
        live = len(rows(f"{root}/runs/{runs_of(root)[-1]}/qa"))
        due = "Nothing is due: " if number == 2 else ""
        pairs = "1 pair" if live == 1 else f"{live} pairs"
        assert capsys.readouterr().out.splitlines()[-1] == f"{due}{root} has {pairs} in {runs} over 1 corpus file."
    assert catalog_of(root)["runs"][1]["rows"]["superseded"] == 1
    ids = ids_file(tmp_path / "ids.parquet", "d4")
    assert refresh(corpus, root, "--forget", ids) == 0
    assert f"{root} has 0 pairs in " in capsys.readouterr().out


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
