"""When a request that batches do not answer is given up."""

from __future__ import annotations

import pytest

from transforms.llm.batch.failed import MAX_ATTEMPTS, WAITS, Attempts, Failure
from transforms.llm.requests import PENDING, Kind

V, C, R, X, T = Kind.INVALID, Kind.TRUNCATED, Kind.REFUSED, Kind.TRANSIENT, Kind.THROTTLED


def attempts_at(*kinds: Kind) -> Attempts:
    attempts = Attempts()
    for kind in kinds:
        attempts.add(Failure(kind, f"it is {kind.value}"))
    return attempts


@pytest.mark.parametrize(
    "kinds",
    [(), (V,), (C,), (X,), (T,), (Kind.TIMEOUT,), (X, X), (T, X), (X, V), (C, X)],
    ids=lambda kinds: "-".join(kind.value for kind in kinds),
)
def test_is_asked_again(kinds: tuple[Kind, ...]) -> None:
    assert not attempts_at(*kinds).over


@pytest.mark.parametrize(
    "kinds",
    [(V, V), (C, C), (V, C), (R,), (Kind.TOO_LONG,), (Kind.BAD_REQUEST,), (X, X, X), (X, V, V), (X, V, X), (X, R)],
    ids=lambda kinds: "-".join(kind.value for kind in kinds),
)
def test_is_given_up(kinds: tuple[Kind, ...]) -> None:
    attempts = attempts_at(*kinds)
    assert attempts.over
    assert not attempts_at(*kinds[:-1]).over, "it was given up before its last failure"


def test_stays_given_up_whatever_else_comes() -> None:
    assert attempts_at(R, X).over


def test_the_last_failure_counts_those_before_it() -> None:
    attempts = Attempts()
    assert attempts.last is WAITS
    attempts.add(Failure(X, "busy"))
    attempts.add(Failure(V, "no JSON", reply="Well, ..."))
    assert attempts.last == Failure(V, "no JSON", 2, "Well, ...")
    error = attempts.last.error
    assert (error.kind, str(error), error.attempts) == (V, "no JSON", 2)


def test_a_request_that_waits_is_pending_and_has_met_no_failure() -> None:
    assert WAITS.kind in PENDING
    assert WAITS.attempts == 0
    assert MAX_ATTEMPTS == 3
