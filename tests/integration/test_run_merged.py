"""Whole runs with `--calls merged`: the records of the reference, for fewer calls."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.model_server import Behaviour, ModelServer
from tests.model_server.answers import REJECT_MARKER
from tests.support import manifest_of, prose, rows_of, stages_of, webscale_rl, write_corpus

EXAMPLES = str(Path(__file__).parents[2] / "examples" / "corpus" / "*.parquet")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The example corpus, converted by the embedded engine both ways."""
    directory = tmp_path_factory.mktemp("merged")
    for calls in ("reference", "merged"):
        assert webscale_rl("run", "--input", EXAMPLES, "--output", directory / calls, "--calls", calls) == 0
    return directory / "reference", directory / "merged"


def without_names(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in ("calls", "prompts")} for row in rows]


def test_the_embedded_engine_gives_the_same_rows_and_counts(runs: tuple[Path, Path]) -> None:
    reference, merged = runs
    for directory in ("qa", "rejected", "errors"):
        assert without_names(rows_of(merged, directory)) == without_names(rows_of(reference, directory))
    assert stages_of(merged) == stages_of(reference)
    assert len(rows_of(merged, "qa")) > 25


def test_rows_and_manifest_name_the_merged_prompts_and_calls(runs: tuple[Path, Path]) -> None:
    reference, merged = runs
    manifest = manifest_of(merged)
    prompts = manifest["prompts"]
    assert prompts["screen"] == prompts["classify"]
    assert not set(prompts.values()) & set(manifest_of(reference)["prompts"].values())
    assert manifest["config"]["calls"] == "merged"
    by_document: dict[str, set[tuple[str, ...]]] = {}
    for row in rows_of(merged, "qa"):
        assert {stage: name for stage, name in row["prompts"].items() if name} == prompts
        assert row["calls"]["screen"] == row["calls"]["classify"]
        by_document.setdefault(row["source"]["doc_id"], set()).add(tuple(row["calls"].values()))
    assert all(len(calls) == 1 for calls in by_document.values())


def test_a_document_takes_three_calls_and_one_that_is_screened_out_takes_one(tmp_path: Path) -> None:
    texts = [prose(number) for number in range(30)]
    out = [f"{prose(number)} {REJECT_MARKER} is here." for number in range(30, 40)]
    corpus, output = write_corpus(tmp_path / "corpus.parquet", texts + out), tmp_path / "run"
    with ModelServer() as server:
        model = ["--model", "openai/test", "--api-base", server.base_url]
        assert webscale_rl("run", "--input", corpus, "--output", output, "--calls", "merged", *model) == 0
        stats = server.stats()
    asked = {task: statuses["200"] for task, statuses in stats["by_stage"].items()}
    asked["read"] -= 1  # the one small call that tries the model before work starts
    stages = stages_of(output)
    judged = len({row["source"]["doc_id"] for row in rows_of(output, "qa")})
    assert (stages["screen"]["in"], stages["screen"]["reasons"]) == (40, {"not_qualified": 10})
    assert judged == 30
    assert asked == {"read": 40, "generate_all": 30, "judge_all": 30}
    usage = {row["stage"]: (row["requests"], row["calls"], row["cache_hits"]) for row in manifest_of(output)["usage"]}
    pairs = stages["classify"]["fan_out"]
    assert pairs > 30
    assert usage == {
        "screen": (40, 40, 0),
        "classify": (30, 0, 30),
        "generate": (pairs, 30, pairs - 30),
        "judge": (stages["judge"]["in"], 30, stages["judge"]["in"] - 30),
    }


def test_nonsense_fails_the_slots_of_its_document_and_nothing_is_lost(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.parquet", [prose(number) for number in range(30)])
    output = tmp_path / "run"
    with ModelServer(Behaviour(faults={"wrong_types": 0.3}, seed=1)) as server:
        model = ["--model", "openai/test", "--api-base", server.base_url]
        assert webscale_rl("run", "--input", corpus, "--output", output, "--calls", "merged", *model) in (0, 3)
    errors = rows_of(output, "errors")
    assert {row["error"] for row in errors} == {"invalid"}
    assert Counter(row["stage"] for row in errors) == {
        name: stage["errors"] for name, stage in stages_of(output).items() if stage["errors"]
    }
    for stage in stages_of(output).values():
        assert stage["in"] == stage["kept"] + stage["rejected"] + stage["errors"] + stage["pending"]


def test_models_that_cannot_share_a_call_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "run.yaml"
    config.write_text("models: {screen: {max_tokens: 99}}\n")
    flags = ["--output", tmp_path / "run", "--config", config]
    assert webscale_rl("run", "--input", EXAMPLES, *flags, "--calls", "merged") == 2
    said = capsys.readouterr().err
    assert "models.classify is not as models.screen" in said and said.strip().count("\n") == 0
    assert not (tmp_path / "run").exists()
