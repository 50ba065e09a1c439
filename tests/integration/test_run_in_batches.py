"""Whole runs in batch mode against a model server's Files and Batches API, over real HTTP."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import batch as command
from schemas.config import RunConfig
from tests.batch_runs import WAIT, batches_of, collect_all, one_line, quick_batches, run
from tests.model_server import Behaviour, ModelServer
from tests.model_server.answers import REJECT_MARKER
from tests.model_server.client import ask
from tests.support import manifest_of, prose, rows_of, stages_of, webscale_rl, write_corpus
from transforms.llm.batch import journal

MIXED = {"429": 0.1, "500": 0.1, "timeout": 0.1, "prose": 0.1, "refusal": 0.1, "truncated": 0.1, "wrong_types": 0.1}


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    with quick_batches():
        yield


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    texts = [prose(number) for number in range(12)]
    out = [f"{prose(number)} {REJECT_MARKER} is here." for number in range(12, 15)]
    return write_corpus(tmp_path_factory.mktemp("corpus") / "corpus.parquet", texts + out)


@pytest.fixture(scope="module")
def online(corpus: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The corpus, converted online both ways."""
    outputs = {calls: tmp_path_factory.mktemp("online") / calls for calls in ("reference", "merged")}
    with ModelServer() as server:
        for calls, output in outputs.items():
            assert run(corpus, output, server, "--calls", calls) == 0
            assert len(rows_of(output, "qa")) > 15
            assert len(rows_of(output, "rejected")) >= 3
    return outputs


def same_rows(one: Path, other: Path) -> None:
    for directory in ("qa", "rejected", "errors"):
        assert rows_of(one, directory) == rows_of(other, directory)
    assert stages_of(one) == stages_of(other)


def nothing_lost(output: Path) -> None:
    for stage in stages_of(output).values():
        assert stage["in"] == stage["kept"] + stage["rejected"] + stage["errors"] + stage["pending"]
    for door in ("rejected", "errors"):
        assert len(rows_of(output, door)) == sum(stage[door] for stage in stages_of(output).values())
    assert stages_of(output)["read"]["in"] == 15


@pytest.mark.parametrize("calls", ["reference", "merged"])
def test_a_run_in_batches_gives_the_rows_of_one_online(
    corpus: str, online: dict[str, Path], tmp_path: Path, calls: str
) -> None:
    output = tmp_path / "run"
    with ModelServer(Behaviour(batch_seconds=0.05)) as server:
        assert run(corpus, output, server, "--calls", calls, *WAIT) == 0
        stats = server.stats()
    same_rows(online[calls], output)
    assert (output / "_SUCCESS").exists()
    assert rows_of(output, "pending") == []
    assert stats["repeated_bodies"] == 0
    assert stats["batches"] == (4 if calls == "reference" else 3), "a batch a stage that asks"
    assert stats["requests"] == stats["answered_bodies"], "nobody is called online"
    figures = manifest_of(output)["batches"]
    assert (figures["batches"], figures["answered"]) == (stats["batches"], stats["requests"])
    assert figures["prompt_tokens"] > 0
    assert [each.status for each in batches_of(output)] == ["collected"] * stats["batches"]
    assert not list((output / "batch").glob("*.input.jsonl"))
    assert not list((output / "batch").glob("in_use.json"))


def test_a_round_at_a_time_gives_the_same_and_sends_nothing_twice(
    corpus: str, online: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, flags = tmp_path / "run", ("--calls", "merged", "--llm-mode", "batch")
    with ModelServer() as server:
        for number in range(1, 4):
            assert run(corpus, output, server, *flags) == 3
            pending = len(rows_of(output, "pending"))
            said = capsys.readouterr().err
            assert f"{pending} requests wait in {output}/pending: webscale-rl batch submit {output} sends them" in said
            assert not (output / "_SUCCESS").exists()
            assert webscale_rl("batch", "submit", str(output)) == 3
            assert webscale_rl("batch", "submit", str(output)) == 3
            assert webscale_rl("batch", "status", str(output)) == 3
            collect_all(output)
            said = capsys.readouterr().out
            assert f"{pending} answered, 0 invalid, 0 failed, 0 missing" in said
            assert webscale_rl("batch", "submit", str(output)) == 0, "all of pending/ is answered by now"
            assert webscale_rl("batch", "collect", str(output)) == 0
            assert server.stats()["batches"] == number
        assert run(corpus, output, server, *flags) == 0
        assert server.stats()["repeated_bodies"] == 0
    same_rows(online["merged"], output)


def test_faults_end_and_lose_nothing_and_what_failed_is_asked_again_on_demand(
    corpus: str,
    online: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal, "FILE_REQUESTS", 10)
    output, flags = tmp_path / "run", ("--calls", "merged", "--until", "generate", *WAIT)
    with ModelServer(Behaviour(faults=MIXED, batch_expired=0.1, seed=2)) as server:
        assert run(corpus, output, server, *flags) == 3
        stats = server.stats()
        assert set(stats["faults"]) == set(MIXED)
        assert stats["repeated_bodies"] == 0
        assert not (output / "_SUCCESS").exists()
        assert "mend the cause and add --retry-errors" in capsys.readouterr().err
        nothing_lost(output)
        stages = stages_of(output)
        assert sum(stage["pending"] for stage in stages.values()) == 0
        kinds = Counter(row["error"] for row in rows_of(output, "errors"))
        assert "refused" in kinds
        assert set(kinds) <= {"refused", "invalid", "truncated", "transient", "throttled"}
        assert {row["attempts"] for row in rows_of(output, "errors")} == {1, 2, 3}
        figures = manifest_of(output)["batches"]
        assert figures["missing"] > 0, "a batch of ten expires before its last request"
        assert figures["requests"] == sum(figures[name] for name in ("answered", "invalid", "failed", "missing"))

        assert run(corpus, output, server, *flags) == 3
        assert server.stats()["requests"] == stats["requests"], "what was given up is not asked again by itself"

        server.set_faults({})
        assert run(corpus, output, server, *flags, "--retry-errors") == 0
        assert server.stats()["repeated_bodies"] == 0
    assert rows_of(output, "errors") == []
    nothing_lost(output)
    assert stages_of(output) == {name: stages_of(online["merged"])[name] for name in stages_of(output)}


def test_errors_within_the_share_leave_a_complete_run_that_can_be_reopened(corpus: str, tmp_path: Path) -> None:
    output, config = tmp_path / "run", tmp_path / "run.yaml"
    config.write_text("max_error_share: 0.9\n")
    flags = ("--config", str(config), "--until", "screen")
    with ModelServer(Behaviour(faults={"refusal": 0.4}, seed=1)) as server:
        assert run(corpus, output, server, *flags, *WAIT) == 0
        errors = len(rows_of(output, "errors"))
        assert 0 < errors < 15
        assert {row["error"] for row in rows_of(output, "errors")} == {"refused"}
        assert run(corpus, output, server, *flags, *WAIT, "--overwrite") == 0
        assert server.stats()["requests"] == 15 + errors, "a new run has the old answers and asks for what lacks one"
        still = len(rows_of(output, "errors"))
        server.set_faults({})
        assert run(corpus, output, server, *flags, *WAIT, "--retry-errors") == 0
        stats = server.stats()
    assert rows_of(output, "errors") == []
    assert len(rows_of(output, "documents")) == 12
    assert rows_of(output, "pending") == []
    assert stats["requests"] == 15 + errors + still
    assert stats["repeated_bodies"] == 0


def test_what_another_run_has_answered_meanwhile_needs_no_batch(
    corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ("--until", "screen", "--cache", str(tmp_path / "cache"))
    with ModelServer() as server:
        answered = command.answered

        def overtaken(output: str, config: RunConfig, cost_before: int) -> bool:
            assert run(corpus, tmp_path / "other", server, *flags) == 0
            return answered(output, config, cost_before)

        monkeypatch.setattr("pipelines.run.answered", overtaken)
        assert run(corpus, tmp_path / "run", server, *flags, *WAIT) == 0
        assert server.stats()["batches"] == 0
    same_rows(tmp_path / "other", tmp_path / "run")


def answer_like_vllm(path: Path, server: ModelServer) -> str:
    """Return what `vllm run-batch` makes of a file of requests."""
    requests = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    answers = ask(server, *(each["body"] for each in requests))
    lines = []
    for number, (each, (status, _, body)) in enumerate(zip(requests, answers, strict=True)):
        response = {"status_code": status, "request_id": f"vllm-batch-{number}", "body": body}
        lines.append({"id": f"vllm-{number}", "custom_id": each["custom_id"], "response": response, "error": None})
    return "".join(json.dumps(line) + "\n" for line in lines)


def test_files_for_vllm_go_there_and_come_back(corpus: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output, flags = tmp_path / "run", ("--until", "screen", "--llm-mode", "batch")
    with ModelServer() as server:
        assert run(corpus, output, server, *flags) == 3
        capsys.readouterr()
        assert webscale_rl("batch", "submit", str(output), "--files") == 3
        told = re.search(r"vllm run-batch -i (\S+) -o (\S+) --model test$", capsys.readouterr().out, re.MULTILINE)
        assert told is not None
        assert webscale_rl("batch", "submit", str(output)) == 3, "what is left to vllm is not sent"
        assert webscale_rl("batch", "collect", str(output)) == 3
        assert server.stats()["requests"] == 0
        assert server.stats()["batches"] == 0
        Path(told[2]).write_text(answer_like_vllm(Path(told[1]), server), encoding="utf-8")
        assert webscale_rl("batch", "collect", str(output)) == 0
        assert "15 answered, 0 invalid" in capsys.readouterr().out
        assert run(corpus, output, server, *flags) == 0
        assert server.stats()["requests"] == 15
    assert len(rows_of(output, "documents")) == 12


def test_lines_that_vllm_left_out_go_into_another_file(
    corpus: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, flags = tmp_path / "run", ("--until", "screen", "--llm-mode", "batch")
    with ModelServer() as server:
        assert run(corpus, output, server, *flags) == 3
        assert webscale_rl("batch", "submit", str(output), "--files") == 3
        (first,) = batches_of(output)
        source, target = (output / "batch" / f"{first.name}.{name}.jsonl" for name in ("input", "output"))
        lines = answer_like_vllm(source, server).splitlines(keepends=True)
        target.write_text("".join(lines[:-2]), encoding="utf-8")
        assert webscale_rl("batch", "collect", str(output)) == 3
        assert f"webscale-rl batch submit {output} --resend {first.name}" in capsys.readouterr().out
        assert webscale_rl("batch", "submit", str(output), "--sent", f"{first.name}=batch_1") == 2
        assert webscale_rl("batch", "submit", str(output), "--resend", first.name) == 3
        first, second = batches_of(output)
        assert (first.status, first.figures["answered"], first.figures["missing"]) == ("collected", 13, 2)
        assert (second.status, second.requests, second.offline) == ("sent", 2, True)
        assert target.read_text(encoding="utf-8") == "".join(lines[:-2])
        target = output / "batch" / f"{second.name}.output.jsonl"
        target.write_text("".join(lines[-2:]), encoding="utf-8")
        assert webscale_rl("batch", "collect", str(output)) == 0
        assert run(corpus, output, server, *flags) == 0
        assert server.stats()["batches"] == 0


def test_a_stage_with_an_embedded_model_asks_nobody(corpus: str, tmp_path: Path) -> None:
    output, config = tmp_path / "run", tmp_path / "run.yaml"
    with ModelServer() as server:
        served = f"{{model: openai/test, api_base: '{server.base_url}'}}"
        config.write_text(f"models: {{screen: {{model: embedded/extractive}}, classify: {served}}}\n")
        flags = ("--config", str(config), "--until", "classify", *WAIT)
        assert webscale_rl("run", "--input", corpus, "--output", str(output), *flags) == 0
        stats = server.stats()
    assert stats["by_stage"].keys() == {"classify"}
    assert stats["requests"] == stages_of(output)["classify"]["in"] > 0
    assert {row["stage"]: row["calls"] for row in manifest_of(output)["usage"]}["classify"] == 0
    nothing_lost(output)


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [(Behaviour(models=("other",)), "HTTP 404"), (Behaviour(batch_max_requests=5), "too_many_tasks")],
    ids=["unknown model", "batch refused"],
)
def test_a_round_that_gets_nowhere_ends_the_run(
    corpus: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], behaviour: Behaviour, message: str
) -> None:
    output = tmp_path / "run"
    with ModelServer(behaviour) as server:
        assert run(corpus, output, server, "--until", "screen", *WAIT) == 2
        assert server.stats()["batches"] == 1
    said = one_line(capsys)
    assert f"no request of {output}/pending got an answer" in said
    assert message in said
    assert len(rows_of(output, "pending")) == 15
