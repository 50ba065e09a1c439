"""Whole runs against a model server over real HTTP: faults, wrong keys, and what is asked twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.model_server import Behaviour, ModelServer
from tests.support import manifest_of, prose_corpus, rows_of, stages_of, webscale_rl

SECRET = "sk-this-is-a-secret-0123456789"
ANSWERS_WITHOUT_USE = ("prose", "refusal", "empty", "truncated", "wrong_types")


def run(corpus: str, output: Path, server: ModelServer, *flags: str) -> int:
    return webscale_rl(
        "run", "--input", corpus, "--output", output, "--model", "openai/test", "--api-base", server.base_url, *flags
    )


def nothing_lost(output: Path) -> None:
    for stage in stages_of(output).values():
        assert stage["in"] == stage["kept"] + stage["rejected"] + stage["errors"] + stage["pending"]
    manifest = manifest_of(output)
    assert len(rows_of(output, "errors")) == sum(stage["errors"] for stage in manifest["stages"])
    assert len(rows_of(output, "rejected")) == sum(stage["rejected"] for stage in manifest["stages"])


def test_every_document_becomes_pairs_and_every_call_is_counted(tmp_path: Path) -> None:
    corpus, output = prose_corpus(tmp_path, 60), tmp_path / "run"
    with ModelServer() as server:
        assert run(corpus, output, server) == 0
        stats = server.stats()
    stages = stages_of(output)
    assert stages["screen"]["in"] == stages["classify"]["kept"] == 60
    assert stages["generate"]["in"] == stages["classify"]["fan_out"] > 60
    calls = {row["stage"]: row["calls"] for row in manifest_of(output)["usage"]}
    asked = {stage: statuses["200"] for stage, statuses in stats["by_stage"].items()}
    asked["screen"] -= 1  # the one small call that tries the model before work starts
    assert calls == asked
    assert stats["repeated_bodies"] == 0
    tokens = manifest_of(output)["usage"]
    assert all(row["prompt_tokens"] > 0 and row["completion_tokens"] > 0 for row in tokens)
    nothing_lost(output)


def test_passing_faults_lose_nothing_and_change_no_row(tmp_path: Path) -> None:
    corpus = prose_corpus(tmp_path, 40)
    with ModelServer() as server:
        assert run(corpus, tmp_path / "calm", server) == 0
    faults = {"429": 0.08, "500": 0.08, "timeout": 0.04}
    with ModelServer(Behaviour(faults=faults, retry_after=0.05, hold_s=0.0)) as server:
        assert run(corpus, tmp_path / "rough", server) == 0
        stats = server.stats()
    assert set(stats["faults"]) == set(faults)
    for directory in ("qa", "rejected", "errors"):
        assert rows_of(tmp_path / "calm", directory) == rows_of(tmp_path / "rough", directory)
    nothing_lost(tmp_path / "rough")


@pytest.mark.parametrize("fault", ANSWERS_WITHOUT_USE)
def test_a_model_that_answers_nonsense_gives_errors_by_class(tmp_path: Path, fault: str) -> None:
    corpus, output = prose_corpus(tmp_path, 4), tmp_path / "run"
    with ModelServer(Behaviour(faults={fault: 1.0})) as server:
        assert run(corpus, output, server) == 3
    assert not (output / "_SUCCESS").exists()
    kinds = {"refusal": "refused", "truncated": "truncated"}
    assert Counter(row["error"] for row in rows_of(output, "errors")) == {kinds.get(fault, "invalid"): 4}
    nothing_lost(output)


def test_nonsense_now_and_then_leaves_the_others_unharmed(tmp_path: Path) -> None:
    corpus, output = prose_corpus(tmp_path, 40), tmp_path / "run"
    with ModelServer(Behaviour(faults=dict.fromkeys(ANSWERS_WITHOUT_USE, 0.04))) as server:
        code = run(corpus, output, server)
    assert code in (0, 3)
    nothing_lost(output)
    assert stages_of(output)["questions"]["kept"] > 20


def test_a_call_that_takes_longer_than_it_may_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("timeout_s: 0.3")
    corpus, output = prose_corpus(tmp_path, 10), tmp_path / "run"
    with ModelServer(Behaviour(faults={"timeout": 0.2}, hold_s=60.0)) as server:
        assert run(corpus, output, server, "--config", str(tmp_path / "c.yaml")) == 0
    assert sum(row["failed_calls"].get("timeout", 0) for row in manifest_of(output)["usage"]) > 0
    nothing_lost(output)


def test_errors_are_retried_and_nothing_else(tmp_path: Path) -> None:
    corpus, output = prose_corpus(tmp_path, 60), tmp_path / "run"
    config = tmp_path / "run.yaml"
    config.write_text("max_error_share: 0.5\n")
    with ModelServer(Behaviour(faults={"refusal": 0.05})) as server:
        assert run(corpus, output, server, "--config", str(config)) == 0
        errors = len(rows_of(output, "errors"))
        assert errors > 0
        server.set_faults({})
        before = server.stats()["requests"]
        assert run(corpus, output, server, "--config", str(config), "--retry-errors") == 0
        after = server.stats()
    assert rows_of(output, "errors") == []
    assert (output / "_SUCCESS").exists()
    assert errors <= after["requests"] - before
    assert after["repeated_bodies"] <= 1  # the small call that tries the model


def test_retrying_errors_wants_the_same_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus, output = prose_corpus(tmp_path, 30), tmp_path / "run"
    config = tmp_path / "run.yaml"
    config.write_text("max_error_share: 0.9\n")
    with ModelServer(Behaviour(faults={"refusal": 0.1})) as server:
        assert run(corpus, output, server, "--config", str(config)) == 0
        config.write_text("max_error_share: 0.9\ndedup: {threshold: 0.8}\n")
        assert run(corpus, output, server, "--config", str(config), "--retry-errors") == 2
    assert "was made with different settings (dedup)" in capsys.readouterr().err
    assert (output / "_SUCCESS").exists()


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [(Behaviour(api_key="another"), "401"), (Behaviour(models=("other",)), "test")],
    ids=["wrong key", "unknown model"],
)
def test_a_model_that_cannot_be_used_stops_the_run_before_work(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    behaviour: Behaviour,
    message: str,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    corpus, output = prose_corpus(tmp_path, 3), tmp_path / "run"
    with ModelServer(behaviour) as server:
        assert run(corpus, output, server) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "openai/test" in err
    assert SECRET not in err
    assert err.strip().count("\n") == 0
    assert not (output / "manifest.json").exists()


def test_an_unreachable_model_stops_the_run_before_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = prose_corpus(tmp_path, 3)
    flags = ["--model", "openai/test", "--api-base", "http://127.0.0.1:9/v1"]
    assert webscale_rl("run", "--input", corpus, "--output", tmp_path / "run", *flags) == 2
    err = capsys.readouterr().err
    assert "http://127.0.0.1:9/v1" in err
    assert err.strip().count("\n") == 0


def test_the_cpu_stages_need_no_model(tmp_path: Path) -> None:
    corpus = prose_corpus(tmp_path, 3)
    flags = ["--model", "openai/test", "--api-base", "http://127.0.0.1:9/v1", "--until", "dedup"]
    assert webscale_rl("run", "--input", corpus, "--output", tmp_path / "run", *flags) == 0


def test_a_key_that_fails_later_leaves_the_rest_pending_and_the_next_run_completes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    corpus, output = prose_corpus(tmp_path, 40), tmp_path / "run"
    with ModelServer(Behaviour(faults={"401": 0.02}, seed=3)) as server:
        assert run(corpus, output, server, "--concurrency", "4") == 3
        stats = server.stats()
        assert stats["by_status"]["401"] <= 4, "after the first refusal at most the requests in flight are refused too"
        assert sum(stage["pending"] for stage in stages_of(output).values()) > 0
        assert rows_of(output, "errors") == []
        assert "pending" in capsys.readouterr().err
        nothing_lost(output)
        server.set_faults({})
        assert run(corpus, output, server, "--concurrency", "4") == 0
        assert server.stats()["repeated_bodies"] <= 1
    for path in output.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
