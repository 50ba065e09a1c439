"""The test server's Files and Batches API: its states by the clock, and what litellm's calls get from it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
import openai
import pytest

from tests.model_server import Behaviour, ModelServer
from tests.model_server.answers import body_sha256
from tests.model_server.api import Reply, error_reply
from tests.model_server.batches import ENDPOINT, Batches, Lost, Refused, read_requests
from tests.model_server.client import ask, chat, lines, message, wait_for

KEY = "right"


def line(custom_id: str, body: object, url: str = ENDPOINT) -> bytes:
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": url, "body": body}).encode() + b"\n"


def numbered(count: int, first: int = 0) -> bytes:
    return b"".join(line(f"r{n}", chat("screen", f"Document {n}.")) for n in range(first, first + count))


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
        content = b"".join(line(f"r{n}", body) for n, body in enumerate(bodies))
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
    file = rig.batches.add_file("in.jsonl", "batch", numbered(1))
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
        (numbered(4), "too_many_tasks", None),
        (b"x" * 2001, "file_too_large", None),
        (line("a", BODY) + b"{\n", "invalid_json_line", 2),
        (b'{"custom_id": 1, "body": {}}', "missing_required_parameter", 1),
        (b'{"custom_id": "a"}', "missing_required_parameter", 1),
        (b"[]", "missing_required_parameter", 1),
        (line("a", BODY) + b"\n" + line("a", BODY), "duplicate_custom_id", 3),
        (line("a" * 65, BODY), "invalid_custom_id", 1),
        (line("a", BODY, url="/v1/embeddings"), "invalid_url", 1),
        (line("a", BODY).replace(b"POST", b"GET"), "invalid_method", 1),
        (line("a", BODY) + line("b", {**BODY, "model": "other"}), "mismatched_model", 2),
    ],
)  # fmt: skip
def test_an_input_file_is_refused(content: bytes, code: str, number: int | None) -> None:
    _, errors = read_requests(content, Behaviour(batch_max_requests=3, batch_max_bytes=2000))
    assert [(error["code"], error["line"]) for error in errors] == [(code, number)]


def test_an_input_file_at_the_edges_is_taken() -> None:
    content = line("a" * 64, BODY) + b"\n" + line("b", "no chat at all").rstrip()
    requests, errors = read_requests(content, Behaviour(batch_max_requests=2, batch_max_bytes=len(content)))
    assert errors == []
    assert [request.custom_id for request in requests] == ["a" * 64, "b"]


def test_a_share_of_expired_requests_is_a_share() -> None:
    with pytest.raises(ValueError, match=r"1\.5"):
        Behaviour(batch_expired=1.5)


class Opened(openai.OpenAI):
    """The client that each call of litellm's makes and leaves to the garbage collector, with its connection open."""

    all: ClassVar[list[Opened]] = []

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.all.append(self)


class Client:
    """litellm's calls, as a program makes them; nothing is open after one."""

    def __init__(self, litellm: Any, server: ModelServer, provider: str, key: str = KEY) -> None:
        self._litellm = litellm
        self._common = {
            "custom_llm_provider": provider, "api_base": server.base_url, "api_key": key, "timeout": 20.0,
            "max_retries": 0,
        }  # fmt: skip

    def __call__(self, name: str, **arguments: object) -> Any:
        try:
            return getattr(self._litellm, name)(**arguments, **self._common)
        finally:
            while Opened.all:
                Opened.all.pop().close()

    def submit(self, content: bytes, metadata: dict[str, str] | None = None) -> Any:
        file = self("create_file", file=("in.jsonl", content), purpose="batch")
        # A copy, for litellm adds to it later what it has to say about the call.
        given = None if metadata is None else dict(metadata)
        return self("create_batch", completion_window="24h", endpoint=ENDPOINT, input_file_id=file.id, metadata=given)

    def ended(self, batch_id: str) -> Any:
        found: list[Any] = []

        def has_ended() -> bool:
            found[:] = [self("retrieve_batch", batch_id=batch_id)]
            return found[0].status in ("completed", "failed", "expired", "cancelled")

        wait_for(has_ended)
        return found[0]

    def lines_of(self, file_id: str) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self("file_content", file_id=file_id).text.splitlines()]


Connect = Callable[..., Client]


@pytest.fixture(scope="module")
def connect() -> Iterator[Connect]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        patch.setenv("LITELLM_MODE", "PRODUCTION")
        import litellm

        patch.setattr("litellm.llms.openai.openai.OpenAI", Opened)
        patch.setattr(litellm, "suppress_debug_info", True)
        yield lambda server, provider="openai", key=KEY: Client(litellm, server, provider, key)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "log.jsonl"


@pytest.fixture(scope="module")
def server(log: Path) -> Iterator[ModelServer]:
    with ModelServer(Behaviour(api_key=KEY, models=("small",)), log=log) as running:
        yield running


@pytest.mark.parametrize("provider", ["openai", "hosted_vllm"])
def test_a_round_trip(provider: str, server: ModelServer, connect: Connect, log: Path) -> None:
    client = connect(server, provider)
    before = server.stats()
    bodies = [chat("classify", f"{provider} reads document {n}.") for n in range(3)]
    content = b"".join(line(f"r{n}", body) for n, body in enumerate(bodies))
    created = client.submit(content, {"run": "7"})
    assert (created.status, created.metadata, created.output_file_id) == ("validating", {"run": "7"}, None)
    ended = client.ended(created.id)
    assert (ended.status, ended.metadata, ended.errors) == ("completed", {"run": "7"}, None)
    assert (ended.request_counts.total, ended.request_counts.completed, ended.request_counts.failed) == (3, 3, 0)
    answers = client.lines_of(ended.output_file_id)
    assert [answer["custom_id"] for answer in answers] == ["r0", "r1", "r2"]
    online = [message(answer) for answer in ask(server, *bodies, key=KEY)]
    assert [answer["response"]["body"]["choices"][0]["message"] for answer in answers] == online
    after = server.stats()
    assert after["batches"] == before["batches"] + 1
    assert after["requests"] == before["requests"] + 6
    assert after["answered_bodies"] == before["answered_bodies"] + 3
    assert after["repeated_bodies"] == before["repeated_bodies"] + 3
    assert after["in_flight"] == 0
    entered = [entry for entry in lines(log) if entry.get("batch") == created.id]
    assert entered[0]["event"] == "batch_created"
    assert entered[0]["metadata"] == {"run": "7"}
    assert [(entry["event"], entry["sha256"], entry["stage"]) for entry in entered[1:]] == [
        (event, body_sha256(body), "classify") for body in bodies for event in ("received", "answered")
    ]
    uploaded = [entry for entry in lines(log) if entry["event"] == "file_uploaded"]
    assert (uploaded[-1]["file"], uploaded[-1]["bytes"]) == (created.input_file_id, len(content))


def test_files_come_back_and_go(server: ModelServer, connect: Connect) -> None:
    client = connect(server)
    file = client("create_file", file=("in.jsonl", b"abc"), purpose="batch")
    assert (file.bytes, file.filename, file.purpose) == (3, "in.jsonl", "batch")
    assert client("file_retrieve", file_id=file.id).id == file.id
    assert client("file_content", file_id=file.id).content == b"abc"
    assert client("file_delete", file_id=file.id).deleted
    with pytest.raises(openai.NotFoundError, match=file.id):
        client("file_content", file_id=file.id)


def test_a_file_with_errors_fails_its_batch(server: ModelServer, connect: Connect) -> None:
    client = connect(server)
    ended = client.ended(client.submit(line("a", BODY) * 2).id)
    assert ended.status == "failed"
    assert [(error.code, error.line) for error in ended.errors.data] == [("duplicate_custom_id", 2)]
    assert ended.failed_at is not None
    assert ended.output_file_id is None


def test_a_request_that_cannot_be_answered_is_in_the_error_file(server: ModelServer, connect: Connect) -> None:
    client = connect(server)
    unknown = client.ended(client.submit(line("a", chat("screen", model="large"))).id)
    assert (unknown.status, unknown.request_counts.failed) == ("completed", 1)
    response = client.lines_of(unknown.error_file_id)[0]["response"]
    assert (response["status_code"], response["body"]["error"]["code"]) == (404, "model_not_found")
    senseless = client.ended(client.submit(line("a", {"model": "small"})).id)
    assert client.lines_of(senseless.error_file_id)[0]["response"]["status_code"] == 400


def test_what_is_unknown_or_refused_raises(server: ModelServer, connect: Connect) -> None:
    client = connect(server)
    with pytest.raises(openai.NotFoundError, match="batch_0"):
        client("retrieve_batch", batch_id="batch_0")
    with pytest.raises(openai.NotFoundError, match="batch_0"):
        client("list_batches", after="batch_0")
    with pytest.raises(openai.BadRequestError, match="limit"):
        client("list_batches", limit=101)
    batch = client.submit(numbered(1))
    client.ended(batch.id)
    with pytest.raises(openai.ConflictError, match="completed"):
        client("cancel_batch", batch_id=batch.id)
    stranger = connect(server, key="wrong")
    for call, arguments in {
        "create_file": {"file": ("in.jsonl", b"abc"), "purpose": "batch"},
        "retrieve_batch": {"batch_id": batch.id},
        "list_batches": {},
    }.items():
        with pytest.raises(openai.AuthenticationError):
            stranger(call, **arguments)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"endpoint": "/v1/embeddings"}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"metadata": {"key": "v" * 513}}, "512"),
        ({"metadata": {"k" * 65: "v"}}, "64"),
        ({"metadata": {str(n): "v" for n in range(17)}}, "16"),
    ],
)
def test_a_batch_that_openai_would_not_create(
    server: ModelServer, connect: Connect, change: dict[str, Any], word: str
) -> None:
    client = connect(server)
    file = client("create_file", file=("in.jsonl", numbered(1)), purpose="batch")
    fine = {"endpoint": ENDPOINT, "completion_window": "24h", "input_file_id": file.id}
    with pytest.raises(openai.BadRequestError, match=word):
        client("create_batch", **{**fine, **change})


def test_metadata_at_its_limits_comes_back_in_the_listing(server: ModelServer, connect: Connect) -> None:
    client = connect(server)
    metadata = {f"{n}".ljust(64, "k"): "v" * 512 for n in range(16)}
    first, second = client.submit(numbered(1), metadata), client.submit(numbered(1))
    page = client("list_batches", limit=1)
    assert ([batch.id for batch in page.data], page.has_more) == ([second.id], True)
    page = client("list_batches", limit=1, after=second.id)
    assert ([batch.id for batch in page.data], page.data[0].metadata) == ([first.id], metadata)


def test_faults_by_the_body_and_the_attempt_as_online(connect: Connect) -> None:
    shares = {"429": 0.2, "500": 0.1, "401": 0.1, "timeout": 0.2, "refusal": 0.2}
    rules = Behaviour(faults=shares, seed=5)
    bodies = [chat("screen", f"Document {n}.") for n in range(40)]
    faults = [rules.fault(body_sha256(body), 0) for body in bodies]
    assert {None, *shares} == set(faults)
    with ModelServer(rules) as server:
        client = connect(server)
        ended = client.ended(client.submit(b"".join(line(f"{n}", body) for n, body in enumerate(bodies))).id)
        answered, failed = client.lines_of(ended.output_file_id), client.lines_of(ended.error_file_id)
        statuses = {int(one["custom_id"]): one["response"]["status_code"] for one in [*answered, *failed]}
        # "401" is no fault of a request in a batch, and one with "timeout" is in neither file.
        expected = {None: 200, "401": 200, "refusal": 200, "429": 429, "500": 500}
        assert statuses == {n: expected[fault] for n, fault in enumerate(faults) if fault != "timeout"}
        assert {one["response"]["status_code"] for one in answered} == {200}
        refused = [n for n, fault in enumerate(faults) if fault == "refusal"]
        by_name = {int(one["custom_id"]): one["response"]["body"]["choices"][0] for one in answered}
        assert all(by_name[n]["message"]["refusal"] for n in refused)
        stats = server.stats()
        assert stats["faults"] == {fault: faults.count(fault) for fault in shares if fault != "401"}
        assert stats["by_status"]["dropped"] == faults.count("timeout")
        assert stats["answered_bodies"] == faults.count(None) + faults.count("401")
        # The next attempt draws anew, in a batch or online.
        healed = (body for body in bodies if rules.fault(body_sha256(body), 1) is None)
        again = next(body for body in healed if rules.fault(body_sha256(body), 0) == "500")
        assert ask(server, again)[0][0] == 200


def test_a_provider_that_cannot_list(connect: Connect) -> None:
    with ModelServer(Behaviour(batch_listing=False)) as server:
        client = connect(server)
        batch = client.submit(numbered(1))
        with pytest.raises(openai.APIStatusError) as caught:
            client("list_batches")
        assert caught.value.status_code == 405
        assert client.ended(batch.id).status == "completed"


def test_a_batch_in_progress_can_be_cancelled(connect: Connect) -> None:
    with ModelServer(Behaviour(batch_seconds=600)) as server:
        client = connect(server)
        batch = client.submit(numbered(2))
        assert client("cancel_batch", batch_id=batch.id).status == "cancelling"
        # The server looks at a batch every hundredth of its seconds.
        assert client("retrieve_batch", batch_id=batch.id).status in ("cancelling", "cancelled")
    assert server.stats()["requests"] == 0


def test_a_batch_outlives_the_client_that_waits_for_its_id(connect: Connect) -> None:
    with ModelServer(Behaviour(batch_hold_s=600)) as server:
        client = connect(server)
        file = client("create_file", file=("in.jsonl", numbered(2)), purpose="batch")
        asked = {"input_file_id": file.id, "endpoint": ENDPOINT, "completion_window": "24h", "metadata": {"run": "9"}}

        async def leave_early() -> None:
            async with aiohttp.ClientSession() as session:
                waiting = asyncio.create_task(session.post(f"{server.base_url}/batches", json=asked))
                while server.stats()["batches"] == 0:
                    await asyncio.sleep(0.01)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting

        asyncio.run(leave_early())
        listed = client("list_batches").data
        assert [batch.metadata for batch in listed] == [{"run": "9"}]
        assert client.ended(listed[0].id).request_counts.completed == 2


def test_an_upload_without_a_file_or_for_another_purpose_is_refused(server: ModelServer) -> None:
    async def upload(form: object) -> int:
        headers = {"Authorization": f"Bearer {KEY}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{server.base_url}/files", data=form) as response,
        ):
            return response.status

    for_assistants = aiohttp.FormData({"purpose": "assistants"})
    for_assistants.add_field("file", b"abc", filename="in.jsonl")
    assert asyncio.run(upload(for_assistants)) == 400
    assert asyncio.run(upload({"purpose": "batch"})) == 400
    assert asyncio.run(upload(b"abc")) == 400
