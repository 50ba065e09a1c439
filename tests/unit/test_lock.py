"""The lock of a root: who holds it, how long, and when he is dead."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

import transforms.lock
from schemas.catalog import Lock
from tests.caches import Clock
from transforms.catalog import CatalogError
from transforms.lock import (
    DETACHED_LEASE_S,
    LEASE_S,
    HeldError,
    beat,
    beating,
    describe,
    is_dead,
    leave,
    pid_space,
    release,
    take,
)
from transforms.swap import read


def held(root: Path) -> Lock:
    return Lock.model_validate_json(read(f"{root}/lock.json").content or "")


def test_a_lock_is_given_up_by_its_holder_alone(tmp_path: Path) -> None:
    assert take(str(tmp_path), "one") is None
    assert (held(tmp_path).host, held(tmp_path).pid) == (socket.gethostname(), os.getpid())
    release(str(tmp_path), "two")
    assert not held(tmp_path).released
    release(str(tmp_path), "one")
    assert held(tmp_path).released
    assert take(str(tmp_path), "two") is None
    release(str(tmp_path), "one")
    assert held(tmp_path).run_id == "two" and not held(tmp_path).released


def test_a_living_holder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(transforms.lock.os, "getpid", os.getppid)
    take(str(tmp_path), "one", clock=clock)
    monkeypatch.undo()
    clock.now = 40.0
    with pytest.raises(HeldError) as caught:
        take(str(tmp_path), "two", clock=clock)
    assert describe(caught.value.holder, clock.now).endswith(
        f"@{socket.gethostname()} (process {os.getppid()}, run one, since 1970-01-01T00:00:00Z, last heard of 40 s ago)"
    )


def test_a_holder_who_beats_lives_and_one_who_does_not_is_dead_after_his_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(transforms.lock.os, "getpid", os.getppid)
    take(str(tmp_path), "one", clock=clock)
    monkeypatch.undo()
    for clock.now in (200.0, 400.0):
        beat(str(tmp_path), "one", clock)
    clock.now = 400.0 + LEASE_S
    with pytest.raises(HeldError):
        take(str(tmp_path), "two", clock=clock)
    clock.now += 1
    dead = take(str(tmp_path), "two", clock=clock)
    assert dead is not None and dead.run_id == "one"
    beat(str(tmp_path), "one", clock)
    assert held(tmp_path).run_id == "two" and held(tmp_path).beaten == clock.now


def lock(**changes: object) -> Lock:
    fields = {"run_id": "r", "user": "u", "host": socket.gethostname(), "pid": os.getppid(), "started": 0, "beaten": 0}
    return Lock.model_validate({**fields, "pids": pid_space(), "lease_s": LEASE_S, **changes})


@pytest.mark.parametrize(
    ("changes", "now", "dead"),
    [
        ({}, LEASE_S, False),
        ({}, LEASE_S + 1, True),
        ({"pid": 2**22 + 1}, 0, True),
        ({"pid": 2**22 + 1, "pids": "another container of that name"}, LEASE_S, False),
        ({"pid": os.getpid(), "pids": "another container of that name"}, LEASE_S, False),
        ({"pid": 2**22 + 1, "pids": "another container of that name"}, LEASE_S + 1, True),
        ({"pid": 2**22 + 1, "pids": None}, LEASE_S, False),
        ({"pid": os.getpid()}, 0, True),
        ({"pid": 1}, 0, False),
        ({"pid": 2**22 + 1, "detached": True, "lease_s": DETACHED_LEASE_S}, LEASE_S + 1, False),
        ({"detached": True, "lease_s": DETACHED_LEASE_S}, DETACHED_LEASE_S + 1, True),
    ],
)
def test_who_is_dead(changes: dict[str, object], now: float, dead: bool) -> None:
    assert is_dead(lock(**changes), now) == dead


def test_a_system_that_does_not_say_where_numbers_hold_leaves_it_to_the_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transforms.lock, "Path", lambda _: tmp_path / "missing")
    assert pid_space() is None
    take(str(tmp_path), "one")
    assert held(tmp_path).pids is None and not is_dead(held(tmp_path), held(tmp_path).beaten + LEASE_S)


def test_a_detached_job_has_no_beats_to_count(tmp_path: Path) -> None:
    clock = Clock()
    take(str(tmp_path), "one", clock)
    leave(str(tmp_path), "one")
    assert held(tmp_path).lease_s == DETACHED_LEASE_S
    with pytest.raises(HeldError):
        take(str(tmp_path), "two", clock)
    assert "a detached job of " in describe(held(tmp_path), 5) and "heard" not in describe(held(tmp_path), 5)


def test_the_client_beats_while_its_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beaten = threading.Event()
    monkeypatch.setattr(transforms.lock, "beat", lambda *_: beaten.set())
    with beating(str(tmp_path), "one", every_s=0.001):
        assert beaten.wait(10)


def test_of_racers_for_a_free_lock_one_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transforms.lock, "pid_space", lambda: threading.current_thread().name)
    start, won = threading.Barrier(16), list[str]()

    def race(number: int) -> None:
        start.wait()
        try:
            take(str(tmp_path), str(number))
            won.append(str(number))
        except HeldError:
            pass

    threads = [threading.Thread(target=race, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [held(tmp_path).run_id]


def test_a_lock_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "lock.json").write_text('{"format": 7}')
    with pytest.raises(CatalogError, match="has the format 7"):
        take(str(tmp_path), "one")
    (tmp_path / "lock.json").write_text('{"format": 1}')
    with pytest.raises(CatalogError, match=r"is damaged \(run_id: Field required\); delete it once nobody"):
        take(str(tmp_path), "one")
