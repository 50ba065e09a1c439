"""The test server over HTTP: whom it lets in, what it refuses, how it starts, serves many and stops."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.model_server import Behaviour, ModelServer
from tests.model_server.client import Answer, ask, ask_at_once, chat, get, message, post


def test_usage_is_a_token_for_four_characters_rounded_up_and_the_model_is_echoed() -> None:
    body = {"model": "grand-1", "messages": [{"role": "system", "content": "abc"}, {"role": "user", "content": "de"}]}
    with ModelServer() as server:
        (answer,) = ask(server, body)
    assert message(answer)["content"] == "ok"
    assert answer[2]["usage"] == {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3}
    assert answer[2]["model"] == "grand-1"


def test_a_key_is_asked_for() -> None:
    with ModelServer(Behaviour(api_key="sesame")) as server:
        right, wrong, none = (ask(server, chat("screen"), key=key)[0] for key in ("sesame", "barley", None))
        assert "error" in get(f"{server.base_url}/models")
    assert [right[0], wrong[0], none[0]] == [200, 401, 401]
    assert wrong[2]["error"]["code"] == "invalid_api_key"


def test_unknown_models_do_not_exist() -> None:
    with ModelServer(Behaviour(models=("small", "big"))) as server:
        known, unknown = ask(server, chat("screen"), chat("screen", model="huge"))
        listed = get(f"{server.base_url}/models")
    assert (known[0], unknown[0]) == (200, 404)
    assert unknown[2]["error"]["code"] == "model_not_found"
    assert "huge" in unknown[2]["error"]["message"]
    assert [model["id"] for model in listed["data"]] == ["small", "big"]


def test_the_context_has_a_limit() -> None:
    def of(chars: int) -> dict[str, Any]:
        return {
            "model": "m",
            "messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "y" * (chars - 1)}],
        }

    with ModelServer(Behaviour(context_chars=100)) as server:
        fits, exceeds = ask(server, of(100), of(101))
    assert (fits[0], exceeds[0]) == (200, 400)
    assert exceeds[2]["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"model": "m"},
        {"model": "m", "messages": []},
        {"model": "m", "messages": [{"role": "user"}]},
        {"model": 1},
    ],
)
def test_a_malformed_request_is_a_bad_request(body: object) -> None:
    with ModelServer() as server:
        ((status, _, payload),) = ask(server, body)
        assert server.stats()["by_stage"] == {"plain": {"400": 1}}
    assert status == 400
    assert "messages" in payload["error"]["message"]


def test_faults_change_at_run_time() -> None:
    async def change(server: ModelServer, faults: object) -> Answer:
        async with aiohttp.ClientSession() as session:
            return await post(session, f"{server.url}/faults", faults)

    with ModelServer(Behaviour(faults={"500": 1})) as server:
        assert ask(server, chat("screen"))[0][0] == 500
        status, _, payload = asyncio.run(change(server, {"401": 1}))
        assert (status, payload) == (200, {"401": 1})
        assert ask(server, chat("screen"))[0][0] == 401
        for wrong, complaint in [({"503": 1}, "503"), ({"500": 2}, "500"), ({"500": "1"}, "500"), ([], "object")]:
            status, _, payload = asyncio.run(change(server, wrong))
            assert status == 400
            assert complaint in payload["error"]["message"]
        assert ask(server, chat("screen"))[0][0] == 401
        server.set_faults({})
        assert ask(server, chat("screen"))[0][0] == 200


def test_256_connections_are_served_side_by_side() -> None:
    with ModelServer(Behaviour(latency=2)) as server:
        ask_at_once(server, [chat("classify", f"D {number}.") for number in range(256)], limit=256)
        stats = server.stats()
    assert (stats["max_in_flight"], stats["by_stage"]) == (256, {"classify": {"200": 256}})


def test_the_server_stops_while_it_holds_a_connection() -> None:
    async def leave_open(url: str) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
        data = json.dumps(chat("screen")).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
        writer.write(head.encode() + data)
        while server.stats()["in_flight"] == 0:
            await asyncio.sleep(0.01)
        started = time.monotonic()
        await asyncio.to_thread(server.__exit__, None, None, None)
        assert time.monotonic() - started < 5
        writer.close()

    server = ModelServer(Behaviour(latency=60)).__enter__()
    asyncio.run(leave_open(server.url))
    assert (server.stats()["by_status"], server.stats()["in_flight"]) == ({"dropped": 1}, 0)


def test_a_log_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"), ModelServer(log=tmp_path / "nowhere" / "log.jsonl"):
        pytest.fail("the server started")
