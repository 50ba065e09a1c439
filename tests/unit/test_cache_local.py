"""The cache in a directory: durability, sharing between processes, and what it does with damage."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.caches import ENTRY, Clock, key, put
from transforms.llm.cache import CacheError, check_cache
from transforms.llm.cache.local import LocalCache
from transforms.llm.requests import Completion


def test_returns_what_was_put_and_nothing_else(tmp_path: Path) -> None:
    cache = LocalCache(str(tmp_path / "new" / "cache"))
    assert cache.get(key(1)) is None
    put(cache, key(1), ENTRY)
    assert cache.get(key(1)) == ENTRY
    assert cache.get(key(2)) is None
    cache.close()
    assert LocalCache(str(tmp_path / "new" / "cache")).get(key(1)) == ENTRY


def test_a_directory_can_be_checked(tmp_path: Path) -> None:
    check_cache(str(tmp_path / "new" / "cache"))
    assert list((tmp_path / "new" / "cache").iterdir()) == []


def test_a_place_that_can_be_no_directory_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("taken")
    with pytest.raises(CacheError, match=r"cannot write the cache of model answers .*file/cache") as caught:
        check_cache(str(tmp_path / "file" / "cache"))
    assert "\n" not in str(caught.value)


def test_an_invalid_answer_is_kept_and_never_replayed(tmp_path: Path) -> None:
    invalid = dataclasses.replace(ENTRY, valid=False)
    cache = LocalCache(str(tmp_path))
    put(cache, key(1), invalid)
    assert cache.get(key(1)) is None
    put(cache, key(1), ENTRY)
    put(cache, key(1), invalid)
    assert cache.get(key(1)) == ENTRY
    cache.close()
    again = LocalCache(str(tmp_path))
    assert again.get(key(1)) == ENTRY
    assert list(again.entries()) == [(key(1), invalid), (key(1), ENTRY), (key(1), invalid)]


def test_lines_are_json_that_other_tools_can_read(tmp_path: Path) -> None:
    cache = LocalCache(str(tmp_path))
    put(cache, key(7), ENTRY)
    cache.close()
    (segment,) = tmp_path.iterdir()
    (line,) = segment.read_bytes().splitlines()
    fields = json.loads(line)
    assert segment.suffix == ".jsonl"
    assert fields["key"] == key(7)
    assert fields["completion"]["text"] == ENTRY.completion.text


def test_a_run_that_only_replays_leaves_no_file(tmp_path: Path) -> None:
    LocalCache(str(tmp_path)).get(key(1))
    assert list(tmp_path.iterdir()) == []


def test_sees_what_others_append_but_looks_only_now_and_then(tmp_path: Path) -> None:
    clock = Clock()
    reader, writer = LocalCache(str(tmp_path), clock), LocalCache(str(tmp_path))
    put(writer, key(1), ENTRY)
    assert reader.get(key(1)) is None
    clock.now = 2.0
    assert reader.get(key(1)) == ENTRY
    put(writer, key(2), ENTRY)
    clock.now = 3.9
    assert reader.get(key(2)) is None
    clock.now = 4.0
    assert reader.get(key(2)) == ENTRY
    writer.close()


def test_a_line_under_way_is_read_once_it_is_whole(tmp_path: Path) -> None:
    clock = Clock()
    writer = LocalCache(str(tmp_path / "w"))
    put(writer, key(1), ENTRY)
    writer.close()
    line = next((tmp_path / "w").iterdir()).read_bytes()
    reader = LocalCache(str(tmp_path / "r"), clock)
    segment = tmp_path / "r" / "other.jsonl"
    segment.write_bytes(line[:50])
    clock.now = 2.0
    assert reader.get(key(1)) is None
    segment.write_bytes(line)
    clock.now = 4.0
    assert reader.get(key(1)) == ENTRY


def _torn(data: bytes) -> bytes:
    return data[:-10]


def _without_newline(data: bytes) -> bytes:
    return data[:-1]


def _flipped(data: bytes) -> bytes:
    last = data.rindex(b"stop")
    return data[:last] + b"stpo" + data[last + 4 :]


def _other_key(data: bytes) -> bytes:
    return data.replace(key(2).encode(), key(3).encode())


@pytest.mark.parametrize("damage", [_torn, _without_newline, _flipped, _other_key])
def test_a_damaged_line_is_ignored_and_the_others_stay(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    cache = LocalCache(str(tmp_path))
    put(cache, key(1), ENTRY)
    put(cache, key(2), ENTRY)
    cache.close()
    (segment,) = tmp_path.iterdir()
    segment.write_bytes(damage(segment.read_bytes()))
    again = LocalCache(str(tmp_path))
    assert [again.get(key(n)) for n in (1, 2, 3)] == [ENTRY, None, None]
    put(again, key(2), ENTRY)
    assert again.get(key(2)) == ENTRY
    again.close()


@pytest.mark.parametrize(
    "junk", [b"\n", b"{}\n", b"\x00" * 5000 + b"\n", b'{"crc":"00000000","key":"zz","valid":true}\n']
)
def test_junk_between_lines_is_ignored(tmp_path: Path, junk: bytes) -> None:
    cache = LocalCache(str(tmp_path))
    put(cache, key(1), ENTRY)
    cache.close()
    (segment,) = tmp_path.iterdir()
    line = segment.read_bytes()
    segment.write_bytes(junk + line + junk)
    again = LocalCache(str(tmp_path))
    assert again.get(key(1)) == ENTRY
    assert [name for name, _ in again.entries()] == [key(1)]


def test_damage_done_after_indexing_is_noticed_on_reading(tmp_path: Path) -> None:
    cache = LocalCache(str(tmp_path))
    put(cache, key(1), ENTRY)
    (segment,) = tmp_path.iterdir()
    segment.write_bytes(_flipped(segment.read_bytes()))
    assert cache.get(key(1)) is None
    segment.unlink()
    assert cache.get(key(1)) is None
    cache.close()


def test_lines_longer_than_the_read_chunk(tmp_path: Path) -> None:
    long = dataclasses.replace(ENTRY, completion=Completion("x" * 20_000_000, "stop"))
    cache = LocalCache(str(tmp_path))
    for n, entry in enumerate((ENTRY, long, ENTRY)):
        put(cache, key(n), entry)
    cache.close()
    again = LocalCache(str(tmp_path))
    assert [again.get(key(n)) for n in range(3)] == [ENTRY, long, ENTRY]


WRITER = """
import itertools, sys
from tests.caches import ENTRY, key, put
from transforms.llm.cache.local import LocalCache
cache = LocalCache(sys.argv[1])
first, stop = int(sys.argv[2]), int(sys.argv[3])
for n in range(first, stop):
    put(cache, key(n), ENTRY)
    print(n, flush=True)
"""


def writer(directory: Path, first: int, stop: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(directory), str(first), str(stop)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_kill_9_loses_nothing_that_was_put(tmp_path: Path) -> None:
    with writer(tmp_path, 0, 10**9) as process:
        assert process.stdout is not None
        put = [int(process.stdout.readline()) for _ in range(300)]
        process.send_signal(signal.SIGKILL)
        put += [int(line) for line in process.stdout if line.endswith("\n")]
    cache = LocalCache(str(tmp_path))
    assert len(put) >= 300
    assert all(cache.get(key(n)) == ENTRY for n in put)
    intact = [name for name, _ in cache.entries()]
    # What was under way when the process died is there or not; nothing else is.
    assert intact in ([key(n) for n in put], [key(n) for n in (*put, len(put))])


def test_two_processes_write_at_once_and_a_third_reads_along(tmp_path: Path) -> None:
    clock = Clock()
    reader = LocalCache(str(tmp_path), clock)
    with writer(tmp_path, 0, 400) as one, writer(tmp_path, 300, 700) as two:
        for process in (one, two):
            assert process.stdout is not None
            for line in process.stdout:
                clock.now += 2.0
                assert reader.get(key(int(line))) == ENTRY
    assert one.returncode == two.returncode == 0
    assert len(list(tmp_path.iterdir())) == 2
    assert len(list(reader.entries())) == 800


FULL = """
import resource, signal, sys
from tests.caches import ENTRY, key, put
from transforms.llm.cache import CacheError
from transforms.llm.cache.local import LocalCache
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
cache = LocalCache(sys.argv[1])
put(cache, key(0), ENTRY)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
for n in range(1, 9):
    try:
        put(cache, key(n), ENTRY)
    except CacheError as error:
        print(error)
        break
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
put(cache, key(100), ENTRY)
print(n)
"""


def test_a_full_disk_is_one_clear_error_and_spoils_nothing(tmp_path: Path) -> None:
    result = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True)
    message, failed_at = result.stdout.splitlines()
    assert str(tmp_path) in message
    assert "free space" in message
    cache = LocalCache(str(tmp_path))
    assert [name for name, _ in cache.entries() if name != key(100)] == [key(n) for n in range(int(failed_at))]
    assert cache.get(key(100)) == ENTRY


def test_a_directory_that_cannot_be_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        CacheError, match=r"cannot create the cache of model answers '.*/file/cache'.*another directory"
    ):
        LocalCache(str(tmp_path / "file" / "cache"))


def test_many_answers_and_the_latest_of_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transforms.llm.cache.index._FEWEST_SORTED", 7)
    cache = LocalCache(str(tmp_path))
    for text in ("first", "second"):
        for n in range(100):
            put(cache, key(n), dataclasses.replace(ENTRY, completion=Completion(f"{text} {n}", "stop")))
    cache.close()
    for opened in (cache, LocalCache(str(tmp_path))):
        found = [opened.get(key(n)) for n in range(101)]
        assert [entry and entry.completion.text for entry in found] == [*(f"second {n}" for n in range(100)), None]


def test_keys_that_begin_alike_are_never_confused(tmp_path: Path) -> None:
    one, two = "ab" * 8 + "0" * 48, "ab" * 8 + "1" * 48
    cache = LocalCache(str(tmp_path))
    put(cache, one, ENTRY)
    assert cache.get(two) is None
    put(cache, two, ENTRY)
    assert cache.get(two) == ENTRY
    assert cache.get(one) is None
    cache.close()


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    cache = LocalCache(str(tmp_path))
    for n in range(100):
        put(cache, key(n), ENTRY)
        cache.get(key(n))
    assert len(os.listdir("/proc/self/fd")) == before + 1  # noqa: PTH208
    cache.close()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
