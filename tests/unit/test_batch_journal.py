"""The journal of a run's batches: how requests are split, what is written down, and what a death leaves."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from schemas.answers import Stage, json_schema
from schemas.config import RunConfig
from transforms.llm.batch import journal as module
from transforms.llm.batch.failed import Failure
from transforms.llm.batch.journal import FIGURES, IN_USE, Asked, Batch, Journal, read_failed, write_failed
from transforms.llm.batch.wire import request_line
from transforms.llm.cache import request_key
from transforms.llm.rates import TokenEstimate
from transforms.llm.requests import Kind, Request, Settings

NOW = 1_700_000_000.0
HERE = Settings("openai/small", "http://127.0.0.1:1/v1", "MY_KEY")
NOTHING = dict.fromkeys(("batches", "requests", *FIGURES), 0)


def request(text: str, stage: Stage = "screen") -> Request:
    return Request(stage, {}, ({"role": "user", "content": text},), json_schema(stage), "fp")


def asked(*texts: str, settings: Settings = HERE, stage: Stage = "screen") -> list[tuple[str, Request, Settings]]:
    requests = [request(text, stage) for text in texts]
    return [(request_key(each, settings), each, settings) for each in requests]


def keys(*texts: str) -> list[str]:
    return [key for key, _, _ in asked(*texts)]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(f"{tmp_path}/run/")


def one(journal: Journal, *texts: str, now: float = NOW) -> Batch:
    (batch,) = journal.add(asked(*texts), offline=False, now=now)
    return batch


def files(journal: Journal) -> set[str]:
    return {path.name for path in Path(journal.directory).iterdir()}


def collected(journal: Journal, batch: Batch, failures: dict[str, Failure], **figures: int) -> Batch:
    """Write down that a batch is over and which of its requests failed, as `Courier.collect` does."""
    invalid = sum(failure.kind is Kind.INVALID for failure in failures.values())
    counted = {**dict.fromkeys(FIGURES, 0), "invalid": invalid, "failed": len(failures) - invalid, **figures}
    journal.write_failures(batch, failures.items())
    batch = dataclasses.replace(batch, status="collected", figures=counted)
    journal.save(batch)
    return batch


def test_nothing_is_written_for_nothing(journal: Journal) -> None:
    assert journal.add([], offline=False, now=NOW) == []
    assert journal.batches() == []
    assert journal.taken() == set()
    assert journal.failures() == {}
    assert journal.figures() == NOTHING


def test_a_batch_is_three_files_that_say_all_of_it(journal: Journal) -> None:
    requests = [*asked("a", "b"), *asked("c", stage="judge")]
    (batch,) = journal.add(requests, offline=False, now=NOW)
    assert re.fullmatch(r"20231114T221320000000Z-[0-9a-f]{8}", batch.name)
    expected = Batch(batch.name, HERE.model, HERE.api_base, HERE.api_key_env, 3, "ready", NOW)
    assert batch == expected
    assert files(journal) == {f"{batch.name}.{suffix}" for suffix in ("batch.json", "asked.jsonl", "input.jsonl")}
    again = Journal(str(Path(journal.directory).parent))
    assert again.batches() == again.open() == [batch]
    assert batch.settings == HERE
    assert batch.under_way
    lines = Path(journal.path(batch, "input.jsonl")).read_bytes()
    assert lines == b"".join(request_line(*each) for each in requests)
    assert list(again.asked(batch)) == [
        Asked(key, each.stage, each.task, "fp", 1, each.characters) for key, each, _ in requests
    ]
    assert again.taken() == {key for key, _, _ in requests}


def test_a_batch_knows_what_it_was_expected_to_cost(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE_REQUESTS", 2)
    requests = asked("a", "bb", "ccc")
    batches = journal.add(requests, offline=False, now=NOW, expected_usd=lambda request, _: request.characters / 2)
    assert [batch.expected_usd for batch in batches] == [each.expected_usd for each in journal.batches()] == [1.5, 1.5]


def test_what_another_version_wrote_teaches_the_length_of_answers(journal: Journal) -> None:
    collected(journal, one(journal, "a"), {}, answered=1, screen_answers=1, screen_tokens=6)
    estimate = TokenEstimate(0.5)
    journal.teach(estimate)
    assert estimate.expected(request("four"), HERE) == (2.0, 6.0)


def test_each_model_place_and_key_has_batches_of_its_own(journal: Journal) -> None:
    places = [
        HERE,
        dataclasses.replace(HERE, model="openai/large"),
        dataclasses.replace(HERE, api_base="http://127.0.0.1:2/v1"),
        dataclasses.replace(HERE, api_key_env=None),
    ]
    warmer = dataclasses.replace(HERE, temperature=1.0)
    requests = [each for settings in [*places, warmer] * 2 for each in asked("a", settings=settings)]
    batches = journal.add(requests, offline=True, now=NOW)
    assert [batch.settings for batch in batches] == places
    assert [batch.requests for batch in batches] == [4, 2, 2, 2]
    assert all(batch.offline for batch in batches)


def test_files_are_split_at_the_limit_of_requests(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE_REQUESTS", 3)
    texts = [f"text {n}" for n in range(7)]
    batches = journal.add(asked(*texts), offline=False, now=NOW)
    assert [batch.requests for batch in batches] == [3, 3, 1]
    found = [each.key for batch in batches for each in journal.asked(batch)]
    assert found == keys(*texts)


@pytest.mark.parametrize(("spare", "expected"), [(0, [2, 1]), (-1, [1, 1, 1]), (10**6, [3])])
def test_files_are_split_at_the_limit_of_bytes(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, spare: int, expected: list[int]
) -> None:
    requests = asked("a", "b", "c")
    monkeypatch.setattr(module, "FILE_BYTES", 2 * len(request_line(*requests[0])) + spare)
    assert [batch.requests for batch in journal.add(requests, offline=False, now=NOW)] == expected


def test_a_request_above_the_limit_of_bytes_has_a_file_of_its_own(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FILE_BYTES", 10)
    assert [batch.requests for batch in journal.add(asked("a", "b"), offline=False, now=NOW)] == [1, 1]


def test_batches_are_listed_the_oldest_first_however_quick_they_follow(journal: Journal) -> None:
    batches = [one(journal, f"{n}", now=NOW + n / 1000) for n in range(10)]
    assert journal.batches() == batches


def test_files_without_their_batch_go_with_the_next_one(journal: Journal) -> None:
    known = one(journal, "a")
    directory = Path(journal.directory)
    strays = ["x.input.jsonl", "x.asked.jsonl", "x.input.jsonl.0f.tmp", f"{known.name}.failed.jsonl.0f.tmp"]
    others = ["in_use.json", "run.json", f"{known.name}.output.jsonl", "notes.txt"]
    for name in [*strays, *others]:
        (directory / name).write_text("{}")
    before = files(journal)
    one(journal, "b")
    assert before - files(journal) == set(strays)
    assert journal.taken() == set(keys("a", "b"))


def test_other_files_are_no_batches(journal: Journal) -> None:
    batch = one(journal, "a")
    (Path(journal.directory) / Path(IN_USE).name).write_text('{"pid": 1}')
    journal.write_run(config_of())
    assert journal.batches() == [batch]


def config_of(**given: object) -> RunConfig:
    return RunConfig.model_validate({"input": ["c.parquet"], "output": "run", "llm_mode": "batch", **given})


def test_what_the_commands_need_of_a_run_comes_back_and_nothing_else(journal: Journal) -> None:
    assert journal.run() is None
    models = {
        "screen": {"model": "openai/small", "api_base": "http://127.0.0.1:1/v1", "extra_body": {"top_k": 3}},
        "judge": {"model": "openai/large"},
    }
    price = {"input": 1.0, "output": 2.0}
    config = config_of(
        models=models,
        prices={"openai/small": price, "openai/large": price},
        limits={"openai/small": {"requests_per_minute": 5}},
        limiter="redis://:hush-hush@127.0.0.1:6379/0",
        cache="gs://bucket/answers",
        budget_usd=7,
        until="screen",
    )
    journal.write_run(config)
    found = journal.run()
    assert found is not None
    assert found.models.screen == config.models.screen
    assert found.models.judge == RunConfig.model_fields["models"].default.judge, "no stage up to `until` calls it"
    assert found.prices == {"openai/small": config.prices["openai/small"]}
    assert (found.cache, found.budget_usd, found.until) == ("gs://bucket/answers", 7.0, "screen")
    assert (found.llm_mode, found.output) == ("batch", str(Path(journal.directory).parent))
    assert "hush-hush" not in (Path(journal.directory) / "run.json").read_text()


def test_a_cache_is_the_same_from_any_directory(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    for directory in (here, elsewhere):
        directory.mkdir()
    monkeypatch.chdir(here)
    journal.write_run(config_of(cache="answers"))
    monkeypatch.chdir(elsewhere)
    found = journal.run()
    assert found is not None
    assert found.cache_directory == f"{here}/answers"


def test_the_cache_of_an_output_moves_with_it(journal: Journal, tmp_path: Path) -> None:
    journal.write_run(config_of())
    (tmp_path / "run").rename(tmp_path / "moved")
    found = Journal(f"{tmp_path}/moved").run()
    assert found is not None
    assert found.cache_directory == f"{tmp_path}/moved/cache"


def test_a_death_before_the_batch_is_written_down_leaves_none(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(self: Journal, batch: Batch) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "save", die)
        with pytest.raises(KeyboardInterrupt):
            one(journal, "a")
    assert len(files(journal)) == 2
    assert journal.batches() == []
    assert journal.taken() == set()
    batch = one(journal, "a")
    assert all(name.startswith(batch.name) for name in files(journal))


def test_a_batch_is_replaced_as_a_whole(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = one(journal, "a")
    with monkeypatch.context() as patch:
        # Whatever stops the writing before the new file has the name leaves the old one.
        patch.setattr("transforms.files.FileSystems.rename", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            journal.save(dataclasses.replace(batch, status="sent", batch_id="b"))
    assert journal.batches() == [batch]
    journal.save(dataclasses.replace(batch, status="sent", batch_id="b"))
    assert [(each.status, each.batch_id) for each in journal.batches()] == [("sent", "b")]
    assert not any(name.endswith(".tmp") for name in files(journal))


@pytest.mark.parametrize("status", ["ready", "sending", "sent"])
def test_requests_are_taken_while_a_batch_is_under_way(journal: Journal, status: module.Status) -> None:
    batch = one(journal, "a", "b")
    journal.save(dataclasses.replace(batch, status=status))
    assert journal.taken() == set(keys("a", "b"))
    assert f"{batch.name}.input.jsonl" in files(journal)


@pytest.mark.parametrize("status", ["collected", "failed"])
def test_a_batch_that_is_over_takes_nothing_and_keeps_no_bodies(journal: Journal, status: module.Status) -> None:
    batch = one(journal, "a")
    Path(journal.path(batch, "output.jsonl")).write_text("{}\n")
    journal.save(dataclasses.replace(batch, status=status, figures=dict.fromkeys(FIGURES, 0)))
    assert journal.taken() == set()
    assert journal.open() == []
    assert files(journal) == {f"{batch.name}.batch.json", f"{batch.name}.output.jsonl"}


def test_a_batch_in_doubt_is_settled_by_what_the_user_says(journal: Journal) -> None:
    batch = dataclasses.replace(one(journal, "a"), status="sending", file_id="file-1")
    journal.settle(batch, "batch-1", NOW + 5)
    assert journal.batches() == [dataclasses.replace(batch, status="sent", batch_id="batch-1", since=NOW + 5)]
    journal.settle(batch, None, NOW + 6)
    assert journal.batches() == [dataclasses.replace(batch, status="ready", file_id=None, since=NOW + 6)]


def test_failures_are_counted_over_the_batches_that_are_over(journal: Journal) -> None:
    a, b, c = keys("a", "b", "c")
    busy, prose = Failure(Kind.TRANSIENT, "busy"), Failure(Kind.INVALID, "no JSON", reply="Well\ud800\n")
    first = collected(journal, one(journal, "a", "b", "c"), {a: busy, b: prose}, answered=1)
    assert [each.name for each in journal.batches()] == [first.name]
    assert journal.given_up() == {}
    found = journal.failures()
    assert found.keys() == {a, b}
    assert (found[b].last.reply, found[b].last.attempts) == ("Well\ud800\n", 1)
    collected(journal, one(journal, "a", "b", now=NOW + 1), {a: busy, b: Failure(Kind.TRUNCATED, "cut")})
    assert journal.given_up() == {b: Failure(Kind.TRUNCATED, "cut", 2)}
    collected(journal, one(journal, "a", now=NOW + 2), {a: Failure(Kind.TIMEOUT, "slow")})
    assert journal.given_up() == {b: Failure(Kind.TRUNCATED, "cut", 2), a: Failure(Kind.TIMEOUT, "slow", 3)}
    assert c not in journal.failures()


def test_what_a_batch_that_is_not_over_has_written_does_not_count(journal: Journal) -> None:
    batch = one(journal, "a")
    journal.write_failures(batch, [(keys("a")[0], Failure(Kind.REFUSED, "no"))])
    assert journal.failures() == {}


def test_what_is_forgiven_is_asked_anew(journal: Journal) -> None:
    batch = collected(journal, one(journal, "a", "b"), {keys("a")[0]: Failure(Kind.REFUSED, "no")}, answered=1)
    failed = dataclasses.replace(one(journal, "b"), status="failed", error="it is expired")
    journal.save(failed)
    under_way = one(journal, "c")
    assert journal.given_up() != {}
    journal.forgive()
    assert journal.failures() == {}
    assert {each.name for each in journal.batches()} == {batch.name, failed.name, under_way.name}
    assert journal.taken() == set(keys("c"))
    journal.forgive()
    assert journal.failures() == {}


def test_figures_add_up_all_batches(journal: Journal) -> None:
    collected(journal, one(journal, "a", "b"), {keys("a")[0]: Failure(Kind.REFUSED, "no")}, answered=1, prompt_tokens=7)
    collected(journal, one(journal, "c"), {}, answered=1, prompt_tokens=5, cost_nano_usd=3)
    journal.save(dataclasses.replace(one(journal, "d"), status="failed"))
    one(journal, "e")
    figures = {"batches": 4, "requests": 5, "answered": 2, "failed": 1, "prompt_tokens": 12, "cost_nano_usd": 3}
    assert journal.figures() == {**NOTHING, **figures}


def test_what_is_given_up_travels_in_a_file(tmp_path: Path) -> None:
    failures = {
        "a" * 64: Failure(Kind.INVALID, "„no JSON“ in: Well", 2, "Well"),
        "b" * 64: Failure(Kind.REFUSED, "no", 1),
    }
    path = str(tmp_path / "new" / "failed.jsonl")
    write_failed(path, failures)
    without_reply = {key: dataclasses.replace(failure, reply="") for key, failure in failures.items()}
    assert read_failed(path) == without_reply
    assert all(json.loads(line)["attempts"] for line in Path(path).read_text().splitlines())
    write_failed(path, {})
    assert read_failed(path) == {}
