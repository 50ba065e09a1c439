"""The states of the test server's batches by the clock, and the input files that they refuse; nothing over HTTP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.model_server import Behaviour
from tests.model_server.api import Reply, error_reply
from tests.model_server.batches import Batches, Lost, Refused, read_requests
from tests.model_server.client import batch_line, batch_of, chat


class Rig:
    """A pure store on a clock of its own; a body that is a number of 400 and more is refused with it, None is lost."""

    def __init__(self, rules: Behaviour) -> None:
        self.now = 1000.0
        self.asked: list[object] = []
        self.batches = Batches(rules, self._answer, lambda: self.now)

    def _answer(self, body: object, batch_id: str) -> Reply | None:
        assert self.batches.batch(batch_id).status == "in_progress"
        self.asked.append(body)
        if body is None:
            return None
        return error_reply(body, None, "no") if isinstance(body, int) and body >= 400 else Reply({"echo": body})

    def create(self, bodies: Sequence[object]) -> str:
        content = b"".join(batch_line(f"r{n}", body) for n, body in enumerate(bodies))
        file = self.batches.add_file("in.jsonl", "batch", content)
        return self.batches.create(file.id, {"run": "1"}).id

    def at(self, seconds: float, batch_id: str, most: int = 100) -> dict[str, Any]:
        self.now = 1000.0 + seconds
        self.batches.advance(self.batches.batch(batch_id), most)
        return self.batches.batch(batch_id).as_json()

    def lines_of(self, file_id: str | None) -> list[dict[str, Any]]:
        assert file_id is not None
        return [json.loads(text) for text in self.batches.file(file_id).content.splitlines()]


def test_a_batch_goes_through_its_states_by_the_clock() -> None:
    rig = Rig(Behaviour(batch_seconds=100))
    batch = rig.create([1, 2, 3, 4])
    seen = [rig.at(at, batch) for at in (9.9, 10, 31, 89, 90, 99.9, 100)]
    assert [one["status"] for one in seen] == [
        "validating", "in_progress", "in_progress", "in_progress", "finalizing", "finalizing", "completed",
    ]  # fmt: skip
    assert [one["request_counts"]["completed"] for one in seen] == [0, 0, 1, 3, 4, 4, 4]
    assert [one["request_counts"]["total"] for one in seen] == [0, 4, 4, 4, 4, 4, 4]
    assert all(one["output_file_id"] is None for one in seen[:-1])
    times = {"created_at": 1000, "in_progress_at": 1010, "finalizing_at": 1090, "completed_at": 1100}
    last = seen[-1]
    assert {name: at for name, at in last.items() if name.endswith("_at") and at is not None} == {
        **times,
        "expires_at": 1000 + 24 * 3600,
    }
    assert last["error_file_id"] is None
    assert last["metadata"] == {"run": "1"}
    assert rig.lines_of(last["output_file_id"])[0] == {
        "id": "batch_req_1",
        "custom_id": "r0",
        "response": {"status_code": 200, "request_id": "req_1", "body": {"echo": 1}},
        "error": None,
    }


def test_an_end_is_final() -> None:
    rig = Rig(Behaviour())
    batch = rig.create([1])
    ended = rig.at(0, batch)
    assert ended["status"] == "completed"
    assert rig.at(1000, batch) == ended
    with pytest.raises(Refused, match="completed"):
        rig.batches.cancel(batch)
    assert rig.asked == [1]


def test_failed_and_lost_requests_count_as_failed() -> None:
    rig = Rig(Behaviour())
    done = rig.at(0, rig.create([500, None, 3, 404]))
    assert done["request_counts"] == {"total": 4, "completed": 1, "failed": 3}
    assert [one["custom_id"] for one in rig.lines_of(done["output_file_id"])] == ["r2"]
    failed = rig.lines_of(done["error_file_id"])
    assert [(one["custom_id"], one["response"]["status_code"], one["error"]) for one in failed] == [
        ("r0", 500, None),
        ("r3", 404, None),
    ]
    assert failed[0]["response"]["body"]["error"]["message"] == "no"


def test_no_output_file_where_nothing_was_answered() -> None:
    rig = Rig(Behaviour())
    done = rig.at(0, rig.create([500]))
    assert done["status"] == "completed"
    assert done["output_file_id"] is None


def test_a_step_answers_no_more_than_it_may() -> None:
    rig = Rig(Behaviour())
    batch = rig.create(range(5))
    assert rig.at(0, batch, most=2)["request_counts"]["completed"] == 2
    assert rig.at(0, batch, most=2)["status"] == "in_progress"
    assert rig.at(0, batch, most=2)["status"] == "completed"
    assert rig.asked == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("share", "count", "left", "status"),
    [(0.5, 4, ["r2", "r3"], "expired"), (0.5, 1, [], "completed"), (1.0, 2, ["r0", "r1"], "expired")],
)
def test_the_last_requests_of_a_batch_expire(share: float, count: int, left: list[str], status: str) -> None:
    rig = Rig(Behaviour(batch_expired=share))
    done = rig.at(0, rig.create(range(count)))
    assert done["status"] == status
    assert (done["expired_at"] is None) == (status != "expired")
    undone = rig.lines_of(done["error_file_id"]) if left else []
    assert [one["custom_id"] for one in undone] == left
    assert all(one["response"] is None and one["error"]["code"] == "batch_expired" for one in undone)
    assert len(rig.asked) == count - len(left)


def test_a_cancelled_batch_keeps_what_it_has() -> None:
    rig = Rig(Behaviour(batch_seconds=100))
    batch = rig.create([1, 2])
    rig.at(10, batch)
    rig.at(55, batch)
    assert rig.batches.cancel(batch).status == "cancelling"
    done = rig.at(56, batch)
    assert done["status"] == "cancelled"
    assert (done["cancelling_at"], done["cancelled_at"], done["completed_at"]) == (1055, 1056, None)
    assert [one["custom_id"] for one in rig.lines_of(done["output_file_id"])] == ["r0"]
    assert [one["error"]["code"] for one in rig.lines_of(done["error_file_id"])] == ["batch_cancelled"]


def test_a_batch_whose_file_is_gone_fails() -> None:
    rig = Rig(Behaviour())
    file = rig.batches.add_file("in.jsonl", "batch", batch_of(1))
    batch = rig.batches.create(file.id, None)
    rig.batches.delete_file(file.id)
    with pytest.raises(Lost, match=file.id):
        rig.batches.delete_file(file.id)
    assert rig.at(0, batch.id)["errors"]["data"][0]["code"] == "file_not_found"


def test_pages_go_from_the_newest_to_the_oldest() -> None:
    rig = Rig(Behaviour())
    names = [rig.create([n]) for n in range(3)][::-1]
    page, more = rig.batches.page(None, 2)
    assert ([batch.id for batch in page], more) == (names[:2], True)
    page, more = rig.batches.page(names[1], 2)
    assert ([batch.id for batch in page], more) == (names[2:], False)
    assert rig.batches.page(names[2], 2) == ([], False)
    assert rig.batches.page(None, 3)[1] is False


BODY = chat("screen")


@pytest.mark.parametrize(
    ("content", "code", "number"),
    [
        (b"", "empty_file", None),
        (b"\n \n", "empty_file", None),
        (batch_of(4), "too_many_tasks", None),
        (b"x" * 2001, "file_too_large", None),
        (batch_line("a", BODY) + b"{\n", "invalid_json_line", 2),
        (b'{"custom_id": 1, "body": {}}', "missing_required_parameter", 1),
        (b'{"custom_id": "a"}', "missing_required_parameter", 1),
        (b"[]", "missing_required_parameter", 1),
        (batch_line("a", BODY) + b"\n" + batch_line("a", BODY), "duplicate_custom_id", 3),
        (batch_line("a" * 65, BODY), "invalid_custom_id", 1),
        (batch_line("a", BODY, url="/v1/embeddings"), "invalid_url", 1),
        (batch_line("a", BODY).replace(b"POST", b"GET"), "invalid_method", 1),
        (batch_line("a", BODY) + batch_line("b", {**BODY, "model": "other"}), "mismatched_model", 2),
    ],
)  # fmt: skip
def test_an_input_file_is_refused(content: bytes, code: str, number: int | None) -> None:
    _, errors = read_requests(content, Behaviour(batch_max_requests=3, batch_max_bytes=2000))
    assert [(error["code"], error["line"]) for error in errors] == [(code, number)]


def test_an_input_file_at_the_edges_is_taken() -> None:
    content = batch_line("a" * 64, BODY) + b"\n" + batch_line("b", "no chat at all").rstrip()
    requests, errors = read_requests(content, Behaviour(batch_max_requests=2, batch_max_bytes=len(content)))
    assert errors == []
    assert [request.custom_id for request in requests] == ["a" * 64, "b"]


def test_a_share_of_expired_requests_is_a_share() -> None:
    with pytest.raises(ValueError, match=r"1\.5"):
        Behaviour(batch_expired=1.5)
