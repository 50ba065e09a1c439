"""From batches that are over to answers in the cache: what each line comes to, and a death on the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.batch_desk import HERE, PROSE, Dead, Desk, key, line, refused, request, undone
from transforms.llm.batch.failed import Failure
from transforms.llm.batch.provider import Look
from transforms.llm.rates import TokenEstimate
from transforms.llm.requests import Kind, ModelError


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "run")


def figures(**counted: int) -> dict[str, int]:
    names = ("answered", "invalid", "failed", "missing", "prompt_tokens", "completion_tokens", "cost_nano_usd")
    return {**dict.fromkeys(names, 0), **counted}


def test_answers_are_kept_and_failures_written_down(desk: Desk) -> None:
    batch = desk.sent("a", "b", "c", "d", "e")
    lines = [line("a"), line("b", PROSE), refused("c", 500, "oops"), refused("d", 400, "senseless"), undone("e")]
    done = desk.collect(batch, *lines, status="expired")
    assert done == desk.only()
    assert (done.status, done.error) == ("collected", None)
    counted = figures(answered=1, invalid=1, failed=2, missing=1, prompt_tokens=20, completion_tokens=4)
    screen = {"screen_answers": 2, "screen_tokens": 4, "screen_characters": 2, "screen_prompt_tokens": 20}
    assert done.figures == {**counted, **screen}
    estimate = TokenEstimate()
    desk.journal.teach(estimate)
    assert estimate.expected(request("four"), HERE) == (40.0, 2.0), "ten tokens a character, as the answers had"
    assert desk.kept() == [(key("a"), True), (key("b"), False)]
    failures = {name: attempts.last for name, attempts in desk.journal.failures().items()}
    assert failures == {
        key("b"): Failure(Kind.INVALID, "no JSON object in: Well, let me think.", 1, PROSE),
        key("c"): Failure(Kind.TRANSIENT, "HTTP 500 from http://127.0.0.1:1/v1: oops"),
        key("d"): Failure(Kind.BAD_REQUEST, "HTTP 400 from http://127.0.0.1:1/v1: senseless"),
    }
    assert desk.journal.given_up().keys() == {key("d")}


def test_a_key_that_is_refused_says_nothing_about_the_request(desk: Desk) -> None:
    done = desk.collect(desk.sent("a", "b"), line("a"), refused("b", 401, "no credit"))
    counted = figures(answered=1, missing=1, prompt_tokens=10, completion_tokens=2)
    screen = {"screen_answers": 1, "screen_tokens": 2, "screen_characters": 1, "screen_prompt_tokens": 10}
    assert done.figures == {**counted, **screen}
    assert done.error is not None and "no credit" in done.error
    assert desk.journal.failures() == {}


def test_a_batch_that_ended_for_its_key_says_so(desk: Desk) -> None:
    done = desk.collect(desk.sent("a", "b"), refused("a", 401, "no credit"), undone("b"), status="cancelled")
    assert done.status == "failed"
    assert done.error is not None and "no credit" in done.error


def test_a_request_without_a_line_has_failed_where_the_batch_has_done_all(desk: Desk) -> None:
    done = desk.collect(desk.sent("a", "b"), line("a"))
    assert (done.figures["failed"], done.figures["missing"]) == (1, 0)
    assert desk.journal.failures()[key("b")].last.kind is Kind.TRANSIENT
    assert key("b") not in desk.journal.given_up()


@pytest.mark.parametrize("status", ["expired", "cancelled", "failed"])
def test_a_request_without_a_line_waits_where_the_batch_has_not_done_all(desk: Desk, status: str) -> None:
    done = desk.collect(desk.sent("a", "b"), line("a"), status=status)
    assert (done.status, done.figures["answered"], done.figures["missing"]) == ("collected", 1, 1)
    assert desk.journal.failures() == {}
    assert desk.journal.taken() == set()


def test_a_batch_that_is_complete_without_a_file_has_answered_nothing(desk: Desk) -> None:
    done = desk.courier().collect(desk.sent("a"), Look("completed", 0, (), ()))
    assert (done.status, done.figures["failed"]) == ("collected", 1)


@pytest.mark.parametrize("status", ["expired", "cancelled", "failed"])
@pytest.mark.parametrize("files", [(), ("out",)], ids=["no file", "nothing done"])
def test_a_batch_that_came_to_nothing_leaves_its_requests_waiting(
    desk: Desk, status: str, files: tuple[str, ...]
) -> None:
    batch = desk.sent("a")
    desk.place.results["out"] = [undone("a")]
    done = desk.courier().collect(batch, Look(status, 0, files, ()))
    assert (done.status, done.error, done.figures) == ("failed", f"it is {status}", {})
    assert len(desk.prepare("a")) == 1


def test_the_file_of_a_batch_that_failed_need_not_exist(desk: Desk) -> None:
    batch = desk.sent("a")
    desk.place.fails["lines out"] = ModelError(Kind.UNKNOWN_MODEL, "HTTP 404: no such object")
    look = Look("failed", 0, ("out",), (("13", "internal"),))
    done = desk.courier().collect(batch, look)
    assert (done.status, done.error) == ("failed", "13: internal")


@pytest.mark.parametrize(
    ("status", "kind"), [("completed", Kind.UNKNOWN_MODEL), ("expired", Kind.TRANSIENT), ("completed", Kind.TIMEOUT)]
)
def test_a_file_that_cannot_be_fetched_is_fetched_again(desk: Desk, status: str, kind: Kind) -> None:
    batch = desk.sent("a")
    desk.place.fails["lines out"] = ModelError(kind, "not now")
    with pytest.raises(ModelError, match="not now"):
        desk.collect(batch, line("a"), status=status)
    assert desk.only() == batch
    desk.place.fails.clear()
    assert desk.collect(batch, line("a"), status=status).figures["answered"] == 1


@pytest.mark.parametrize("code", ["token_limit_exceeded", "request_limit_exceeded"])
def test_a_full_queue_makes_the_batch_ready_again(desk: Desk, code: str) -> None:
    batch = desk.sent("a")
    waiting = desk.courier().collect(batch, Look("failed", 0, (), ((code, "queue is full"),)))
    assert (waiting.status, waiting.batch_id, waiting.file_id) == ("ready", None, "file-0")
    assert desk.journal.taken() == {key("a")}
    assert desk.courier().send(waiting).batch_id == "batch-1"
    assert desk.place.calls == ["upload", "create", "create"]


def test_other_errors_fail_the_batch_and_the_first_three_are_told(desk: Desk) -> None:
    errors = tuple((f"code_{n}", f"line {n}") for n in range(5))
    done = desk.courier().collect(desk.sent("a"), Look("failed", 0, (), errors))
    assert (done.status, done.error) == ("failed", "code_0: line 0; code_1: line 1; code_2: line 2")
    both = (("token_limit_exceeded", "full"), ("invalid_json_line", "line 1"))
    (batch,) = desk.prepare("a")
    assert desk.courier().collect(batch, Look("failed", 0, (), both)).status == "failed"


def test_repeated_foreign_and_broken_lines_are_passed_over(desk: Desk) -> None:
    foreign = json.dumps({"custom_id": "another", "response": None, "error": None}).encode()
    lines = [line("a"), b"", b'{"custom_id"', line("a", PROSE), foreign, line("x"), b" ", line("b")]
    done = desk.collect(desk.sent("a", "b"), *lines)
    assert (done.figures["answered"], done.figures["invalid"], done.figures["failed"]) == (2, 0, 0)
    assert desk.kept() == [(key("a"), True), (key("b"), True)]
    assert desk.journal.failures() == {}
    assert done.error is not None and "no result" in done.error


def test_more_answers_than_are_put_at_once(desk: Desk) -> None:
    texts = [f"text {n}" for n in range(600)]
    done = desk.collect(desk.sent(*texts), *(line(text) for text in texts))
    assert done.figures["answered"] == 600
    assert sorted(desk.kept()) == sorted((key(text), True) for text in texts)


def test_killed_while_collecting_it_collects_again_and_keeps_no_answer_twice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = desk.sent("a", "b")
    for step in ("write_failures", "save"):
        with monkeypatch.context() as patch:
            patch.setattr(desk.journal, step, lambda *_: (_ for _ in ()).throw(Dead()))
            with pytest.raises(Dead):
                desk.collect(batch, line("a"), refused("b", 500))
        assert desk.only() == batch
        assert desk.journal.failures() == {}
        assert desk.kept() == [(key("a"), True)]
    done = desk.collect(batch, line("a"), refused("b", 500))
    assert (done.figures["answered"], done.figures["failed"], done.figures["prompt_tokens"]) == (1, 1, 10)
    assert desk.kept() == [(key("a"), True)]


def test_vllm_reads_and_writes_files(desk: Desk) -> None:
    (batch,) = desk.prepare("a", "b", offline=True)
    sent = desk.courier().send(batch)
    assert (sent.status, sent.batch_id) == ("sent", None)
    output = Path(desk.journal.path(sent, "output.jsonl"))
    courier = desk.courier()
    assert courier.look(sent) == Look("in_progress", 0, (), ())
    output.write_bytes(line("a") + b"\n\n" + line("b")[:50])
    assert courier.look(sent) == Look("in_progress", 1, (), ()), "vllm is at its last line"
    output.write_bytes(line("a") + b"\n\n" + line("b") + b"\n")
    look = courier.look(sent)
    assert (look.status, look.done, look.over) == ("completed", 2, True)
    done = courier.collect(sent, look)
    assert (done.status, done.error, done.figures["answered"]) == ("collected", None, 2)
    assert desk.place.calls == []
    assert output.exists(), "it is the user's"


@pytest.mark.parametrize("rest", [b"", line("b")[:50], line("b") + b"\n"], ids=["missing", "half a line", "whole"])
def test_what_vllm_has_left_out_waits_again_and_the_rest_is_kept(desk: Desk, rest: bytes) -> None:
    sent = desk.courier().send(desk.prepare("a", "b", "c", offline=True)[0])
    Path(desk.journal.path(sent, "output.jsonl")).write_bytes(line("a") + b"\n" + rest)
    given_up = desk.courier().give_up(sent)
    answered = 1 + rest.endswith(b"\n")
    assert (given_up.status, given_up.figures["answered"], given_up.figures["missing"]) == (
        "collected", answered, 3 - answered,
    )  # fmt: skip
    assert desk.journal.failures() == {}, "nobody has asked for it yet"
    (again,) = desk.prepare("a", "b", "c", offline=True)
    assert [each["custom_id"] for each in desk.asked(again)] == [key("a"), key("b"), key("c")][answered:]


def test_a_batch_that_vllm_has_not_begun_waits_again(desk: Desk) -> None:
    sent = desk.courier().send(desk.prepare("a", offline=True)[0])
    assert desk.courier().give_up(sent).status == "failed"
    assert len(desk.prepare("a")) == 1
