"""The client of all models: cache, then one call for identical requests, then limits, retries and validation."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import BaseModel

from schemas.answers import Stage
from schemas.counts import Counts
from schemas.records import Call
from transforms.llm.batch.failed import WAITS, Failure
from transforms.llm.budget import Budget
from transforms.llm.cache import Entry, backlog, open_cache, request_key
from transforms.llm.endpoint import Endpoint
from transforms.llm.learnt_rate import LearntRate
from transforms.llm.limiter import Clock, Retries, Sleep, Window
from transforms.llm.parsing import parsed
from transforms.llm.prices import FREE, Price, charged, price_at
from transforms.llm.rates import Arrivals, Limits, LocalArrivals, Pace
from transforms.llm.remote import DEFAULT_TIMEOUT_S, RemoteEngine
from transforms.llm.requests import HOPELESS, Completion, Engine, Kind, ModelError, Request, Settings
from transforms.llm.usage import Meter, Sample

if TYPE_CHECKING:
    from transforms.llm.redis_limiter import RedisLimiter

EMBEDDED_MODELS: Final = ("embedded/extractive",)
MAX_ATTEMPTS: Final = 8
"""With a fifth of all calls failing, one request in 400,000 is given up; an outage of a minute is waited out."""

A = TypeVar("A", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What a client is made from. It holds no key, so it may travel with a pipeline.

    Attributes:
      models: how the model of each stage is called.
      cache: where the answers are: a directory, or gs://bucket/prefix.
      concurrency: calls in flight at once, in this process.
      max_attempts: calls at most for one request.
      timeout_s: seconds at most for one call.
      limits: of each model that has any, by its name; its requests at one place and with one key share them.
      prices: of each model whose price is configured, by its name.
      budget_usd: dollars that this process may spend, None for any number; all models must have a price.
      limiter: the Redis by which all workers share the rates in `limits` (see `RedisLimiter`), None without one.
      batch: for a client that leaves all calls to batches, the file of requests on which batches have failed for good
        (`read_failed`); None for one that calls.
    """

    models: Mapping[Stage, Settings]
    cache: str
    concurrency: int
    max_attempts: int = MAX_ATTEMPTS
    timeout_s: float = DEFAULT_TIMEOUT_S
    limits: Mapping[str, Limits] = field(default_factory=dict)
    prices: Mapping[str, Price] = field(default_factory=dict)
    budget_usd: float | None = None
    limiter: str | None = field(default=None, repr=False)  # may hold a password
    batch: str | None = None

    @property
    def window(self) -> int:
        """Documents that a stage keeps under way: as many as requests in flight, and those whose answers wait."""
        return self.concurrency + backlog(self.cache)


@dataclass(frozen=True, slots=True)
class Answered:
    """A request with its answer.

    Attributes:
      answer: an instance of the answer class of the request's task.
      call: the model, the prompt's fingerprint and the key of the answer in the cache.
      usage: what this request cost in this run.
      samples: what was measured of each of its calls.
    """

    answer: BaseModel
    call: Call
    usage: Counts
    samples: tuple[Sample, ...] = ()

    def expect(self, answer_class: type[A]) -> A:
        """Return the answer, which is of the class that its task demands.

        Raises:
          TypeError: it is of another class: the request was not of the task that the reader expects.
        """
        if not isinstance(self.answer, answer_class):
            raise TypeError(f"the answer is a {type(self.answer).__name__}, not a {answer_class.__name__}")
        return self.answer


class Unanswered(ModelError):
    """A request without an answer, after all that could be tried.

    Attributes:
      call: the model, the prompt's fingerprint and the key that an answer would have had.
      usage: what this request cost in this run.
      samples: what was measured of each of its calls.
    """

    def __init__(
        self, error: ModelError, call: Call, usage: Counts, attempts: int, samples: tuple[Sample, ...] = ()
    ) -> None:
        super().__init__(error.kind, str(error), retry_after=error.retry_after, attempts=attempts)
        self.call: Call = call
        self.usage = usage
        self.samples = samples


class ModelClient:
    """Answers requests, within one event loop.

    An answer in the cache is replayed. Identical requests in flight at once are one call. Otherwise a call waits for
    its place (`concurrency` in all, fewer where an endpoint throttles) and its time (`limits`, or what an endpoint that
    throttles has taught); its completion is in the cache before anyone sees it. What may pass (an overload, a lost
    connection, a timeout) is tried again after a wait that occupies no place. Once, and at once, an answer that is cut
    off is asked for again, and an invalid one is sent back with what is wrong with it. A key that is refused, a
    model that does not exist or a budget that is spent breaks the endpoint: no request calls it again.
    The embedded engine neither waits nor retries.

    Args:
      settings: the models, the cache and the limits.
      engine: what calls the models that are not embedded; `RemoteEngine` where None.
      clock, sleep, random: time in seconds and numbers in [0, 1), to be replaced in tests.

    Raises:
      ValueError: an embedded model that does not exist.
      CacheError: the cache cannot be used.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        engine: Engine | None = None,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        random: Callable[[], float] = random.random,
    ) -> None:
        for stage, model in settings.models.items():
            if model.embedded and model.model not in EMBEDDED_MODELS:
                raise ValueError(f"{stage}: no model {model.model!r}; there is {', '.join(EMBEDDED_MODELS)}")
        self._settings = settings
        self._cache = open_cache(settings.cache, clock)
        self._remote = engine or RemoteEngine(settings.timeout_s)
        self._embedded = _embedded_engine() if any(model.embedded for model in settings.models.values()) else None
        self._clock, self._sleep, self._random = clock, sleep, random
        self._places = asyncio.Semaphore(settings.concurrency)
        self._limiter = None if settings.limiter is None else _redis_limiter(settings.limiter, clock, sleep)
        self._budget = None if settings.budget_usd is None else Budget(settings.budget_usd)
        self._endpoints: dict[tuple[str, str | None, str | None], Endpoint] = {}
        self._failed = None if settings.batch is None else _given_up(settings.batch)
        self._in_flight: dict[str, asyncio.Task[Answered | Unanswered]] = {}

    async def ask(self, request: Request) -> Answered:
        """Return the answer to a request.

        Raises:
          Unanswered: a `ModelError` with the request's call and usage. Of a kind in `PENDING` it says something about
            the run and nothing about the request.
          CacheError: the cache cannot be read, or a paid answer cannot be kept.
        """
        outcome = await self._outcome(request, set())
        if isinstance(outcome, Unanswered):
            raise outcome
        return outcome

    async def ask_all(self, requests: Sequence[Request]) -> list[Answered | Unanswered]:
        """Return the outcomes of requests, asked side by side, in their order. Raises only `CacheError`."""
        replayed: set[str] = set()
        return list(await asyncio.gather(*(self._outcome(request, replayed) for request in requests)))

    async def close(self) -> None:
        """Cancel what is in flight and close connections and files."""
        while tasks := list(self._in_flight.values()):
            # Repeated, since a transport may turn the cancellation into a failed call, which would then be retried.
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=0.1)
        if isinstance(self._remote, RemoteEngine):
            await self._remote.close()
        if self._limiter is not None:
            await self._limiter.close()
        self._cache.close()

    async def _outcome(self, request: Request, replayed_keys: set[str]) -> Answered | Unanswered:
        settings = self._settings.models[request.stage]
        key = request_key(request, settings)
        call = Call(settings.model, request.prompt, key)
        replayed = self._replay(request, call, replayed_keys)
        if replayed is not None:
            return replayed
        if self._failed is not None and not settings.embedded:
            return _unasked(request, call, self._failed.get(key, WAITS))
        task = self._in_flight.get(key)
        if task is not None:
            # Shielded, as below: whoever stops waiting must not take the answer from the others.
            return _shared(await asyncio.shield(task), request, call)
        task = asyncio.create_task(self._answer(request, settings, call))
        self._in_flight[key] = task
        task.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(task)

    def _landed(self, key: str, task: asyncio.Task[Answered | Unanswered]) -> None:
        del self._in_flight[key]
        if not task.cancelled():
            task.exception()  # seen, even where nobody waits any more

    def _replay(self, request: Request, call: Call, replayed_keys: set[str]) -> Answered | None:
        entry = self._cache.get(call.key)
        if entry is None:
            return None
        answer = parsed(request.task, entry.completion, request.count)
        if isinstance(answer, ModelError):
            return None  # kept by a version that asked less of an answer
        meter = Meter(request.stage, call.model)
        meter.cache_hit()
        if request.pays and call.key not in replayed_keys:
            meter.replayed(request, entry.completion)
            replayed_keys.add(call.key)
        return Answered(answer, call, meter.counts)

    async def _answer(self, request: Request, settings: Settings, call: Call) -> Answered | Unanswered:
        meter = Meter(request.stage, settings.model, self._clock)
        retries = Retries(1 if settings.embedded else self._settings.max_attempts, self._random)
        asked = request
        while True:
            reply, outcome = await self._attempt(asked, settings, call, meter)
            if isinstance(outcome, BaseModel):
                return Answered(outcome, call, meter.counts, meter.samples)
            delay = retries.delay(outcome)
            if delay is None:
                return Unanswered(outcome, call, meter.counts, meter.calls, meter.samples)
            if outcome.kind is Kind.INVALID and reply.strip():
                asked = request.repaired(reply, str(outcome))
            if delay:
                await self._sleep(delay)

    async def _attempt(
        self, request: Request, settings: Settings, call: Call, meter: Meter
    ) -> tuple[str, BaseModel | ModelError]:
        """Call the model once and keep what it says; return that, and the answer in it or what was wrong."""
        try:
            completion = await self._complete(request, settings, meter)
        except ModelError as error:
            meter.failed(error.kind)
            return "", error
        meter.paid(request, completion)
        outcome = parsed(request.task, completion, request.count)
        valid = isinstance(outcome, BaseModel)
        await self._cache.put(call.key, Entry(request.stage, settings.model, request.prompt, completion, valid))
        if isinstance(outcome, ModelError):
            meter.failed(outcome.kind)
        return completion.text, outcome

    async def _complete(self, request: Request, settings: Settings, meter: Meter) -> Completion:
        if self._embedded is not None and settings.embedded:
            with meter.call():
                return await _guarded(self._embedded, request, settings)
        endpoint = self._endpoint(settings)
        endpoint.check()
        async with endpoint.call(request, settings) as reserved:
            endpoint.check()
            try:
                completion = await self._pay(request, settings, meter)
            except ModelError as error:
                if error.kind in HOPELESS:
                    endpoint.broken = endpoint.broken or error
                raise
            endpoint.settle(request, reserved, completion)
            return completion

    async def _pay(self, request: Request, settings: Settings, meter: Meter) -> Completion:
        """Call a model that is not embedded, within the budget."""
        async with self._covered(request, settings):
            with meter.call():
                completion = await _guarded(self._remote, request, settings)
            completion = charged(completion, settings, self._settings.prices)
            if self._budget is not None:
                self._budget.spend(request, completion)
        return completion

    def _covered(self, request: Request, settings: Settings) -> contextlib.AbstractAsyncContextManager[None]:
        if self._budget is None:
            return contextlib.nullcontext()
        return self._budget.hold(request, settings, price_at(settings, self._settings.prices) or FREE)

    def _endpoint(self, settings: Settings) -> Endpoint:
        identity = (settings.model, settings.api_base, settings.api_key_env)
        if identity not in self._endpoints:
            limits = self._settings.limits.get(settings.model, Limits())
            ceiling = min(limits.concurrency or self._settings.concurrency, self._settings.concurrency)
            pace = Pace(limits, self._arrivals(*identity), self._sleep) if limits.paced else None
            window, learnt = Window(ceiling, self._clock, self._sleep), LearntRate(self._clock, self._sleep)
            self._endpoints[identity] = Endpoint(window, pace, learnt, self._places)
        return self._endpoints[identity]

    def _arrivals(self, *identity: str | None) -> Arrivals:
        return LocalArrivals(self._clock) if self._limiter is None else self._limiter.arrivals(*identity)


def _redis_limiter(url: str, clock: Clock, sleep: Sleep) -> RedisLimiter:
    from transforms.llm.redis_limiter import RedisLimiter  # needs the extra redis

    return RedisLimiter(url, clock, sleep)


def _given_up(path: str) -> dict[str, Failure]:
    from transforms.llm.batch.journal import read_failed  # reads through Beam

    return read_failed(path)


def _embedded_engine() -> Engine:
    from transforms.llm.embedded import EmbeddedEngine

    return EmbeddedEngine()


async def _guarded(engine: Engine, request: Request, settings: Settings) -> Completion:
    """Call an engine; whatever it fails with, it is this request that failed and not the run."""
    try:
        return await engine.complete(request, settings)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(Kind.BAD_REQUEST, f"the engine failed: {type(error).__name__}: {error}"[:300]) from None


def _unasked(request: Request, call: Call, failure: Failure) -> Unanswered:
    """Return the outcome of a request that this client leaves to batches."""
    error = ModelError(failure.kind, failure.message)
    return Unanswered(error, call, Meter(request.stage, call.model).counts, failure.attempts)


def _shared(outcome: Answered | Unanswered, request: Request, call: Call) -> Answered | Unanswered:
    """Return the outcome of an identical request as one's own: it took no call."""
    meter = Meter(request.stage, call.model)
    if isinstance(outcome, Unanswered):
        return Unanswered(outcome, call, meter.counts, 0)
    meter.cache_hit()
    return Answered(outcome.answer, call, meter.counts)
