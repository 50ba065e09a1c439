"""A local server that speaks the OpenAI chat completions API, for tests and for measuring the client.

It answers each stage with a valid answer made from the request alone, misbehaves on request, and keeps the books: who
asked what, when, how many at once. In a thread: `with ModelServer(Behaviour(latency=0.1)) as server: server.base_url`.
As a process of its own, which outlives its clients: `python -m tests.model_server --port 0 --log calls.jsonl`; the
first line it prints is its port.
"""

from __future__ import annotations

import argparse
import asyncio
import concurrent.futures
import contextlib
import dataclasses
import hashlib
import itertools
import json
import math
import re
import signal
import statistics
import threading
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, NamedTuple, TextIO

from aiohttp import web

from schemas.answers import ANSWERS
from schemas.domains import DOMAINS, MAX_PERSONAS

FAULTS: Final = ("429", "500", "401", "timeout", "prose", "refusal", "empty", "truncated", "wrong_types")
"""What can go wrong on request: three HTTP statuses, a silent connection, five useless answers with status 200."""

REJECT_MARKER: Final = "REJECTME"
"""A document with this word in it is not qualified, says the screen."""

PLAIN: Final = "plain"
"""The stage of a request whose `response_format` names none of ours."""

Latency = float | tuple[Literal["lognormal"], float, float]
"""Seconds, or ("lognormal", median in seconds, sigma of the logarithm)."""


# --- what a valid answer is ------------------------------------------------------------------------------------------


def body_sha256(body: object) -> str:
    """Return the name of a request: the SHA-256 of its body as JSON with sorted keys, no spaces and ASCII escapes."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def stage_of(body: Mapping[str, Any]) -> str:
    """Return the stage that a request's `response_format.json_schema.name` names, or `PLAIN`."""
    response_format = body.get("response_format")
    schema = response_format.get("json_schema") if isinstance(response_format, dict) else None
    name = schema.get("name") if isinstance(schema, dict) else None
    return name if isinstance(name, str) and name in ANSWERS else PLAIN


_FENCE = re.compile(r"(?<![0-9a-zA-Z])[0-9a-f]{16}(?![0-9a-zA-Z])")


def document_of(content: str) -> str:
    """Return what stands between two lines with the same token of 16 hexadecimal digits, or all of `content`.

    Where more than two lines carry the token (a prompt may announce its fence), the longest text between two
    neighbours is the document.
    """
    lines = content.split("\n")
    marked: defaultdict[str, list[int]] = defaultdict(list)
    for number, line in enumerate(lines):
        for token in dict.fromkeys(_FENCE.findall(line)):
            marked[token].append(number)
    for numbers in marked.values():
        if len(numbers) > 1:
            inside = ("\n".join(lines[a + 1 : b]) for a, b in itertools.pairwise(numbers))
            return max(inside, key=len)
    return content


_PERSONAS: Final = (
    "curious student",
    "museum guide",
    "local journalist",
    "bridge engineer",
    "school teacher",
    "travelling reader",
    "data analyst",
)


def _classify(document: str) -> dict[str, Any]:
    draw = int(hashlib.sha256(document.encode("utf-8", "surrogatepass")).hexdigest(), 16)
    draw, domain = divmod(draw, len(DOMAINS))
    draw, count = divmod(draw, MAX_PERSONAS)
    first = draw % len(_PERSONAS)
    personas = [_PERSONAS[(first + step) % len(_PERSONAS)] for step in range(count + 1)]
    return {"thought": "Chosen by hash.", "domain": DOMAINS[domain], "personas": personas}


_SENTENCE_END = re.compile(r"(?<=[。！？])|(?<=[.!?])\s+|\n+")  # noqa: RUF001
# A figure that stands alone: no sign, unit, range, time or ordinal may touch it, for its type would be in doubt.
_NUMBER = re.compile(
    r"(?<![\w.,:/%$€£+\-–—−^'’])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?![\w%:/\-–—°^'’]|[.,]\d)"  # noqa: RUF001
)
_YEAR = re.compile(r"\b(?:in|since|by|until|from|of|year) (1\d{3}|20\d\d)(?![\w%:/\-–—°^'’]|[.,]\d)")  # noqa: RUF001
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{2,}(?: [A-Z][a-z]+){0,3}(?![\w'’\-])")  # noqa: RUF001
_WORD = re.compile(r"\b[^\W\d_]+\b")
# A question may not lean on a text that its reader cannot see, so neither may the sentence that it quotes.
_REFERENCE = re.compile(
    r"\b(?:passage|text|document|article|author|writer|excerpt|paragraph|section|chapter|page|above|below|following|"
    r"snippet|figure|table|source)s?\b",
    re.IGNORECASE,
)
_WORDS_PER_SENTENCE: Final = range(5, 41)
_ASKED: Final = {"number": "number", "date": "year", "name": "name", "phrase": "word"}


class _Blank(NamedTuple):
    """A piece of a sentence that can be asked for: where it is, and what type of answer it makes."""

    sentence: str
    start: int
    end: int
    answer_type: str

    @property
    def answer(self) -> str:
        return self.sentence[self.start : self.end]

    @property
    def question(self) -> str:
        statement = f"{self.sentence[: self.start]}____{self.sentence[self.end :]}".strip().rstrip(".!?")
        return f'Which {_ASKED[self.answer_type]} completes the statement "{statement}" as it is recorded?'

    def leaks(self) -> bool:
        return self.answer.casefold() in self.question.casefold()


def _sentences(document: str) -> list[str]:
    return [sentence.strip() for sentence in _SENTENCE_END.split(document) if sentence.strip()]


def _blanks(sentences: Sequence[str]) -> Iterator[_Blank]:
    for sentence in sentences:
        if len(sentence.split()) not in _WORDS_PER_SENTENCE or _REFERENCE.search(sentence):
            continue
        years = {match.start(1) for match in _YEAR.finditer(sentence)}
        for match in _NUMBER.finditer(sentence):
            yield _Blank(sentence, *match.span(), "date" if match.start() in years else "number")
        for match in _NAME.finditer(sentence):
            yield _Blank(sentence, *match.span(), "name")


def _longest_word(sentences: Sequence[str]) -> _Blank:
    """Return the longest word of the first sentence that can be asked about, or, for want of one, a whole sentence."""
    for sentence in sorted(sentences, key=lambda sentence: _REFERENCE.search(sentence) is not None):
        words = [_Blank(sentence, *match.span(), "phrase") for match in _WORD.finditer(sentence)]
        words.sort(key=lambda word: len(word.answer), reverse=True)
        fit = next((word for word in words if not word.leaks()), None)
        if fit is not None:
            return fit
    whole = sentences[0] if sentences else "nothing"
    return _Blank(whole, 0, len(whole), "phrase")


def _generate(document: str, seed: int) -> dict[str, Any]:
    sentences = _sentences(document)
    blanks = list(_blanks(sentences))
    first = seed % max(len(blanks), 1)
    turns = (blanks[(first + step) % len(blanks)] for step in range(len(blanks)))
    blank = next((turn for turn in turns if not turn.leaks()), None) or _longest_word(sentences)
    return {
        "thought": "One sentence states it.",
        "question": blank.question,
        "answer": blank.answer,
        "evidence": blank.sentence,
        "answer_type": blank.answer_type,
        "aliases": [],
    }


def valid_answer(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the answer to a chat completions request, made from the request alone; None where the stage is `PLAIN`.

    Screen, classify and judge depend on the document only. Generate asks for a number, year or name of one of the
    document's sentences, chosen by the hash of the whole request, or for the longest word of the first that fits.
    """
    document = document_of("\n".join(m["content"] for m in body["messages"] if m["role"] == "user"))
    stage = stage_of(body)
    if stage == "screen":
        return {"thought": "Looked for the marker.", "qualified": REJECT_MARKER not in document}
    if stage == "classify":
        return _classify(document)
    if stage == "generate":
        return _generate(document, int(body_sha256(body), 16))
    if stage == "judge":
        return {"thought": "All good.", "has_context": True, "answer_correct": True, "leaks_answer": False}
    return None


# --- how the server behaves ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How fast, how badly and for whom the server answers.

    Attributes:
      seed: the seed of latencies and faults; answers do not depend on it.
      latency: how long an answer takes. The statuses 401, 404, 400 and 429 are sent at once.
      faults: the share of the requests that meets each fault (see `FAULTS`), at most 1 in all.
      retry_after: seconds in the Retry-After header of the fault "429"; no header where None.
      hold_s: seconds for which the fault "timeout" keeps a connection before it drops it; 0 drops it at once.
      api_key: the bearer key that every request must carry; a wrong one gets 401.
      models: the models that exist; another one gets 404. Any exists where None.
      context_chars: characters in all messages together above which a request gets 400 context_length_exceeded.
      requests_per_minute: the pace above which a request gets 429 with Retry-After; a second's worth may come at once.
    """

    seed: int = 0
    latency: Latency = 0.0
    faults: Mapping[str, float] = field(default_factory=dict)
    retry_after: float | None = None
    hold_s: float = 600.0
    api_key: str | None = None
    models: tuple[str, ...] | None = None
    context_chars: int | None = None
    requests_per_minute: float | None = None

    def __post_init__(self) -> None:
        for name, share in self.faults.items():
            if name not in FAULTS:
                raise ValueError(f"no fault is called {name!r}; choose from {', '.join(FAULTS)}")
            if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
                raise ValueError(f"the share of fault {name!r} is {share!r}; give a number from 0 to 1")
        if sum(self.faults.values()) > 1 + 1e-9:
            raise ValueError(f"the shares of faults add up to {sum(self.faults.values())}; keep them within 1")
        if isinstance(self.latency, tuple) and (self.latency[0] != "lognormal" or self.latency[1] <= 0):
            raise ValueError(f'the latency is {self.latency!r}; give seconds or ("lognormal", median > 0, sigma)')

    def fault(self, sha256: str, attempt: int) -> str | None:
        """Return the fault that the given attempt (from 0) at a request meets, if any."""
        draw = self._draw("fault", sha256, attempt)
        for name in FAULTS:
            draw -= self.faults.get(name, 0.0)
            if draw < 0:
                return name
        return None

    def latency_s(self, sha256: str, attempt: int) -> float:
        """Return the seconds that the given attempt (from 0) at a request takes."""
        if not isinstance(self.latency, tuple):
            return self.latency
        _, median, sigma = self.latency
        return median * math.exp(sigma * statistics.NormalDist().inv_cdf(self._draw("latency", sha256, attempt)))

    def _draw(self, what: str, sha256: str, attempt: int) -> float:
        """Return a number strictly between 0 and 1, the same for the same arguments."""
        digest = hashlib.sha256(f"{self.seed} {what} {sha256} {attempt}".encode()).digest()
        # 52 bits and a half: one bit more and the largest would round to 1, where a quantile is infinite.
        return ((int.from_bytes(digest[:8], "big") >> 12) + 0.5) / 2**52


class _Bucket:
    """A token bucket that holds one second's worth of a rate."""

    def __init__(self, per_minute: float) -> None:
        self._per_second = per_minute / 60
        self._size = max(1.0, self._per_second)
        self._tokens = self._size
        self._filled_at = time.monotonic()

    def wait_s(self) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        now = time.monotonic()
        self._tokens = min(self._size, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._per_second


# --- the books -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Visit:
    """One request from its arrival until it is answered or dropped. Times are seconds of the clock of `Traffic`."""

    number: int
    sha256: str
    stage: str
    model: str | None
    start: float
    end: float | None = None
    fault: str | None = None


class Traffic:
    """What came and what was answered. Not safe for threads: it belongs to the server's loop.

    Each line of the log is a JSON object: event ("received", "answered" or "dropped": nothing was sent, or the client
    had left), id (of the request, in this log's process), at (seconds since 1970), sha256 (`body_sha256`), stage,
    model; answered and dropped add status (null when dropped) and fault (null when none was asked for).
    """

    def __init__(self, log: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._visits: list[_Visit] = []
        self._in_flight = 0
        self._max_in_flight = 0
        self._statuses: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._faults: Counter[str] = Counter()
        self._answered: Counter[str] = Counter()

    def open(self, sha256: str, stage: str, model: str | None) -> _Visit:
        """Note that a request arrived."""
        visit = _Visit(len(self._visits), sha256, stage, model, self._clock())
        self._visits.append(visit)
        self._in_flight += 1
        self._max_in_flight = max(self._max_in_flight, self._in_flight)
        self._write("received", visit)
        return visit

    def close(self, visit: _Visit, status: int | None) -> None:
        """Note that a request was answered with a status, or dropped (None)."""
        visit.end = self._clock()
        self._in_flight -= 1
        self._statuses[visit.stage]["dropped" if status is None else str(status)] += 1
        if visit.fault is not None:
            self._faults[visit.fault] += 1
        elif status == 200:
            self._answered[visit.sha256] += 1
        self._write("dropped" if status is None else "answered", visit, status=status, fault=visit.fault)

    def _write(self, event: str, visit: _Visit, **more: object) -> None:
        if self._log is not None:
            line = {
                "event": event,
                "id": visit.number,
                "at": time.time(),
                "sha256": visit.sha256,
                "stage": visit.stage,
                "model": visit.model,
                **more,
            }
            self._log.write(json.dumps(line) + "\n")
            self._log.flush()

    def stats(self) -> dict[str, Any]:
        """Return the totals so far.

        requests: all that arrived. by_stage: {stage: {status or "dropped": count}}. by_status: the same over all
        stages. faults: {fault: count}. answered_bodies: distinct bodies that got a valid answer (200 and no fault).
        repeated_bodies: those of them that got more than one. in_flight, max_in_flight. mean_in_flight: weighted by
        time, from the first arrival to the last end. mean_in_flight_middle: the same between the arrivals of the
        requests at 10 % and 90 % of all, so without ramp and drain. wall_s: first arrival to last end (now, while one
        is open).
        """
        now = self._clock()
        spans = [(visit.start, now if visit.end is None else visit.end) for visit in self._visits]
        first = spans[0][0] if spans else now
        last = max((end for _, end in spans), default=now)
        low, high = (spans[len(spans) * tenths // 10][0] if spans else now for tenths in (1, 9))
        return {
            "requests": len(self._visits),
            "by_stage": {stage: dict(counts) for stage, counts in self._statuses.items()},
            "by_status": dict(sum(self._statuses.values(), Counter())),
            "faults": dict(self._faults),
            "answered_bodies": len(self._answered),
            "repeated_bodies": sum(count > 1 for count in self._answered.values()),
            "in_flight": self._in_flight,
            "max_in_flight": self._max_in_flight,
            "mean_in_flight": _mean_in_flight(spans, first, last),
            "mean_in_flight_middle": _mean_in_flight(spans, low, high),
            "wall_s": last - first,
        }


def _mean_in_flight(spans: Sequence[tuple[float, float]], low: float, high: float) -> float:
    if high <= low:
        return 0.0
    return sum(max(0.0, min(end, high) - max(start, low)) for start, end in spans) / (high - low)


# --- the API ---------------------------------------------------------------------------------------------------------


class _Reply(NamedTuple):
    payload: Mapping[str, Any]
    status: int = 200
    retry_after: str | None = None

    def response(self) -> web.Response:
        headers = None if self.retry_after is None else {"Retry-After": self.retry_after}
        return web.json_response(self.payload, status=self.status, headers=headers)


def _error(status: int, code: str | None, message: str, retry_after: str | None = None) -> _Reply:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return _Reply({"error": {"message": message, "type": kind, "param": None, "code": code}}, status, retry_after)


def _parse(raw: bytes) -> dict[str, Any] | None:
    """Return a request's body, or None unless it is JSON with a model and messages that have a role and a text."""
    try:
        body = json.loads(raw)
    except ValueError:
        return None
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        return None
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return None
    fine = all(isinstance(m, dict) and isinstance(m.get("content"), str) and "role" in m for m in messages)
    return body if fine else None


def _prompt_chars(body: Mapping[str, Any]) -> int:
    return sum(len(message["content"]) for message in body["messages"])


def _spoilt(answer: Mapping[str, Any] | None, fault: str | None) -> tuple[str, str | None]:
    """Return the content and the refusal of a message that carries an answer as the fault says."""
    content = "ok" if answer is None else json.dumps(answer)
    if fault == "prose":
        return "Gladly! Here is what I think about it, in my own words and at some length.", None
    if fault == "refusal":
        return "", "I would rather not help with this one."
    if fault == "empty":
        return "", None
    if fault == "truncated":
        return content[: len(content) // 2], None
    if fault == "wrong_types":
        wrong = {key: "yes" if isinstance(value, bool) else 7 for key, value in (answer or {}).items()}
        return json.dumps(wrong), None
    return content, None


def _completion(body: Mapping[str, Any], visit: _Visit) -> _Reply:
    content, refusal = _spoilt(valid_answer(body), visit.fault)
    prompt, completion = math.ceil(_prompt_chars(body) / 4), math.ceil(len(refusal or content) / 4)
    message = {"role": "assistant", "content": None if refusal else content, "refusal": refusal}
    choice = {"index": 0, "message": message, "finish_reason": "length" if visit.fault == "truncated" else "stop"}
    return _Reply(
        {
            "id": f"chatcmpl-{visit.sha256[:24]}",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [choice],
            "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion},
        }
    )


_WRONG_KEY: Final = _error(401, "invalid_api_key", "the bearer key is missing or wrong")


class _Service:
    """The routes, and what they share."""

    def __init__(self, behaviour: Behaviour, traffic: Traffic) -> None:
        self.behaviour = behaviour
        self.traffic = traffic
        self._attempts: Counter[str] = Counter()
        per_minute = behaviour.requests_per_minute
        self._bucket = None if per_minute is None else _Bucket(per_minute)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/stats", self._stats)
        app.router.add_post("/faults", self._faults)
        return app

    async def _chat(self, request: web.Request) -> web.Response:
        raw = await request.read()
        body = _parse(raw)
        if body is None:
            visit = self.traffic.open(hashlib.sha256(raw).hexdigest(), PLAIN, None)
        else:
            visit = self.traffic.open(body_sha256(body), stage_of(body), body["model"])
        status = None
        try:
            reply = self._refuse(request, body) if body is None else await self._reply(request, body, visit)
            if reply is None:
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()
            response = reply.response()
            # Sent here and not by the framework, so that no step of the loop lies between the answer and its entry.
            await response.prepare(request)
            await response.write_eof()
            status = reply.status
        finally:
            self.traffic.close(visit, status)
        return response

    def _refuse(self, request: web.Request, body: Mapping[str, Any] | None) -> _Reply | None:
        """Return the reply to a request that gets no answer whatever it asks, or None."""
        rules = self.behaviour
        if not self._has_key(request):
            return _WRONG_KEY
        if body is None:
            return _error(400, None, "the body is not JSON with a model and messages of a role and a text each")
        if rules.models is not None and body["model"] not in rules.models:
            return _error(404, "model_not_found", f"the model {body['model']!r} does not exist")
        if rules.context_chars is not None and _prompt_chars(body) > rules.context_chars:
            message = f"the messages have {_prompt_chars(body)} characters; this model's maximum context length is "
            return _error(400, "context_length_exceeded", f"{message}{rules.context_chars} characters")
        wait_s = 0.0 if self._bucket is None else self._bucket.wait_s()
        if wait_s > 0:
            # Whole seconds, as RFC 9110 (section 10.2.3) has them.
            return _error(429, "rate_limit_exceeded", "requests per minute reached", str(math.ceil(wait_s)))
        return None

    def _has_key(self, request: web.Request) -> bool:
        key = self.behaviour.api_key
        return key is None or request.headers.get("Authorization") == f"Bearer {key}"

    async def _reply(self, request: web.Request, body: Mapping[str, Any], visit: _Visit) -> _Reply | None:
        """Return the reply to a request after its latency; None where the connection is to be dropped."""
        refused = self._refuse(request, body)
        if refused is not None:
            return refused
        rules = self.behaviour
        attempt = self._attempts[visit.sha256]
        self._attempts[visit.sha256] += 1
        visit.fault = rules.fault(visit.sha256, attempt)
        if visit.fault == "401":
            return _WRONG_KEY
        if visit.fault == "429":
            wait = None if rules.retry_after is None else f"{rules.retry_after:g}"
            return _error(429, "rate_limit_exceeded", "too many requests", wait)
        if visit.fault == "timeout":
            await asyncio.sleep(rules.hold_s)
            return None
        await asyncio.sleep(rules.latency_s(visit.sha256, attempt))
        if visit.fault == "500":
            return _error(500, None, "the server failed on purpose")
        return _completion(body, visit)

    async def _models(self, request: web.Request) -> web.Response:
        if not self._has_key(request):
            return _WRONG_KEY.response()
        names = self.behaviour.models or ()
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "tests"} for name in names]
        return web.json_response({"object": "list", "data": models})

    async def _stats(self, request: web.Request) -> web.Response:
        return web.json_response(self.traffic.stats())

    async def _faults(self, request: web.Request) -> web.Response:
        try:
            faults = await request.json()
            if not isinstance(faults, dict):
                raise ValueError('the body must be an object like {"429": 0.1}')
            self.set_faults(faults)
        except ValueError as error:
            return _error(400, None, str(error)).response()
        return web.json_response(faults)

    def set_faults(self, faults: Mapping[str, float]) -> None:
        self.behaviour = dataclasses.replace(self.behaviour, faults=dict(faults))


@contextlib.asynccontextmanager
async def _serving(service: _Service, port: int) -> AsyncIterator[int]:
    """Serve on 127.0.0.1 while the context lasts; yields the port, which is a free one where `port` is 0."""
    # A client that leaves cancels its request, so that what nobody waits for is not counted as in flight.
    runner = web.AppRunner(service.app(), handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@contextlib.contextmanager
def _opened(log: Path | None) -> Iterator[TextIO | None]:
    if log is None:
        yield None
    else:
        with log.open("a", encoding="utf-8") as file:
            yield file


class ModelServer:
    """The server in a thread of its own, from `__enter__` to `__exit__`.

    Attributes:
      base_url: what an OpenAI client takes, "http://127.0.0.1:PORT/v1".
      url: the same without /v1, for /stats and /faults.
    """

    base_url: str
    url: str

    def __init__(self, behaviour: Behaviour | None = None, *, log: Path | None = None) -> None:
        self._behaviour = behaviour or Behaviour()
        self._log = log
        self._started: concurrent.futures.Future[int] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, name="model-server", daemon=True)

    def __enter__(self) -> ModelServer:
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._started.result(timeout=30)}"
        self.base_url = f"{self.url}/v1"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def stats(self) -> dict[str, Any]:
        """Return the totals so far (see `Traffic.stats`); also after the server has stopped."""
        if not self._thread.is_alive():
            return self._service.traffic.stats()
        # On the server's loop, so that every answer a client already has is counted.
        return asyncio.run_coroutine_threadsafe(self._read_stats(), self._loop).result(timeout=30)

    def set_faults(self, faults: Mapping[str, float]) -> None:
        """Replace the shares of faults.

        Raises:
          ValueError: a fault is unknown, or a share is not one.
        """
        self._service.set_faults(faults)

    async def _read_stats(self) -> dict[str, Any]:
        return self._service.traffic.stats()

    def _run(self) -> None:
        try:
            with _opened(self._log) as log:
                self._service = _Service(self._behaviour, Traffic(log))
                asyncio.run(self._serve())
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with _serving(self._service, 0) as port:
            self._started.set_result(port)
            await self._stop.wait()


# --- the command -----------------------------------------------------------------------------------------------------


def _latency(text: str) -> Latency:
    name, *numbers = text.split(":")
    if name != "lognormal":
        return float(text)
    median, sigma = map(float, numbers)
    return ("lognormal", median, sigma)


def _share(text: str) -> tuple[str, float]:
    name, _, share = text.partition("=")
    return name, float(share)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    command = argparse.ArgumentParser(
        prog="python -m tests.model_server", description="A local OpenAI-compatible server for tests."
    )
    add = command.add_argument
    add("--port", type=int, default=0, help="0 takes a free one")
    add("--log", type=Path, help="append a JSON line for each request received and answered")
    add("--seed", type=int, default=0)
    add("--latency", type=_latency, default=0.0, metavar="S", help="seconds, or lognormal:MEDIAN:SIGMA")
    add("--fault", type=_share, action="append", default=[], metavar="NAME=SHARE", help=", ".join(FAULTS))
    add("--retry-after", type=float, metavar="S", help="the Retry-After header of the fault 429")
    add("--hold", type=float, default=600.0, metavar="S", help="how long the fault timeout keeps a connection")
    add("--api-key", help="the bearer key to ask for")
    add("--model", action="append", metavar="NAME", help="a model that exists; any does where none is named")
    add("--context-chars", type=int, metavar="N")
    add("--requests-per-minute", type=float, metavar="N")
    return command


def behaviour_of(args: argparse.Namespace) -> Behaviour:
    """Return what the arguments of the command say."""
    return Behaviour(
        seed=args.seed,
        latency=args.latency,
        faults=dict(args.fault),
        retry_after=args.retry_after,
        hold_s=args.hold,
        api_key=args.api_key,
        models=None if args.model is None else tuple(args.model),
        context_chars=args.context_chars,
        requests_per_minute=args.requests_per_minute,
    )


async def _serve_until_told(service: _Service, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with _serving(service, port) as bound:
        print(bound, flush=True)
        await stop.wait()


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    command = parser()
    args = command.parse_args(argv)
    try:
        behaviour = behaviour_of(args)
    except ValueError as error:
        command.error(str(error))
    with _opened(args.log) as log:
        asyncio.run(_serve_until_told(_Service(behaviour, Traffic(log)), args.port))


if __name__ == "__main__":
    main()
