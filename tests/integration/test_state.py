"""Runs that remember: what comes again, what duplicates or supersedes an earlier document, what a crash leaves."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from apache_beam.io.filesystems import FileSystems

import pipelines.run
import transforms.commit
import transforms.files
import transforms.state
from tests.support import manifest_of, prose, rows_of, stages_of, webscale_rl, write_corpus

KEPT = (1, 2, 3, 4, 5, 7, 8, 9)
"""Numbers of `prose` texts that give pairs; 0, 6, 10 and 11 are screened out."""

Nights = Callable[..., Path]


@pytest.fixture
def night(tmp_path: Path) -> Nights:
    """Run one night over texts by id, with one state for all nights, and return its output."""

    def run(name: str, texts: dict[str, str], *flags: str) -> Path:
        corpus = write_corpus(tmp_path / f"{name}.parquet", list(texts.values()), id=list(texts), row_group_size=5)
        assert (
            webscale_rl("run", "--input", corpus, "--output", tmp_path / name, "--state", tmp_path / "s", *flags) == 0
        )
        return tmp_path / name

    return run


def corpus(*numbers: int) -> dict[str, str]:
    return {f"d{number}": prose(number) for number in numbers}


def remembered(state: Path) -> list[dict[str, Any]]:
    """Return the rows of a state's documents, run by run."""
    runs = sorted(path.parent for path in state.glob("*/_SUCCESS"))
    return [row for run in runs for row in rows_of(run, "documents")]


def rejected(output: Path) -> dict[str, tuple[str, str | None]]:
    """Return (reason, what it duplicates) of each rejected document."""
    rows = rows_of(output, "rejected")
    return {row["doc_id"]: (row["reason"], row["duplicate_of"]) for row in rows if row["pair_id"] is None}


def test_the_second_night_sees_only_what_is_new(night: Nights, tmp_path: Path) -> None:
    first = night("one", corpus(*range(10)))
    documents = remembered(tmp_path / "s")
    assert {row["doc_id"]: row["outcome"] for row in documents} == {
        f"d{number}": "kept" if number in KEPT else "rejected" for number in range(10)
    }
    pairs = {row["id"] for row in rows_of(first, "qa")}
    assert {pair for row in documents for pair in row["pair_ids"]} == pairs
    assert all(len(row["signature"]) == 120 and row["shingles"] for row in documents if row["outcome"] == "kept")

    second = night("two", corpus(*range(12)))
    read = stages_of(second)["read"]
    assert (read["in"], read["kept"], read["reasons"]) == (12, 2, {"unchanged": 10})
    assert manifest_of(second)["usage"][0]["calls"] == 2
    assert not pairs & {row["id"] for row in rows_of(second, "qa")}
    before = remembered(tmp_path / "s")
    third = night("three", corpus(*range(12)))
    assert stages_of(third)["read"]["reasons"] == {"unchanged": 12}
    assert remembered(tmp_path / "s") == before


def test_duplicates_of_an_earlier_document_go_and_it_never_goes_for_them(night: Nights) -> None:
    night("one", corpus(*range(12)))
    longer = prose(4) + " The wagons were counted twice."
    second = night("two", {"longer": longer, "copy": prose(5), "copy-of-rejected": prose(6), "longer-copy": longer})
    assert rejected(second) == {
        "longer": ("near_duplicate", "d4"),
        "longer-copy": ("near_duplicate", "d4"),
        "copy": ("exact_duplicate", "d5"),
        "copy-of-rejected": ("not_qualified", None),
    }


def test_a_changed_text_supersedes_the_old_document_and_its_pairs(night: Nights, tmp_path: Path) -> None:
    first = night("one", corpus(3, 4, 5))
    old = {row["id"] for row in rows_of(first, "qa") if row["source"]["doc_id"] == "d4"}
    changed = prose(4) + " The wagons were counted twice."
    second = night("two", {**corpus(3, 5), "d4": changed})
    (row,) = rows_of(second, "superseded")
    assert row["doc_id"] == "d4" and set(row["pair_ids"]) == old and len(old) == 2
    assert row["run_id"] == manifest_of(first)["run_id"]
    assert rejected(second) == {"d3": ("unchanged", None), "d5": ("unchanged", None)}
    new = {row["id"] for row in rows_of(second, "qa")}
    assert len(new) == 2 and not new & old, "the same questions, of a text that replaced the old one"

    # The old text is in the dataset no longer, the changed one is.
    third = night("three", {"x": prose(4), "y": changed})
    assert rejected(third) == {"x": ("near_duplicate", "d4"), "y": ("exact_duplicate", "d4")}
    # It may come back, and then the changed one is superseded.
    fourth = night("four", {"d4": prose(4)})
    assert {pair for row in rows_of(fourth, "superseded") for pair in row["pair_ids"]} == new
    assert {row["id"] for row in rows_of(fourth, "qa")} == old
    assert rejected(night("five", {"d4": prose(4)})) == {"d4": ("unchanged", None)}


def test_what_is_superseded_the_same_night_holds_nobody_up(night: Nights) -> None:
    night("one", corpus(4))
    second = night("two", {"d4": prose(7), "heir": prose(4)})
    assert {row["source"]["doc_id"] for row in rows_of(second, "qa")} == {"d4", "heir"}
    assert rejected(second) == {}


def test_a_copy_has_its_turn_once_what_it_copied_is_superseded(night: Nights) -> None:
    first = night("one", {"d4": prose(4), "z": prose(4)})
    assert rejected(first) == {"z": ("exact_duplicate", "d4")}
    assert rejected(night("two", {"d4": prose(4), "z": prose(4)}))["z"] == ("exact_duplicate", "d4")
    third = night("three", {"d4": prose(7), "z": prose(4)})
    assert {row["source"]["doc_id"] for row in rows_of(third, "qa")} == {"d4", "z"}


def test_a_question_of_an_earlier_night_is_not_asked_again(night: Nights) -> None:
    first = night("one", corpus(4))
    sentence = next(row["evidence"] for row in rows_of(first, "qa"))
    second = night("two", {"other": f"{prose(8)} {sentence}"})
    again = [row for row in rows_of(second, "rejected") if row["stage"] == "questions"]
    assert [(row["reason"], row["duplicate_of"]) for row in again] == [
        ("duplicate_question", row["id"]) for row in rows_of(first, "qa") if row["evidence"] == sentence
    ]


def test_questions_of_a_text_that_came_back_are_not_asked_again(night: Nights) -> None:
    night("one", corpus(4))
    night("two", {"d4": prose(7)})
    third = night("three", corpus(4))
    sentence = next(row["evidence"] for row in rows_of(third, "qa"))
    fourth = night("four", {"other": f"{prose(8)} {sentence}"})
    assert not {row["question"] for row in rows_of(third, "qa")} & {row["question"] for row in rows_of(fourth, "qa")}
    assert "duplicate_question" in stages_of(fourth)["questions"]["reasons"]


def test_a_run_that_stops_early_looks_at_the_state_and_leaves_nothing(night: Nights, tmp_path: Path) -> None:
    night("early", corpus(4), "--until", "questions")
    assert not list((tmp_path / "s").glob("*/*"))
    night("one", corpus(4))
    second = night("two", {"copy": prose(4)}, "--until", "dedup")
    assert rejected(second) == {"copy": ("exact_duplicate", "d4")}
    assert len(list((tmp_path / "s").glob("*/_SUCCESS"))) == 1


def test_an_output_that_is_made_again_replaces_what_it_left(night: Nights, tmp_path: Path) -> None:
    first = night("one", corpus(*KEPT))
    pairs, documents = rows_of(first, "qa"), remembered(tmp_path / "s")
    assert rows_of(night("one", corpus(*KEPT), "--overwrite"), "qa") == pairs
    assert remembered(tmp_path / "s") == documents
    assert sum(path.is_dir() for path in (tmp_path / "s").iterdir()) == 1


def test_an_output_that_was_moved_is_known_by_its_run(night: Nights, tmp_path: Path) -> None:
    pairs = [row["id"] for row in rows_of(night("one", corpus(4)), "qa")]
    (tmp_path / "one").rename(tmp_path / "moved")
    assert [row["id"] for row in rows_of(night("moved", corpus(4), "--overwrite"), "qa")] == pairs
    assert sum(path.is_dir() for path in (tmp_path / "s").iterdir()) == 1


def test_only_the_last_run_can_be_made_again(night: Nights, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = night("one", corpus(4))
    night("two", {"d4": prose(7)})
    pairs = rows_of(first, "qa")
    again = ["run", "--input", tmp_path / "one.parquet", "--output", first, "--state", tmp_path / "s", "--overwrite"]
    assert webscale_rl(*again) == 2
    assert f"{first} is not the last run of" in capsys.readouterr().err
    assert rows_of(first, "qa") == pairs


def test_an_output_made_again_without_its_state_is_noticed(
    night: Nights, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = night("one", corpus(4))
    path = write_corpus(tmp_path / "b.parquet", [prose(7)])
    assert webscale_rl("run", "--input", path, "--output", first, "--overwrite") == 0
    assert webscale_rl("run", "--input", path, "--output", tmp_path / "two", "--state", tmp_path / "s") == 2
    assert f"{first} was made again without --state" in capsys.readouterr().err


def test_a_state_that_is_in_use_is_left_alone(
    night: Nights, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    night("one", corpus(4))
    (tmp_path / "s" / "in_use.json").write_text(
        json.dumps({"run_id": "another", "host": socket.gethostname(), "pid": os.getppid(), "started": "now"})
    )
    path = write_corpus(tmp_path / "b.parquet", [prose(7)])
    command = ["run", "--input", path, "--output", tmp_path / "two", "--state", tmp_path / "s"]
    assert webscale_rl(*command) == 2
    assert "in_use.json: run another" in capsys.readouterr().err


def failing(*_: Any) -> None:
    raise OSError("the power went out")


def test_a_run_that_dies_while_an_output_is_cleared_leaves_no_trace(
    night: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night("one", corpus(4))
    monkeypatch.setattr(pipelines.run, "forget", failing)
    with pytest.raises(OSError, match="the power went out"):
        night("one", corpus(4), "--overwrite")
    monkeypatch.undo()
    assert stages_of(night("two", corpus(4)))["read"]["kept"] == 1


def test_a_commit_that_is_tried_again_changes_nothing(
    night: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = transforms.commit._commit

    def twice(*args: Any, **kwargs: Any) -> dict[str, Any]:
        first = before(*args, **kwargs)
        assert before(*args, **kwargs) == first
        return first

    monkeypatch.setattr(transforms.commit, "_commit", twice)
    night("one", corpus(4))
    assert stages_of(night("two", corpus(4)))["read"]["reasons"] == {"unchanged": 1}


def test_where_directories_are_only_names_an_older_run_leaves_nothing(
    night: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FileSystems, "exists", staticmethod(os.path.isfile))  # as on a bucket
    monkeypatch.setattr(transforms.files, "ROWS_PER_SHARD", 2)
    night("one", corpus(3, 4, 5))
    monkeypatch.undo()
    monkeypatch.setattr(FileSystems, "exists", staticmethod(os.path.isfile))
    night("one", corpus(7), "--overwrite")
    assert {row["doc_id"] for row in remembered(tmp_path / "s")} == {"d7"}


@pytest.mark.parametrize("step", ["copy", "write_text"])
def test_a_run_that_dies_before_its_success_leaves_no_trace(
    night: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    copied = transforms.state.copy
    half = {
        "copy": lambda path, target: failing() if "/questions/" in target else copied(path, target),
        "write_text": failing,
    }
    monkeypatch.setattr(transforms.state, step, half[step])
    with pytest.raises(Exception, match="the power went out"):
        night("one", corpus(4, 5))
    monkeypatch.undo()
    assert stages_of(night("two", corpus(4)))["read"]["kept"] == 1
    assert stages_of(night("one", corpus(4, 5)))["read"]["reasons"] == {"unchanged": 1}
    assert sum(path.is_dir() for path in (tmp_path / "s").iterdir()) == 2


def test_a_run_that_dies_after_laying_down_leaves_no_trace(
    night: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = transforms.commit.write_text
    monkeypatch.setattr(
        transforms.commit,
        "write_text",
        lambda path, text: failing() if path.endswith("_SUCCESS") else before(path, text),
    )
    with pytest.raises(Exception, match="the power went out"):
        night("one", corpus(4, 5))
    monkeypatch.undo()
    assert list((tmp_path / "s").glob("*/run.json"))
    assert stages_of(night("two", corpus(4)))["read"]["kept"] == 1
    night("one", corpus(4, 5))
    assert sum(path.is_dir() for path in (tmp_path / "s").iterdir()) == 2, "what was half laid down is cleared away"


def test_a_run_that_dies_between_its_success_and_the_states_counts(
    night: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transforms.commit, "confirm", failing)
    with pytest.raises(Exception, match="the power went out"):
        night("one", corpus(4, 5))
    monkeypatch.undo()
    assert (tmp_path / "one" / "_SUCCESS").exists() and not list((tmp_path / "s").glob("*/_SUCCESS"))
    assert stages_of(night("two", corpus(4, 5)))["read"]["reasons"] == {"unchanged": 2}


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


def older(path: Path) -> None:
    pq.write_table(pq.read_table(path).drop_columns(["shingles"]), path)


@pytest.fixture(scope="module")
def one_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with a corpus and the state that a run over it has left in `s`."""
    place = tmp_path_factory.mktemp("state")
    path = write_corpus(place / "a.parquet", [prose(4)])
    assert webscale_rl("run", "--input", path, "--output", place / "one", "--state", place / "s") == 0
    return place


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda run: (run / "run.json").write_text("{"), "run.json cannot be read"),
        (lambda run: (run / "run.json").write_text('{"minhash": "0"}'), "made by other hash functions (0,"),
        (lambda run: (run / "run.json").unlink(), "lacks its run.json"),
        (lambda run: next((run / "documents").iterdir()).unlink(), "lacks its file documents/part-00000-of-00001"),
        (lambda run: older(next((run / "documents").iterdir())), "lacks its columns shingles, another version of"),
        (lambda run: damage(next((run / "questions").iterdir())), "part-00000-of-00001.parquet cannot be read"),
        (
            lambda run: (run / "run.json").write_text(
                json.dumps({**json.loads((run / "run.json").read_text()), "permutations": 60})
            ),
            "has signatures of 60 hashes, and dedup.bands x dedup.rows is 120",
        ),
    ],
)
def test_a_state_that_cannot_be_read_is_refused(
    one_night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], Any], said: str
) -> None:
    shutil.copytree(one_night / "s", tmp_path / "s")
    (run,) = (path for path in (tmp_path / "s").iterdir() if path.is_dir())
    spoil(run)
    command = ["run", "--input", one_night / "a.parquet", "--output", tmp_path / "two", "--state", tmp_path / "s"]
    assert webscale_rl(*command) == 2
    complaint = capsys.readouterr().err
    assert said in complaint and complaint.count("\n") == 1, complaint
    assert not list((tmp_path / "two").iterdir())


def test_a_state_must_lie_where_nothing_else_is_cleared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_corpus(tmp_path / "a.parquet", [prose(4)])
    command = ["run", "--input", path, "--output", tmp_path / "out", "--state"]
    for state in (tmp_path / "out", tmp_path / "out" / "scratch" / "s"):
        assert webscale_rl(*command, state) == 2
        assert f"--state {state} lies where --output" in capsys.readouterr().err
    for name, kind in (("manifest.json", "a run's --output"), ("run.json", "one run of a state")):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / name).write_text("{}")
        assert webscale_rl(*command, tmp_path / kind) == 2
        assert f"is {kind}" in capsys.readouterr().err
    assert webscale_rl(*command, "s3://bucket/state") == 2
    assert "cannot write to --state s3://bucket/state" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert webscale_rl(*command, tmp_path / "file" / "s") == 2
    assert "cannot write to --state" in capsys.readouterr().err


def test_a_document_that_was_cleaned_is_known_by_its_text_in_the_corpus(night: Nights, tmp_path: Path) -> None:
    config = tmp_path / "clean.yaml"
    config.write_text("filters: {c4: {}, clean_lines: true}", encoding="utf-8")
    dirty = "\n".join([prose(4), "Lorem {ipsum", "read our cookie policy here"]).replace("Lorem {ipsum\n", "")
    night("one", {"d": dirty}, "--config", str(config))
    (row,) = remembered(tmp_path / "s")
    assert row["outcome"] == "kept" and row["source_sha256"] != row["text_sha256"]
    second = night("two", {"d": dirty, "clean": prose(4)}, "--config", str(config))
    assert rejected(second) == {"d": ("unchanged", None), "clean": ("exact_duplicate", "d")}
