"""Whole runs whose pairs are answered again, over real HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.batch_runs import WAIT, quick_batches
from tests.model_server import Behaviour, ModelServer
from tests.model_server.answers import GUESS, MISREAD_MARKER
from tests.support import manifest_of, prose, rows_of, stages_of, webscale_rl, write_corpus

SAMPLES = 3
TRIED = 1
"""The small call that tries each model before work starts."""


def run(tmp_path: Path, server: ModelServer, output: Path, *flags: str, drop: bool = False, **more: Any) -> int:
    """Run with another model for each of the two stages, at the same server."""
    texts = [*map(prose, range(20)), *(f"{prose(number)} {MISREAD_MARKER} is here." for number in range(20, 23))]
    corpus = write_corpus(tmp_path / "corpus.parquet", texts)
    solvers = {
        stage: {"model": f"openai/{stage}", "api_base": server.base_url} for stage in ("round_trip", "closed_book")
    }
    config = {"models": solvers, "closed_book": {"samples": SAMPLES, "drop_all_correct": drop}, **more}
    (tmp_path / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
    flags = ("--model", "openai/test", "--api-base", server.base_url, *flags)
    return webscale_rl("run", "--input", corpus, "--output", output, "--config", tmp_path / "config.yaml", *flags)


def test_every_pair_is_answered_again_and_says_how_hard_it_is(tmp_path: Path) -> None:
    output = tmp_path / "run"
    with ModelServer() as server:
        assert run(tmp_path, server, output) == 0
        asked = server.stats()["by_stage"]
    stages, pairs = stages_of(output), rows_of(output, "qa")
    judged = stages["judge"]["kept"]
    gone = [row for row in rows_of(output, "rejected") if row["stage"] == "round_trip"]
    assert gone and {(row["reason"], row["value"]) for row in gone} == {("answer_not_recovered", "unanswerable")}
    assert {row["doc_id"] for row in gone} <= {"corpus-20", "corpus-21", "corpus-22"}
    assert all(row["calls"]["round_trip"] for row in gone)
    assert stages["round_trip"]["in"] == judged > 20
    assert stages["questions"]["in"] == stages["round_trip"]["kept"] == judged - len(gone)
    assert stages["closed_book"]["in"] == stages["questions"]["kept"], "what repeats a question is not paid for"
    usage = {row["stage"]: row for row in manifest_of(output)["usage"]}
    for stage, due in (("round_trip", judged), ("closed_book", stages["closed_book"]["in"] * SAMPLES)):
        assert asked[stage]["200"] == usage[stage]["calls"] + TRIED
        assert usage[stage]["calls"] + usage[stage]["cache_hits"] == due
        assert usage[stage]["calls"] > 0.9 * due  # two pairs with one question are one request
    assert {pair["answer"] == GUESS for pair in pairs} == {True, False}
    for pair in pairs:
        passes = SAMPLES if pair["answer"] == GUESS else 0
        assert pair["difficulty"] == {"model": "openai/closed_book", "samples": SAMPLES, "passes": passes}
        assert len(pair["calls"]["closed_book"].split()) == SAMPLES
    prompts = manifest_of(output)["prompts"]
    for pair in pairs:
        for stage in ("round_trip", "closed_book"):
            assert pair["models"][stage] == f"openai/{stage}"
            assert pair["prompts"][stage] == prompts[stage]
            assert len(pair["calls"][stage]) > 16


def test_what_every_sample_knows_goes_where_it_is_not_wanted(tmp_path: Path) -> None:
    with ModelServer() as server:
        assert run(tmp_path, server, tmp_path / "run", drop=True) == 0
    gone = [row for row in rows_of(tmp_path / "run", "rejected") if row["stage"] == "closed_book"]
    assert gone and {(row["answer"], row["reason"]) for row in gone} == {(GUESS, "answered_closed_book")}
    assert {pair["difficulty"]["passes"] for pair in rows_of(tmp_path / "run", "qa")} == {0}


def test_a_second_run_asks_no_sample_again(tmp_path: Path) -> None:
    with ModelServer() as server:
        cache = str(tmp_path / "cache")
        assert run(tmp_path, server, tmp_path / "one", cache=cache) == 0
        calls = server.stats()["requests"]
        assert run(tmp_path, server, tmp_path / "two", cache=cache) == 0
        assert server.stats()["requests"] == calls + 3 * TRIED
    assert rows_of(tmp_path / "one", "qa") == rows_of(tmp_path / "two", "qa")


def test_merged_calls_leave_each_question_alone(tmp_path: Path) -> None:
    output = tmp_path / "run"
    with ModelServer() as server:
        assert run(tmp_path, server, output, calls="merged") == 0
        asked = server.stats()["by_stage"]
    stage = stages_of(output)["round_trip"]
    assert stage["in"] > stage["kept"] > 20
    assert 0.9 * stage["in"] < asked["round_trip"]["200"] <= stage["in"] + TRIED


def test_faults_of_the_solvers_lose_no_pair(tmp_path: Path) -> None:
    with ModelServer() as server:
        assert run(tmp_path, server, tmp_path / "calm") == 0
    with ModelServer(Behaviour(faults={"429": 0.1, "500": 0.1}, retry_after=0.05)) as server:
        assert run(tmp_path, server, tmp_path / "rough") == 0
    assert rows_of(tmp_path / "calm", "qa") == rows_of(tmp_path / "rough", "qa")


def test_batches_give_the_rows_of_an_online_run_each_sample_once(tmp_path: Path) -> None:
    with ModelServer() as server:
        assert run(tmp_path, server, tmp_path / "online") == 0
    with quick_batches(), ModelServer(Behaviour(batch_seconds=0.05)) as server:
        assert run(tmp_path, server, tmp_path / "batches", *WAIT) == 0
        stats = server.stats()
    for directory in ("qa", "rejected", "errors"):
        assert rows_of(tmp_path / "online", directory) == rows_of(tmp_path / "batches", directory)
    assert stats["batches"] == 6, "a batch a stage that asks"
    samples = stats["by_stage"]["closed_book"]["200"]
    assert samples == manifest_of(tmp_path / "online")["usage"][-1]["calls"] > 20 * SAMPLES
