"""The one client of a process: who shares it, when it ends, and what becomes of what is in flight."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import threading
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from tests.unit.test_llm_client import TEXT, embedded, request
from transforms.llm.cache import CacheError
from transforms.llm.cache.local import LocalCache
from transforms.llm.client import Answered, Unanswered
from transforms.llm.shared import SharedClient


def threads() -> int:
    return sum(thread.name == "model-client" for thread in threading.enumerate())


def test_equal_settings_share_one_loop_and_the_last_holder_ends_it(tmp_path: Path) -> None:
    one, two, other = (SharedClient(embedded(tmp_path / name)) for name in ("a", "a", "b"))
    assert threads() == 2
    (outcome,) = one.ask_all([request(TEXT)]).result(timeout=10)
    (replayed,) = two.ask_all([request(TEXT)]).result(timeout=10)
    assert isinstance(outcome, Answered) and isinstance(replayed, Answered)
    assert outcome.answer == replayed.answer
    one.close()
    assert threads() == 2
    with pytest.raises(RuntimeError, match="closed"):
        one.ask_all([])
    del two
    gc.collect()
    assert threads() == 1
    other.close()
    other.close()
    assert threads() == 0


def test_many_threads_share_a_client(tmp_path: Path) -> None:
    shared = SharedClient(embedded(tmp_path))
    answers: list[Answered | Unanswered] = []

    def work(first: int) -> None:
        for n in range(first, first + 20):
            answers.extend(shared.ask_all([request(f"{TEXT} {n}")]).result(timeout=30))

    workers = [threading.Thread(target=work, args=(first,)) for first in (0, 10, 20, 30)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    shared.close()
    assert len(answers) == 80
    assert all(isinstance(answer, Answered) for answer in answers)
    assert len(list(LocalCache(str(tmp_path)).entries())) == 50


def test_the_futures_of_a_closed_client_are_cancelled(tmp_path: Path) -> None:
    shared = SharedClient(embedded(tmp_path))
    future = shared.submit(lambda client: asyncio.sleep(60))
    shared.close()
    with pytest.raises(CancelledError):
        future.result(timeout=10)


def test_a_client_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match="cannot create"):
        SharedClient(embedded(tmp_path / "file"))
    assert threads() == 0


FORGOTTEN = """
import asyncio, json, sys
from tests.unit.test_llm_client import TEXT, embedded, request
from pathlib import Path
from transforms.llm.shared import SharedClient
shared = SharedClient(embedded(Path(sys.argv[1])))
print(json.dumps([outcome.call.model for outcome in shared.ask_all([request(TEXT)]).result()]))
pending = shared.submit(lambda client: asyncio.sleep(60))
"""


def test_a_process_that_forgets_to_close_ends_in_silence(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", FORGOTTEN, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(result.stdout) == ["embedded/extractive"]
    assert result.stderr == ""
