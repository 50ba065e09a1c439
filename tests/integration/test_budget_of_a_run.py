"""Runs that may cost so much: they stop cleanly, nothing is lost, and what was paid counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.model_server import Behaviour, ModelServer
from tests.support import manifest_of, prose_corpus, rows_of, stages_of, webscale_rl
from transforms.llm.batch.journal import Journal

MODEL = "hosted_vllm/test"
# The first answer of a stage is expected to take as many tokens as it may.
MODELS = {stage: {"max_tokens": 300} for stage in ("screen", "classify", "generate", "judge")}
PRICES = {MODEL: {"input": 100.0, "output": 400.0, "batch_input": 50.0, "batch_output": 200.0}}


def run(corpus: str, output: Path, server: ModelServer, *flags: str, **config: Any) -> int:
    path = output.with_suffix(".json")
    path.write_text(json.dumps({"prices": PRICES, "models": MODELS, **config}), encoding="utf-8")
    served = ("--model", MODEL, "--api-base", server.base_url, "--config", path)
    return webscale_rl("run", "--input", corpus, "--output", output, *served, *flags)


def waiting(output: Path) -> int:
    for stage in stages_of(output).values():
        assert stage["in"] == stage["kept"] + stage["rejected"] + stage["errors"] + stage["pending"]
    return sum(stage["pending"] for stage in stages_of(output).values())


@pytest.mark.parametrize("chars_per_token", [4, 2])
def test_a_run_stops_at_its_budget_and_goes_on_with_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], chars_per_token: int
) -> None:
    corpus = prose_corpus(tmp_path, 60)
    with ModelServer(Behaviour(latency=0.005, chars_per_token=chars_per_token)) as server:
        assert run(corpus, tmp_path / "whole", server) == 0
        whole = manifest_of(tmp_path / "whole")["cost"]["usd"]
        budget = round(whole / 3, 2)
        cost = []
        for _ in range(2):
            assert run(corpus, tmp_path / "parts", server, "--budget-usd", str(budget)) == 3
            assert waiting(tmp_path / "parts") > 0 and rows_of(tmp_path / "parts", "errors") == []
            assert f"The budget of ${budget:g} is spent" in capsys.readouterr().err
            cost.append(manifest_of(tmp_path / "parts")["cost"]["usd"])
        assert run(corpus, tmp_path / "parts", server) == 0
        assert waiting(tmp_path / "parts") == 0
    assert all(0.95 * budget <= each <= 1.01 * budget for each in cost), (cost, budget)
    cost.append(manifest_of(tmp_path / "parts")["cost"]["usd"])
    assert sum(cost) == pytest.approx(whole)
    assert manifest_of(tmp_path / "parts")["cost"]["replayed_usd"] == pytest.approx(sum(cost[:2]))
    assert rows_of(tmp_path / "parts", "qa") == rows_of(tmp_path / "whole", "qa")


@pytest.mark.parametrize("chars_per_token", [4, 2])
def test_batches_are_sent_as_far_as_the_budget_covers_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], chars_per_token: int
) -> None:
    corpus, output = prose_corpus(tmp_path, 30), tmp_path / "run"
    with ModelServer(Behaviour(chars_per_token=chars_per_token)) as server:
        assert run(corpus, tmp_path / "online", server) == 0
        whole = manifest_of(tmp_path / "online")["cost"]["usd"] / 2  # at the prices of batches
        flags = ("--llm-mode", "batch", "--wait", "--budget-usd")
        assert run(corpus, output, server, *flags, str(whole / 2)) == 3
        said = capsys.readouterr()
        assert "covers no more of the requests" in said.out
        assert "is spent" in said.err and "batch submit" not in said.err, "which would spend as much again"
        assert 0 < manifest_of(output)["cost"]["replayed_usd"] <= whole / 2
        assert waiting(output) == manifest_of(output)["rows"]["pending"] > 0
        assert run(corpus, output, server, *flags, str(2 * whole)) == 0
    assert manifest_of(output)["cost"]["replayed_usd"] == pytest.approx(whole)
    assert rows_of(output, "qa") == [
        {**row, "calls": ours["calls"]}
        for row, ours in zip(rows_of(tmp_path / "online", "qa"), rows_of(output, "qa"), strict=True)
    ]


def test_what_is_out_in_batches_is_taken_from_the_budget_of_the_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus, output = prose_corpus(tmp_path, 30), tmp_path / "run"
    submit = ("batch", "submit", str(output))
    with ModelServer(Behaviour(batch_seconds=600)) as server:
        assert run(corpus, output, server, "--until", "screen", "--llm-mode", "batch", "--budget-usd", "1.5") == 3
        assert webscale_rl(*submit) == 3
        (batch,) = Journal(str(output)).batches()
        assert 0 < batch.requests < 30 and 1.2 < batch.expected_usd <= 1.5
        left = f"The budget of $1.5 does not cover {30 - batch.requests} of the requests in {output}/pending"
        assert left in capsys.readouterr().out
        assert webscale_rl(*submit) == 3
        assert left in capsys.readouterr().out
        assert Journal(str(output)).batches() == [batch], "the same amount again is not for what waits beside it"


def test_a_submit_that_covers_nothing_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus, output = prose_corpus(tmp_path, 5), tmp_path / "run"
    with ModelServer() as server:
        assert run(corpus, output, server, "--until", "screen", "--llm-mode", "batch", "--budget-usd", "0.001") == 3
        capsys.readouterr()
        assert webscale_rl("batch", "submit", str(output)) == 3
        said = capsys.readouterr().out
        assert "The budget of $0.001 does not cover 5 of the requests" in said
        assert server.stats()["batches"] == 0


def test_a_budget_below_one_call_says_what_to_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = prose_corpus(tmp_path, 5)
    with ModelServer() as server:
        assert run(corpus, tmp_path / "run", server, "--until", "screen", "--budget-usd", "0.06") == 3
        said = capsys.readouterr().err
        assert "The budget of $0.06 covers no call of screen: the answer alone may cost $0.12" in said
        assert "raise --budget-usd, or lower models.screen.max_tokens (300)" in said
        assert "is spent" not in said
        assert server.stats()["requests"] == 1, "the try before the run"


def test_a_budget_wants_to_know_the_workers_of_a_runner(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = prose_corpus(tmp_path, 5)
    with ModelServer() as server:
        flags = ("--budget-usd", "1", "--runner", "PortableRunner", "--job_endpoint", "embed")
        assert run(corpus, tmp_path / "run", server, *flags) == 2
        assert "nothing says how many PortableRunner will have" in capsys.readouterr().err
        assert server.stats()["requests"] == 0


def test_a_budget_wants_prices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = prose_corpus(tmp_path, 5)
    with ModelServer() as server:
        assert run(corpus, tmp_path / "run", server, "--budget-usd", "1", prices={}) == 2
        assert f"nobody knows the price of {MODEL}; set prices.{MODEL} in --config" in capsys.readouterr().err
        assert run(corpus, tmp_path / "run", server, "--budget-usd", "0") == 2
        assert "budget_usd = 0.0" in capsys.readouterr().err
        assert server.stats()["requests"] == 0
