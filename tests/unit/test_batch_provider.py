"""A provider's batch API through litellm, over HTTP to the test server, and what only other providers say."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.model_server import Behaviour, ModelServer
from tests.model_server.client import batch_of, wait_for
from tests.openai_clients import closing_clients
from transforms.llm.batch import provider as module
from transforms.llm.batch.provider import TAG, Look, Provider, provider_of
from transforms.llm.batch.wire import read_result
from transforms.llm.litellm_engine import load_litellm
from transforms.llm.requests import Completion, Kind, ModelError, Settings

KEY = "sk-the-right-key-0123456789"
WRONG = "not-the-right-key-0123456789"


@pytest.fixture(autouse=True)
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MY_KEY", KEY)
    with closing_clients():
        yield


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(Behaviour(api_key=KEY)) as running:
        yield running


def settings(server: ModelServer, model: str = "openai/small") -> Settings:
    return Settings(model, server.base_url, "MY_KEY")


def ended(provider: Provider, batch_id: str) -> Look:
    wait_for(lambda: provider.look(batch_id).over)
    return provider.look(batch_id)


@pytest.mark.parametrize(
    ("model", "base", "expected"),
    [
        ("gpt-4.1-mini", None, "openai"),
        ("openai/gpt-4.1-mini", None, "openai"),
        ("azure/mine", None, "azure"),
        ("azure/mine", "https://x.openai.azure.com", "azure"),
        ("vertex_ai/gemini-2.5-flash", None, "vertex_ai"),
        ("hosted_vllm/Qwen/Qwen3-8B", "http://127.0.0.1:8000/v1", "hosted_vllm"),
        ("Qwen/Qwen3-8B", "http://127.0.0.1:8000/v1", "openai"),
        ("anthropic/claude", None, "anthropic"),
        ("anthropic/claude", "http://127.0.0.1:4000/v1", "openai"),
    ],
)
def test_the_provider_of_a_model(model: str, base: str | None, expected: str) -> None:
    assert provider_of(Settings(model, base)) == expected


@pytest.mark.parametrize("model", ["openai/small", "hosted_vllm/small", "small"])
def test_a_batch_there_and_back(server: ModelServer, model: str) -> None:
    provider = Provider(settings(server, model))
    file_id = provider.upload("mine", batch_of(3))
    batch_id = provider.create(file_id, "mine")
    look = ended(provider, batch_id)
    assert (look.status, look.done, len(look.files), look.errors) == ("completed", 3, 1, ())
    results = dict(read_result(line, settings(server, model)) for line in provider.lines(look.files[0]))
    assert results.keys() == {"r0", "r1", "r2"}
    assert all(isinstance(answer, Completion) for answer in results.values())


def test_what_is_wrong_with_a_batch_is_told(server: ModelServer) -> None:
    provider = Provider(settings(server))
    look = ended(provider, provider.create(provider.upload("twice", batch_of(1) * 2), "twice"))
    assert (look.status, look.files) == ("failed", ())
    assert [code for code, _ in look.errors] == ["duplicate_custom_id"]


def test_a_batch_is_found_by_its_tag_or_its_file_on_any_page_of_the_listing(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAGE", 2)
    provider = Provider(settings(server))
    file_id = provider.upload("first", batch_of(1))
    first = provider.create(file_id, "first")
    other = provider.upload("others", batch_of(1))
    for n in range(5):
        provider.create(other, f"other {n}")
    assert provider.find("file-unknown", "first") == first
    assert provider.find(file_id, "unknown") == first
    assert provider.find("file-unknown", "unknown") is None


def test_a_batch_that_was_refused_is_not_found(server: ModelServer) -> None:
    provider = Provider(settings(server))
    file_id = provider.upload("bad", b"no JSON\n")
    refused = provider.create(file_id, "bad")
    assert ended(provider, refused).status == "failed"
    assert provider.find(file_id, "bad") is None


def test_a_wrong_key_is_told_without_it(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", WRONG)
    provider = Provider(settings(server))
    for call in (
        lambda: provider.upload("mine", batch_of(1)),
        lambda: provider.create("file-1", "mine"),
        lambda: provider.find("file-1", "mine"),
        lambda: provider.look("batch_1"),
        lambda: provider.lines("file-1"),
    ):
        with pytest.raises(ModelError) as caught:
            call()
        assert caught.value.kind is Kind.AUTH
        assert "HTTP 401" in str(caught.value)
        assert WRONG not in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_key_that_is_not_set_is_told_before_any_call(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(ModelError, match="MY_KEY") as caught:
        Provider(settings(server)).look("batch_1")
    assert caught.value.kind is Kind.AUTH


def test_a_server_of_ones_own_takes_the_conventional_key_or_none(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    unnamed = dataclasses.replace(settings(server, "hosted_vllm/small"), api_key_env=None)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("HOSTED_VLLM_API_KEY", raising=False)
    with pytest.raises(ModelError, match="401"):
        Provider(unnamed).upload("mine", batch_of(1))
    monkeypatch.setenv("HOSTED_VLLM_API_KEY", KEY)
    assert Provider(unnamed).upload("mine", batch_of(1)).startswith("file-")


@pytest.mark.parametrize(
    ("model", "key"),
    [("openai/m", KEY), ("m", KEY), ("hosted_vllm/m", "no-key"), ("azure/m", None), ("vertex_ai/m", None)],
)
def test_litellm_finds_the_key_of_a_provider_that_is_not_openais(
    monkeypatch: pytest.MonkeyPatch, model: str, key: str | None
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("HOSTED_VLLM_API_KEY", raising=False)
    given: dict[str, Any] = {}
    monkeypatch.setattr(load_litellm(), "retrieve_batch", lambda **arguments: given.update(arguments) or batch(1))
    Provider(Settings(model, "https://127.0.0.1:9")).look("batch-1")
    assert given.get("api_key") == key
    Provider(Settings(model, "https://127.0.0.1:9", "MY_KEY")).look("batch-1")
    assert given["api_key"] == KEY


def test_what_the_server_does_not_know(server: ModelServer) -> None:
    provider = Provider(settings(server))
    for call in (
        lambda: provider.look("batch_0"),
        lambda: provider.create("file-0", "mine"),
        lambda: provider.lines("file-0"),
    ):
        with pytest.raises(ModelError, match="404") as caught:
            call()
        assert caught.value.kind is Kind.UNKNOWN_MODEL


def test_a_server_that_has_no_list() -> None:
    with ModelServer(Behaviour(batch_listing=False)) as server:
        provider = Provider(settings(server))
        batch_id = provider.create(provider.upload("mine", batch_of(1)), "mine")
        with pytest.raises(ModelError, match="405") as caught:
            provider.find("file-0", "mine")
        assert caught.value.kind is Kind.UNKNOWN_MODEL
        assert ended(provider, batch_id).done == 1


def test_a_server_that_is_not_there_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openai._base_client.time.sleep", lambda _: pytest.fail("it was tried again"))
    with pytest.raises(ModelError, match=r"no connection to http://127\.0\.0\.1:9/v1") as caught:
        Provider(Settings("openai/small", "http://127.0.0.1:9/v1")).upload("mine", batch_of(1))
    assert caught.value.kind is Kind.TRANSIENT


def batch(number: int, status: str = "in_progress", output: str | None = None, **metadata: str) -> SimpleNamespace:
    return SimpleNamespace(
        id=f"batch-{number}",
        input_file_id=f"gs://b/{number}",
        status=status,
        output_file_id=output,
        error_file_id=None,
        metadata=metadata or None,
    )


def test_vertex_lists_pages_of_its_own_kind_and_keeps_no_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {
        None: {"data": [batch(1), batch(2)], "next_page_token": "p2"},
        "p2": {"data": [batch(3)], "next_page_token": ""},
    }
    asked: list[str | None] = []

    def list_batches(*, after: str | None = None, **_: Any) -> dict[str, Any]:
        asked.append(after)
        return pages[after]

    monkeypatch.setattr(load_litellm(), "list_batches", list_batches)
    provider = Provider(Settings("vertex_ai/gemini-2.5-flash"))
    assert provider.find("gs://b/3", "mine") == "batch-3"
    assert provider.find("gs://b/4", "mine") is None
    assert asked == [None, "p2"] * 2


@pytest.mark.parametrize(
    ("status", "output", "found"),
    [
        ("validating", None, True),
        ("completed", "out", True),
        ("expired", None, True),
        ("cancelling", None, True),
        ("cancelled", "out", True),
        ("cancelled", None, False),
        ("failed", None, False),
        ("failed", "gs://b/predictions.jsonl", False),
    ],
)
def test_a_batch_that_has_no_answers_and_gets_none_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, status: str, output: str | None, found: bool
) -> None:
    page = {"data": [batch(1, status, output, **{TAG: "mine"})]}
    monkeypatch.setattr(load_litellm(), "list_batches", lambda **_: page)
    assert Provider(Settings("openai/small")).find("another", "mine") == ("batch-1" if found else None)


def test_a_batch_of_vertex_has_no_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_litellm(), "retrieve_batch", lambda **_: batch(1, "completed", "gs://b/out"))
    look = Provider(Settings("vertex_ai/gemini-2.5-flash")).look("1")
    assert look == Look("completed", 0, ("gs://b/out",), ())


@pytest.mark.parametrize("status", ["validating", "in_progress", "finalizing", "cancelling"])
def test_a_batch_is_over_when_no_more_comes(status: str) -> None:
    assert not Look(status, 0, (), ()).over
    assert all(Look(end, 0, (), ()).over for end in ("completed", "failed", "expired", "cancelled"))
