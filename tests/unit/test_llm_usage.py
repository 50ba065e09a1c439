"""What a meter and the gauge of calls measure."""

from __future__ import annotations

import pytest

from transforms.llm.requests import Completion, Kind, ModelError, Request
from transforms.llm.usage import CALLS, Meter


class Clock:
    def __init__(self, *times: float) -> None:
        self.times = iter(times)

    def __call__(self) -> float:
        return next(self.times)


def test_each_call_is_measured_and_only_what_came_has_tokens() -> None:
    meter = Meter("judge", "m", Clock(10.0, 10.25, 11.0, 11.0004))
    in_flight, ended = CALLS.snapshot()
    with meter.call():
        assert CALLS.snapshot() == (in_flight + 1, ended)
    asked = Request("judge", {}, ({"role": "user", "content": "Judge."},), {}, "prompt")
    meter.paid(asked, Completion("{}", "stop", 100, 7))
    with pytest.raises(ModelError), meter.call():
        raise ModelError(Kind.THROTTLED, "slow down")
    assert CALLS.snapshot() == (in_flight, ended + 2)
    assert meter.samples == (("call_ms", 250), ("completion_tokens_per_call", 7), ("call_ms", 0))
    assert meter.counts == {
        ("judge", "usage", "m", "requests"): 1,
        ("judge", "usage", "m", "calls"): 2,
        ("judge", "usage", "m", "latency_ms"): 250,
        ("judge", "usage", "m", "answers"): 1,
        ("judge", "usage", "m", "prompt_chars"): len("Judge."),
        ("judge", "usage", "m", "prompt_tokens"): 100,
        ("judge", "usage", "m", "completion_tokens"): 7,
    }


def test_an_answer_from_the_cache_is_no_call() -> None:
    meter = Meter("judge", "m")
    meter.cache_hit()
    assert meter.samples == () and meter.calls == 0
