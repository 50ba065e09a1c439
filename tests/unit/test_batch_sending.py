"""From requests that wait to batches at a provider: what is sent, and what a death at each step leaves."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from tests.batch_desk import GOOD, HERE, NOW, PROSE, Dead, Desk, key, line, refused, request
from transforms.llm.batch.provider import Provider
from transforms.llm.batch.rounds import SETTLE_S, Courier, UnsureError, waiting_requests
from transforms.llm.cache import Entry, open_cache
from transforms.llm.requests import Completion, Kind, ModelError, Settings


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "run")


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


def test_an_answer_that_no_longer_is_one_is_asked_for_again_and_kept_beside_it(desk: Desk) -> None:
    old = Entry("screen", HERE.model, "fp", Completion('{"qualified": true}', "stop"), valid=True)
    cache = open_cache(desk.cache)
    asyncio.run(cache.put(key("a"), old))
    cache.close()
    desk.collect(desk.sent("a"), line("a"))
    assert desk.kept() == [(key("a"), True), (key("a"), True)]


def test_an_invalid_reply_is_sent_back_with_what_is_wrong_with_it(desk: Desk) -> None:
    lines = [line("a", PROSE), line("b", ""), refused("c", 500), line("d", GOOD[:20], "length")]
    assert desk.collect(desk.sent("a", "b", "c", "d"), *lines).figures["invalid"] == 3
    (again,) = desk.prepare("a", "b", "c", "d")
    said = {
        each["custom_id"]: [message["content"] for message in each["body"]["messages"]] for each in desk.asked(again)
    }
    assert said == {
        key("a"): ["a", PROSE, "Wrong: no JSON object in: Well, let me think."],
        key("b"): ["b"],
        key("c"): ["c"],
        key("d"): ["d"],
    }


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


def test_a_provider_is_made_once_for_all_batches_of_a_place(desk: Desk) -> None:
    made: list[Settings] = []

    def make(settings: Settings) -> Provider:
        made.append(settings)
        place: Any = desk.place
        return place  # type: ignore[no-any-return]

    courier = Courier(desk.journal, desk.cache, {}, provider=make)
    (first,) = desk.prepare("a")
    (second,) = desk.prepare("a", "b")
    for batch in (first, second):
        assert courier.look(courier.send(batch)).status == "in_progress"
    assert made == [HERE]
