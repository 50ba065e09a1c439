"""From requests that wait to answers in the cache, over a provider of our own: every step, and a death at each."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from schemas.answers import json_schema
from schemas.records import Pending, to_table
from transforms.llm.batch.failed import Failure
from transforms.llm.batch.journal import Batch, Journal
from transforms.llm.batch.provider import Look, Provider
from transforms.llm.batch.rounds import SETTLE_S, Courier, UnsureError, prepare, waiting_requests
from transforms.llm.cache import Entry, open_cache, request_key
from transforms.llm.requests import Completion, Kind, ModelError, Request, Settings

HERE = Settings("openai/small", "http://127.0.0.1:1/v1")
MODELS = {"screen": HERE}
NOW = 1_700_000_000.0
GOOD, PROSE = '{"thought": "t", "qualified": true}', "Well, let me think."


def request(text: str) -> Request:
    return Request("screen", {}, ({"role": "user", "content": text},), json_schema("screen"), "fp", "Wrong: $error")


def key(text: str) -> str:
    return request_key(request(text), HERE)


def line(text: str, said: str = GOOD, **more: Any) -> bytes:
    """Return the line of a result: what the model said to a text."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"content": said}}
    body = {"choices": [choice], "usage": {"prompt_tokens": 10, "completion_tokens": 2}}
    response = {"status_code": 200, "body": body}
    return json.dumps({"custom_id": key(text), "response": response, "error": None, **more}).encode()


def refused(text: str, status: int, message: str = "no") -> bytes:
    return line(text, response={"status_code": status, "body": {"error": {"message": message}}})


def undone(text: str) -> bytes:
    return line(text, response=None, error={"code": "batch_expired", "message": "too late"})


class Dead(BaseException):
    """The process was killed."""


class Place:
    """A provider's batches in memory, for `Courier`: what was asked of it, and what it answers.

    Attributes:
      calls: what was asked, in its order.
      dies: a call after which the process is dead: what it asked for has been done, and nobody hears of it.
      fails: what a call meets instead.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, tuple[str, str]] = {}
        self.results: dict[str, list[bytes]] = {}
        self.dies = ""
        self.fails: dict[str, ModelError] = {}
        self.tagged = True

    def __call__(self, settings: Settings) -> Place:
        assert settings == HERE
        return self

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.fails:
            raise self.fails[name]

    def _ends(self, name: str) -> None:
        if self.dies == name:
            raise Dead

    def upload(self, name: str, data: bytes) -> str:
        self._called("upload")
        self.files[file_id := f"file-{len(self.files)}"] = data
        self._ends("upload")
        return file_id

    def create(self, file_id: str, name: str) -> str:
        self._called("create")
        assert file_id in self.files
        self.batches[batch_id := f"batch-{len(self.batches)}"] = (file_id, name)
        self._ends("create")
        return batch_id

    def find(self, file_id: str, name: str) -> str | None:
        self._called("find")
        for batch_id, (file, tag) in self.batches.items():
            if file == file_id or (self.tagged and tag == name):
                return batch_id
        return None

    def look(self, batch_id: str) -> Look:
        self._called("look")
        return Look("in_progress", 0, (), ())

    def lines(self, file_id: str) -> Iterator[bytes]:
        self._called(f"lines {file_id}")
        return iter(self.results[file_id])


class Desk:
    """A run's directory with requests in `pending/`, and who takes them on."""

    def __init__(self, output: Path) -> None:
        self.output = str(output)
        self.cache = f"{output}/cache"
        self.journal = Journal(self.output)
        self.place = Place()
        self.now = NOW
        self.slept: list[float] = []

    def wait_for(self, *texts: str) -> None:
        rows = [Pending(key(text), "d", "screen", HERE.model, "fp", request(text).to_json()) for text in texts]
        path = Path(self.output) / "pending" / "part-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(to_table(Pending, rows), path)

    def prepare(self, *texts: str, offline: bool = False) -> list[Batch]:
        self.wait_for(*texts)
        return prepare(self.journal, self.output, self.cache, MODELS, offline=offline)  # type: ignore[arg-type]

    def courier(self) -> Courier:
        """Return a process of its own."""
        place: Any = self.place
        return Courier(self.journal, self.cache, provider=place, clock=lambda: self.now, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def sent(self, *texts: str) -> Batch:
        (batch,) = self.prepare(*texts)
        return self.courier().send(batch)

    def collect(self, batch: Batch, *lines: bytes, status: str = "completed") -> Batch:
        self.place.results["out"] = list(lines)
        return self.courier().collect(batch, Look(status, 0, ("out",), ()))

    def only(self) -> Batch:
        (batch,) = self.journal.batches()
        return batch

    def kept(self) -> list[tuple[str, bool]]:
        """Return the key and the validity of every line of the cache."""
        cache = open_cache(self.cache)
        found = [(name, entry.valid) for name, entry in cache.entries()]
        cache.close()
        return found

    def asked(self, batch: Batch) -> list[dict[str, Any]]:
        lines = Path(self.journal.path(batch, "input.jsonl")).read_bytes().splitlines()
        return [json.loads(each) for each in lines]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "run")


def figures(**counted: int) -> dict[str, int]:
    names = ("answered", "invalid", "failed", "missing", "prompt_tokens", "completion_tokens", "cost_nano_usd")
    return {**dict.fromkeys(names, 0), **counted}


# What waits


def test_each_key_waits_once_and_not_where_it_is_under_way(desk: Desk) -> None:
    assert list(waiting_requests(desk.output, set())) == []
    desk.wait_for("a", "b", "a")
    assert list(waiting_requests(desk.output, set())) == [(key("a"), request("a")), (key("b"), request("b"))]
    assert [name for name, _ in waiting_requests(desk.output, {key("a")})] == [key("b")]


def test_what_is_under_way_is_not_sent_again(desk: Desk) -> None:
    desk.prepare("a", "b")
    assert desk.prepare("a", "b") == []
    (second,) = desk.prepare("b", "c")
    assert [each["custom_id"] for each in desk.asked(second)] == [key("c")]


def test_what_was_answered_since_the_last_run_is_not_sent_again(desk: Desk) -> None:
    batch = desk.sent("a", "b", "c", "d")
    refusal = refused("d", 400, "your prompt was flagged by the safety system")
    collected = desk.collect(batch, line("a"), line("b", PROSE), refused("c", 500), refusal)
    assert collected.figures["answered"] == 1
    (again,) = desk.prepare("a", "b", "c", "d")
    assert [each["custom_id"] for each in desk.asked(again)] == [key("b"), key("c")], "d was given up"


def test_an_answer_that_no_longer_is_one_is_asked_for_again_and_replaced(desk: Desk) -> None:
    old = Entry("screen", HERE.model, "fp", Completion('{"qualified": true}', "stop"), valid=True)
    cache = open_cache(desk.cache)
    asyncio.run(cache.put(key("a"), old))
    cache.close()
    desk.collect(desk.sent("a"), line("a"))
    assert desk.prepare("a") == []
    assert desk.kept() == [(key("a"), True), (key("a"), True)]


def test_an_invalid_reply_is_sent_back_with_what_is_wrong_with_it(desk: Desk) -> None:
    desk.collect(desk.sent("a", "b", "c"), line("a", PROSE), line("b", ""), refused("c", 500))
    (again,) = desk.prepare("a", "b", "c")
    said = {
        each["custom_id"]: [message["content"] for message in each["body"]["messages"]] for each in desk.asked(again)
    }
    assert said == {
        key("a"): ["a", PROSE, "Wrong: no JSON object in: Well, let me think."],
        key("b"): ["b"],
        key("c"): ["c"],
    }


# Sending


def test_a_batch_is_uploaded_created_and_written_down(desk: Desk) -> None:
    (batch,) = desk.prepare("a", "b")
    expected = Path(desk.journal.path(batch, "input.jsonl")).read_bytes()
    sent = desk.courier().send(batch)
    assert desk.place.calls == ["upload", "create"]
    assert desk.place.files == {"file-0": expected}
    assert desk.place.batches == {"batch-0": ("file-0", batch.name)}
    assert sent == desk.only()
    assert (sent.status, sent.file_id, sent.batch_id, sent.since) == ("sent", "file-0", "batch-0", NOW)
    assert desk.courier().send(sent) == sent
    assert len(desk.place.calls) == 2
    assert desk.slept == []


@pytest.mark.parametrize("status", ["sent", "collected", "failed"])
def test_a_batch_that_was_sent_is_left_alone(desk: Desk, status: Any) -> None:
    batch = dataclasses.replace(desk.prepare("a")[0], status=status)
    assert desk.courier().send(batch) == batch
    assert desk.place.calls == []


def test_killed_before_the_upload_is_known_it_is_uploaded_again(desk: Desk) -> None:
    (batch,) = desk.prepare("a")
    desk.place.dies = "upload"
    with pytest.raises(Dead):
        desk.courier().send(batch)
    assert desk.only() == batch
    desk.place.dies = ""
    assert desk.courier().send(desk.only()).batch_id == "batch-0"
    assert len(desk.place.batches) == 1
    assert desk.place.calls == ["upload", "upload", "create"]


@pytest.mark.parametrize("tagged", [True, False], ids=["by its tag", "by its file"])
def test_killed_before_the_creation_is_known_it_is_found(desk: Desk, tagged: bool) -> None:
    (batch,) = desk.prepare("a")
    desk.place.dies, desk.place.tagged = "create", tagged
    with pytest.raises(Dead):
        desk.courier().send(batch)
    assert (desk.only().status, desk.only().file_id) == ("sending", "file-0")
    desk.place.dies = ""
    desk.now += 4
    sent = desk.courier().send(desk.only())
    assert (sent.status, sent.batch_id) == ("sent", "batch-0")
    assert desk.place.calls == ["upload", "create", "find"]
    assert desk.slept == [SETTLE_S - 4], "the call of the dead process may still be on its way"


def test_killed_before_the_creation_it_is_created_on_the_file_that_is_there(desk: Desk) -> None:
    (batch,) = desk.prepare("a")
    desk.place.fails["create"] = ModelError(Kind.TRANSIENT, "connection lost")
    with pytest.raises(ModelError):
        desk.courier().send(batch)
    assert desk.only().status == "sending"
    desk.now += 3600
    desk.place.fails.clear()
    sent = desk.courier().send(desk.only())
    assert (sent.batch_id, sent.file_id) == ("batch-0", "file-0")
    assert desk.place.calls == ["upload", "create", "find", "create"]
    assert desk.slept == [0.0], "an hour later nothing is on its way"


def test_a_clock_that_was_ahead_does_not_make_it_wait_for_ever(desk: Desk) -> None:
    batch = dataclasses.replace(desk.prepare("a")[0], status="sending", file_id="file-0", since=NOW + 86_400)
    desk.place.files["file-0"] = b""
    desk.courier().send(batch)
    assert desk.slept == [SETTLE_S]


def test_an_upload_that_fails_leaves_the_batch_ready(desk: Desk) -> None:
    (batch,) = desk.prepare("a")
    desk.place.fails["upload"] = ModelError(Kind.AUTH, "wrong key")
    with pytest.raises(ModelError, match="wrong key"):
        desk.courier().send(batch)
    assert desk.only() == batch


@pytest.mark.parametrize("kind", [Kind.AUTH, Kind.THROTTLED, Kind.UNKNOWN_MODEL, Kind.BAD_REQUEST])
def test_a_batch_that_was_refused_is_not_in_doubt(desk: Desk, kind: Kind) -> None:
    (batch,) = desk.prepare("a")
    desk.place.fails["create"] = ModelError(kind, "no")
    with pytest.raises(ModelError, match="no"):
        desk.courier().send(batch)
    assert desk.only().status == "ready"
    desk.place.fails.clear()
    assert desk.courier().send(desk.only()).status == "sent"
    lost = kind in (Kind.UNKNOWN_MODEL, Kind.BAD_REQUEST)
    assert desk.place.calls == ["upload", "create", *(["upload"] if lost else []), "create"]
    assert len(desk.place.batches) == 1


def test_a_provider_that_cannot_tell_is_not_asked_twice(desk: Desk) -> None:
    batch = dataclasses.replace(desk.prepare("a")[0], status="sending", file_id="file-0")
    desk.place.fails["find"] = ModelError(Kind.UNKNOWN_MODEL, "HTTP 405")
    with pytest.raises(UnsureError, match=r"on the file file-0") as caught:
        desk.courier().send(batch)
    assert caught.value.batch == batch
    assert desk.place.batches == {}
    desk.place.fails["find"] = ModelError(Kind.TRANSIENT, "HTTP 503")
    with pytest.raises(ModelError, match="503"):
        desk.courier().send(batch)
    assert desk.place.batches == {}


def test_what_the_user_says_of_a_batch_in_doubt_is_believed(desk: Desk) -> None:
    batch = dataclasses.replace(desk.prepare("a")[0], status="sending", file_id="file-lost")
    desk.place.fails["find"] = ModelError(Kind.UNKNOWN_MODEL, "HTTP 405")
    desk.journal.settle(batch, "batch-7", NOW)
    assert desk.courier().send(desk.only()).batch_id == "batch-7"
    assert desk.place.calls == []
    desk.journal.settle(batch, None, NOW)
    assert desk.courier().send(desk.only()).batch_id == "batch-0"
    assert desk.place.calls == ["upload", "create"]


# Collecting


def test_answers_are_kept_and_failures_written_down(desk: Desk) -> None:
    batch = desk.sent("a", "b", "c", "d", "e")
    lines = [line("a"), line("b", PROSE), refused("c", 500, "oops"), refused("d", 400, "senseless"), undone("e")]
    done = desk.collect(batch, *lines, status="expired")
    assert done == desk.only()
    assert (done.status, done.error) == ("collected", None)
    counted = figures(answered=1, invalid=1, failed=2, missing=1, prompt_tokens=20, completion_tokens=4)
    assert done.figures == counted
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
    assert done.figures == figures(answered=1, missing=1, prompt_tokens=10, completion_tokens=2)
    assert done.error is not None and "no credit" in done.error
    assert desk.journal.failures() == {}


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


# From file to file


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
    assert not output.exists()


def test_a_provider_is_made_once_for_all_batches_of_a_place(desk: Desk) -> None:
    made: list[Settings] = []

    def make(settings: Settings) -> Provider:
        made.append(settings)
        place: Any = desk.place
        return place  # type: ignore[no-any-return]

    courier = Courier(desk.journal, desk.cache, provider=make)
    (first,) = desk.prepare("a")
    (second,) = desk.prepare("a", "b")
    for batch in (first, second):
        assert courier.look(courier.send(batch)).status == "in_progress"
    assert made == [HERE]
