"""The manifest: when a run is complete, when it is not, and when it must fail."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from schemas.counts import Counts
from transforms.commit import RunFacts, _commit, cost, manifest, usage_table
from transforms.output import OWNER


def facts(**changes: Any) -> RunFacts:
    fields: dict[str, Any] = {
        "output": "out",
        "stages": ("read", "filter"),
        "until": "filter",
        "expected_rows": 100,
        "max_error_share": 0.05,
        "started": 10.0,
        "run_id": "run",
        "about": {"config": {}},
    }
    return RunFacts(**(fields | changes))


def counts(**doors: int) -> Counts:
    read = {"in": 100, "kept": 100}
    filtered = {"in": 100, "kept": 100, **doors}
    return Counter(
        {("read", door): n for door, n in read.items()} | {("filter", door): n for door, n in filtered.items()}
    )


def written(**rows: int) -> dict[str, int]:
    return {"documents": 100, "rejected": 0, "errors": 0} | rows


def test_a_partial_run_is_finished_but_not_complete() -> None:
    content = manifest(facts(), counts(), written(), now=12.5)
    assert (content["complete"], content["unfinished"], content["until"]) == (False, [], "filter")
    assert (content["run_id"], content["wall_seconds"], content["rows"]["documents"]) == ("run", 2.5, 100)
    assert [stage["stage"] for stage in content["stages"]] == ["read", "filter"]


def test_errors_up_to_their_share_are_allowed() -> None:
    at = manifest(facts(), counts(kept=95, errors=5), written(documents=95, errors=5), 0)
    assert at["unfinished"] == []
    above = manifest(facts(), counts(kept=94, errors=6), written(documents=94, errors=6), 0)
    assert above["unfinished"] == ["filter: 6 of 100 ended as errors, more than 5%"]


def test_anything_pending_leaves_a_run_unfinished() -> None:
    waiting = counts(kept=99, pending=1) + Counter({("filter", "waiting", "budget"): 1})
    assert manifest(facts(), waiting, written(documents=99), 0)["unfinished"] == ["filter: 1 pending (budget)"]


@pytest.mark.parametrize(
    ("doors", "rows", "named"),
    [
        ({"kept": 99}, {"documents": 99}, "filter: 100 in, but 99 kept"),
        ({"kept": 99, "rejected": 1}, {"documents": 99}, "rejected/: 1 rows were due, 0 were written"),
        ({"kept": 99, "errors": 1}, {"documents": 99, "errors": 2}, "errors/: 1 rows were due, 2 were written"),
        ({}, {"documents": 101}, "write: 100 rows were due, 101 were written"),
    ],
)
def test_what_does_not_add_up_fails_the_run(doors: dict[str, int], rows: dict[str, int], named: str) -> None:
    with pytest.raises(RuntimeError, match=r"do not add up") as caught:
        manifest(facts(), counts(**doors), written(**rows), 0)
    assert named in str(caught.value)


def test_documents_that_never_arrived_fail_the_run() -> None:
    with pytest.raises(RuntimeError, match="read: 101 documents were due, 100 arrived"):
        manifest(facts(expected_rows=101), counts(), written(), 0)


def test_usage_is_a_line_a_stage_and_model_in_the_order_of_the_figure() -> None:
    spent: Counts = Counter(
        {
            ("judge", "usage", "b", "calls"): 3,
            ("judge", "usage", "b", "failed_timeout"): 1,
            ("judge", "usage", "b", "cost_nano_usd"): 2_500_000_000,
            ("screen", "usage", "a", "requests"): 7,
            ("screen", "in"): 7,
        }
    )
    table = usage_table(spent)
    assert [(row["stage"], row["model"]) for row in table] == [("screen", "a"), ("judge", "b")]
    assert (table[1]["calls"], table[1]["cost_usd"], table[1]["failed_calls"]) == (3, 2.5, {"timeout": 1})
    assert (table[0]["requests"], table[0]["calls"], table[0]["failed_calls"]) == (7, 0, {})


def test_cost_is_what_was_paid_now_and_before_per_kept_pair() -> None:
    spent: Counts = Counter(
        {
            ("screen", "usage", "a", "cost_nano_usd"): 1_000_000_000,
            ("judge", "usage", "b", "cost_nano_usd"): 500_000_000,
            ("judge", "usage", "b", "replayed_cost_nano_usd"): 250_000_000,
        }
    )
    assert cost(spent, 7) == {"usd": 1.5, "replayed_usd": 0.25, "usd_per_kept_pair": 0.25}
    assert cost(spent, 0) == cost(spent, None) == {"usd": 1.5, "replayed_usd": 0.25, "usd_per_kept_pair": None}
    assert [row["replayed_cost_usd"] for row in usage_table(spent)] == [0, 0.25]
    assert manifest(facts(), counts(), written(), 0)["cost"] == {
        "usd": 0,
        "replayed_usd": 0,
        "usd_per_kept_pair": None,
    }


SHARDS = [("documents", 60), ("documents", 40), ("rejected", 0), ("errors", 0)]
TEMPORARY = "part-00000-of-00001.parquet.0123456789abcdef0123456789abcdef.tmp"


def at_work(output: Path, *files: str) -> RunFacts:
    """Return the facts of a run whose directory is as its workers leave it, with some more files."""
    for name in (OWNER, *files):
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).write_text(json.dumps({"run_id": "run"}), encoding="utf-8")
    return facts(output=str(output))


def files_in(output: Path) -> set[str]:
    return {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}


def test_nothing_is_left_of_workers_that_died(tmp_path: Path) -> None:
    stays = {"documents/part-00000-of-00001.parquet", "documents/part-mine.tmp", "cache/1.jsonl.tmp", "qa/part-1.tmp"}
    goes = {f"documents/{TEMPORARY}", f"errors/{TEMPORARY}", "scratch/run/documents/a.parquet", "scratch/earlier/b"}
    goes.add("manifest.json.0123456789abcdef0123456789abcdef.tmp")
    _commit(None, at_work(tmp_path, *stays, *goes), counts(), SHARDS)
    assert files_in(tmp_path) == {*stays, "manifest.json", "report.html"}


def test_the_last_step_again_clears_what_was_made_again_for_it(tmp_path: Path) -> None:
    run = at_work(tmp_path)
    first = _commit(None, run, counts(), SHARDS)
    for name in (f"errors/{TEMPORARY}", "scratch/run/documents/a.parquet", "scratch/later/owner"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert _commit(None, run, Counter(), []) == first | {"wall_seconds": first["wall_seconds"]}
    assert files_in(tmp_path) == {"manifest.json", "report.html", f"errors/{TEMPORARY}", "scratch/later/owner"}


def test_a_run_whose_directory_is_anothers_ends_without_a_trace(tmp_path: Path) -> None:
    at_work(tmp_path)
    before = files_in(tmp_path)
    with pytest.raises(RuntimeError, match="belongs to the run run by now; older must not write there"):
        _commit(None, facts(output=str(tmp_path), run_id="older"), counts(), SHARDS)
    assert files_in(tmp_path) == before


def test_the_last_step_takes_the_signatures_of_a_client_that_did_not_wait(tmp_path: Path) -> None:
    signed, others = tmp_path / "state" / "in_use.json", tmp_path / "state" / "run.json"
    signed.parent.mkdir()
    signed.touch(), others.touch()
    run = at_work(tmp_path / "out")
    _commit(None, dataclasses.replace(run, signed=(str(signed),)), counts(), SHARDS)
    assert others.exists() and not signed.exists()
