"""The test server's Files and Batches API over HTTP: what litellm's calls get from it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
import openai
import pytest

from tests.model_server import Behaviour, ModelServer
from tests.model_server.answers import body_sha256
from tests.model_server.batches import ENDPOINT
from tests.model_server.client import ask, batch_line, batch_of, chat, lines, message, wait_for

KEY = "right"


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
    content = b"".join(batch_line(f"r{n}", body) for n, body in enumerate(bodies))
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
    ended = client.ended(client.submit(batch_line("a", chat("screen")) * 2).id)
    assert ended.status == "failed"
    assert [(error.code, error.line) for error in ended.errors.data] == [("duplicate_custom_id", 2)]
    assert ended.failed_at is not None
    assert ended.output_file_id is None


def test_a_request_that_cannot_be_answered_is_in_the_error_file(server: ModelServer, connect: Connect) -> None:
    client = connect(server)
    unknown = client.ended(client.submit(batch_line("a", chat("screen", model="large"))).id)
    assert (unknown.status, unknown.request_counts.failed) == ("completed", 1)
    response = client.lines_of(unknown.error_file_id)[0]["response"]
    assert (response["status_code"], response["body"]["error"]["code"]) == (404, "model_not_found")
    senseless = client.ended(client.submit(batch_line("a", {"model": "small"})).id)
    assert client.lines_of(senseless.error_file_id)[0]["response"]["status_code"] == 400


def test_what_is_unknown_or_refused_raises(server: ModelServer, connect: Connect) -> None:
    client = connect(server)
    with pytest.raises(openai.NotFoundError, match="batch_0"):
        client("retrieve_batch", batch_id="batch_0")
    with pytest.raises(openai.NotFoundError, match="batch_0"):
        client("list_batches", after="batch_0")
    with pytest.raises(openai.BadRequestError, match="limit"):
        client("list_batches", limit=101)
    batch = client.submit(batch_of(1))
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
    file = client("create_file", file=("in.jsonl", batch_of(1)), purpose="batch")
    fine = {"endpoint": ENDPOINT, "completion_window": "24h", "input_file_id": file.id}
    with pytest.raises(openai.BadRequestError, match=word):
        client("create_batch", **{**fine, **change})


def test_metadata_at_its_limits_comes_back_in_the_listing(server: ModelServer, connect: Connect) -> None:
    client = connect(server)
    metadata = {f"{n}".ljust(64, "k"): "v" * 512 for n in range(16)}
    first, second = client.submit(batch_of(1), metadata), client.submit(batch_of(1))
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
        ended = client.ended(client.submit(b"".join(batch_line(f"{n}", body) for n, body in enumerate(bodies))).id)
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
        batch = client.submit(batch_of(1))
        with pytest.raises(openai.APIStatusError) as caught:
            client("list_batches")
        assert caught.value.status_code == 405
        assert client.ended(batch.id).status == "completed"


def test_a_batch_in_progress_can_be_cancelled(connect: Connect) -> None:
    with ModelServer(Behaviour(batch_seconds=600)) as server:
        client = connect(server)
        batch = client.submit(batch_of(2))
        assert client("cancel_batch", batch_id=batch.id).status == "cancelling"
        # The server looks at a batch every hundredth of its seconds.
        assert client("retrieve_batch", batch_id=batch.id).status in ("cancelling", "cancelled")
    assert server.stats()["requests"] == 0


def test_a_batch_outlives_the_client_that_waits_for_its_id(connect: Connect) -> None:
    with ModelServer(Behaviour(batch_hold_s=600)) as server:
        client = connect(server)
        file = client("create_file", file=("in.jsonl", batch_of(2)), purpose="batch")
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
