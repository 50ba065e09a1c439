"""Runs that remember and are not through: nothing is remembered before all is decided."""

from __future__ import annotations

import json
from pathlib import Path

from tests.batch_runs import quick_batches
from tests.model_server import Behaviour, ModelServer
from tests.support import manifest_of, prose_corpus, rows_of, stages_of, webscale_rl

MODEL = "hosted_vllm/test"
PRICES = {MODEL: {"input": 100.0, "output": 400.0}}


def run(tmp_path: Path, server: ModelServer, name: str, *flags: str) -> int:
    config = tmp_path / "run.json"
    config.write_text(json.dumps({"prices": PRICES}), encoding="utf-8")
    served = ("--model", MODEL, "--api-base", server.base_url, "--config", config)
    places = ("--output", tmp_path / name, "--state", tmp_path / "state")
    return webscale_rl("run", "--input", prose_corpus(tmp_path, 12), *places, *served, *flags)


def remembered(tmp_path: Path) -> int:
    runs = sorted(path.parent for path in (tmp_path / "state").glob("*/_SUCCESS"))
    return sum(len(rows_of(run, "documents")) for run in runs)


def test_a_round_of_batches_leaves_nothing_in_the_state(tmp_path: Path) -> None:
    with ModelServer() as server, quick_batches():
        assert run(tmp_path, server, "one", "--llm-mode", "batch") == 3
        assert manifest_of(tmp_path / "one")["rows"]["pending"] == 12
        assert remembered(tmp_path) == 0
        assert run(tmp_path, server, "one", "--llm-mode", "batch", "--wait") == 0
        assert remembered(tmp_path) == 12
        assert run(tmp_path, server, "two") == 0
    assert stages_of(tmp_path / "two")["read"]["reasons"] == {"unchanged": 12}


def test_nor_does_a_run_that_stops_at_its_budget_or_without_a_key(tmp_path: Path) -> None:
    with ModelServer(Behaviour(latency=0.01)) as server:
        assert run(tmp_path, server, "one", "--budget-usd", "2.5") == 3
        assert remembered(tmp_path) == 0
        server.set_faults({"401": 0.2})
        assert run(tmp_path, server, "one", "--concurrency", "2") == 3
        assert remembered(tmp_path) == 0
        server.set_faults({})
        assert run(tmp_path, server, "one") == 0
        assert remembered(tmp_path) == 12
        assert server.stats()["repeated_bodies"] <= 1, "the call that tries the model"
