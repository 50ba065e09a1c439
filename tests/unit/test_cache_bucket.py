"""The cache in a bucket, against an emulator: packs, durability, sharing between processes, damage, and no bucket."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.caches import ENTRY, Clock, emulator, key, needs_emulator, put, put_all
from transforms.llm.cache import CacheError, check_cache, open_cache
from transforms.llm.cache.bucket import Bucket
from transforms.llm.cache.lines import encode
from transforms.llm.cache.local import LocalCache
from transforms.llm.cache.packs import BucketCache
from transforms.llm.requests import Completion

pytestmark = needs_emulator


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(tmp_path_factory.mktemp("emulator")) as name:
        yield name


@pytest.fixture
def place(server: str) -> str:
    return f"gs://{server}/{uuid.uuid4().hex}/cache"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transforms.llm.cache.packs.FLUSH_EVERY_S", 0.05)


def blobs(place: str) -> list[Any]:
    from google.cloud import storage

    name, _, prefix = place.removeprefix("gs://").partition("/")
    return list(storage.Client().list_blobs(name, prefix=prefix))


def until_found(cache: BucketCache, name: str, clock: Clock) -> None:
    """Miss a key, again and again, until what others have added is looked for and found."""
    deadline = time.monotonic() + 20
    while cache.get(name) is None:
        assert time.monotonic() < deadline
        clock.now += 1.0
        time.sleep(0.01)


def test_returns_what_was_put_and_nothing_else(place: str) -> None:
    cache = BucketCache(place)
    assert cache.get(key(1)) is None
    put(cache, key(1), ENTRY)
    assert cache.get(key(1)) == ENTRY
    assert cache.get(key(2)) is None
    cache.close()
    again = open_cache(place + "/")
    assert again.get(key(1)) == ENTRY
    again.close()


def test_an_invalid_answer_is_kept_and_never_replayed(place: str) -> None:
    invalid = dataclasses.replace(ENTRY, valid=False)
    cache = BucketCache(place)
    for entry in (invalid, ENTRY, invalid):
        put(cache, key(1), entry)
    assert cache.get(key(1)) == ENTRY
    assert sorted(entry.valid for _, entry in cache.entries()) == [False, False, True]
    cache.close()


def test_answers_share_packs_of_256_and_none_waits_for_the_pack_to_fill(place: str) -> None:
    cache = BucketCache(place)
    put_all(cache, {key(n): ENTRY for n in range(600)})
    assert all(cache.get(key(n)) == ENTRY for n in range(600))
    assert sorted(len(blob.download_as_bytes().splitlines()) for blob in blobs(place)) == [88, 256, 256]
    assert all(blob.name.endswith(".jsonl") for blob in blobs(place))
    cache.close()


def test_many_bytes_make_a_pack_too(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bucket, "segment_bytes", 1000)
    long = dataclasses.replace(ENTRY, completion=Completion("x" * 700, "stop"))
    cache = BucketCache(place)
    put_all(cache, {key(n): long for n in range(4)})
    assert len(blobs(place)) == 2
    cache.close()


def test_the_loop_goes_on_and_nobody_sees_an_answer_before_it_is_kept(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    add = Bucket.add

    def slow(self: Bucket, data: bytes) -> Any:
        assert go_on.wait(20)
        return add(self, data)

    async def scenario() -> None:
        task = asyncio.create_task(cache.put(key(1), ENTRY))
        await asyncio.sleep(0.2)  # the loop runs, the upload hangs
        assert not task.done()
        assert blobs(place) == []
        go_on.set()
        await asyncio.wait_for(task, 20)
        assert len(blobs(place)) == 1

    cache = BucketCache(place)
    monkeypatch.setattr(Bucket, "add", slow)
    asyncio.run(scenario())
    cache.close()


def test_one_who_stops_waiting_takes_the_pack_from_nobody(place: str) -> None:
    async def scenario() -> None:
        one, two = (asyncio.create_task(cache.put(key(n), ENTRY)) for n in (1, 2))
        await asyncio.sleep(0)
        one.cancel()
        await asyncio.wait_for(two, 20)

    cache = BucketCache(place)
    asyncio.run(scenario())
    assert [cache.get(key(n)) for n in (1, 2)] == [ENTRY, ENTRY]
    cache.close()


def test_closing_keeps_what_is_gathered(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transforms.llm.cache.packs.FLUSH_EVERY_S", 3600.0)

    async def scenario() -> None:
        task = asyncio.create_task(cache.put(key(1), ENTRY))
        await asyncio.sleep(0)
        task.cancel()
        cache.close()

    cache = BucketCache(place)
    asyncio.run(scenario())
    again = BucketCache(place)
    assert again.get(key(1)) == ENTRY
    again.close()


def test_sees_what_others_add_but_looks_only_now_and_then(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, looks = Clock(), []
    reader, writer = BucketCache(place, clock), BucketCache(place)
    listed = Bucket.listed
    monkeypatch.setattr(Bucket, "listed", lambda self, since=None: looks.append(since) or listed(self, since))
    put(writer, key(1), ENTRY)
    assert [reader.get(key(1)) for _ in range(100)] == [None] * 100
    assert looks == []
    clock.now = 5.0
    until_found(reader, key(1), Clock())
    assert len(looks) == 1 and looks[0] is not None
    reader.close()
    writer.close()


def test_a_look_that_fails_is_one_clear_error(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise CacheError("no bucket")

    clock = Clock()
    cache = BucketCache(place, clock)
    monkeypatch.setattr(Bucket, "listed", fails)
    with pytest.raises(CacheError, match="no bucket"):
        until_found(cache, key(1), clock)
    cache.close()


def test_an_upload_that_fails_is_told_to_all_who_wait_and_the_next_one_is_tried(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise CacheError("no room")

    async def scenario() -> list[BaseException | None]:
        return await asyncio.gather(*(cache.put(key(n), ENTRY) for n in range(3)), return_exceptions=True)

    cache = BucketCache(place)
    with monkeypatch.context() as patched:
        patched.setattr(Bucket, "add", fails)
        assert [str(outcome) for outcome in asyncio.run(scenario())] == ["no room"] * 3
    assert cache.get(key(0)) is None
    put(cache, key(0), ENTRY)
    assert cache.get(key(0)) == ENTRY
    cache.close()


def test_an_upload_whose_answer_was_lost_counts(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from google.cloud.storage import Blob

    upload = Blob.upload_from_string

    def twice(self: Blob, data: bytes, **options: Any) -> None:
        upload(self, data, **options)
        upload(self, data, **options)  # as the client library does when the first answer got lost

    monkeypatch.setattr(Blob, "upload_from_string", twice)
    cache = BucketCache(place)
    put(cache, key(1), ENTRY)
    assert cache.get(key(1)) == ENTRY
    cache.close()
    assert len(blobs(place)) == 1


def test_a_scratch_that_is_too_small_is_read_again(place: str) -> None:
    writer = BucketCache(place)
    for first in range(0, 40, 4):
        put_all(writer, {key(n): ENTRY for n in range(first, first + 4)})
    writer.close()
    reader = BucketCache(place, scratch_bytes=2000)
    assert [reader.get(key(n)) for n in [*range(40), *range(40)]] == [ENTRY] * 80
    reader.close()


def test_a_segment_of_a_directory_is_a_cache_in_a_bucket_and_back(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google.cloud import storage

    monkeypatch.setattr(Bucket, "segment_bytes", 1000)  # so that it takes many pieces, and lines lie across their ends
    local = LocalCache(str(tmp_path / "one"))
    entries = {key(n): dataclasses.replace(ENTRY, completion=Completion("x" * 97 * n, "stop")) for n in range(30)}
    put_all(local, entries)
    local.close()
    (segment,) = (tmp_path / "one").iterdir()
    name, _, prefix = place.removeprefix("gs://").partition("/")
    storage.Client().bucket(name).blob(f"{prefix}/{segment.name}").upload_from_filename(segment)
    cache = BucketCache(place)
    assert {name: cache.get(name) for name in entries} == entries
    cache.close()
    (tmp_path / "two").mkdir()
    (blob,) = blobs(place)
    blob.download_to_filename(tmp_path / "two" / segment.name)
    back = LocalCache(str(tmp_path / "two"))
    assert {name: back.get(name) for name in entries} == entries


def _torn(data: bytes) -> bytes:
    return data[:-10]


def _flipped(data: bytes) -> bytes:
    last = data.rindex(b"stop")
    return data[:last] + b"stpo" + data[last + 4 :]


def _with_junk(data: bytes) -> bytes:
    one, two = data.splitlines(keepends=True)
    return b"\x00" * 5000 + b"\n" + one + b"{}\n" + _flipped(two)


@pytest.mark.parametrize("damage", [_torn, _flipped, _with_junk])
def test_damage_is_ignored_and_the_others_stay(place: str, damage: Callable[[bytes], bytes]) -> None:
    writer = BucketCache(place)
    put_all(writer, {key(n): ENTRY for n in (1, 2)})
    writer.close()
    (blob,) = blobs(place)
    blob.upload_from_string(damage(blob.download_as_bytes()))
    cache = BucketCache(place)
    assert [cache.get(key(n)) for n in (1, 2)] == [ENTRY, None]
    assert [name for name, _ in cache.entries()] == [key(1)]
    cache.close()


def test_empty_packs_and_other_objects_are_nothing(place: str) -> None:
    from google.cloud import storage

    name, _, prefix = place.removeprefix("gs://").partition("/")
    for path in ("empty.jsonl", "other.txt", "below/deeper.jsonl"):
        data = b"" if path.startswith("empty") else encode(key(1), ENTRY)
        storage.Client().bucket(name).blob(f"{prefix}/{path}").upload_from_string(data)
    cache = BucketCache(place)
    assert cache.get(key(1)) is None
    assert list(cache.entries()) == []
    cache.close()


def test_a_pack_that_is_gone_is_found_where_it_went(place: str) -> None:
    writer = BucketCache(place)
    put(writer, key(1), ENTRY)
    reader = BucketCache(place, Clock(), scratch_bytes=0)
    (old,) = blobs(place)
    reader._scratch.put("something else", b"x")
    reader._scratch.put("something else", b"x")
    writer._bucket.add(old.download_as_bytes())
    old.delete()
    assert reader.get(key(1)) == ENTRY
    (new,) = blobs(place)
    new.delete()
    reader._scratch.put("something else", b"x")
    reader._scratch.put("something else", b"x")
    assert reader.get(key(1)) is None
    reader.close()
    writer.close()


WRITER = """
import asyncio, sys
from tests.caches import ENTRY, key
from transforms.llm.cache.packs import BucketCache

async def one(cache, n):
    await cache.put(key(n), ENTRY)
    print(n, flush=True)

async def main():
    cache = BucketCache(sys.argv[1])
    first, stop = int(sys.argv[2]), int(sys.argv[3])
    for n in range(first, stop, 100):
        await asyncio.gather(*(one(cache, m) for m in range(n, min(n + 100, stop))))
    cache.close()

import transforms.llm.cache.packs as packs
packs.FLUSH_EVERY_S = 0.05
asyncio.run(main())
"""


def writer(place: str, first: int, stop: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, place, str(first), str(stop)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_kill_9_loses_nothing_that_was_put(place: str) -> None:
    with writer(place, 0, 10**9) as process:
        assert process.stdout is not None
        seen = [int(process.stdout.readline()) for _ in range(350)]
        process.send_signal(signal.SIGKILL)
        seen += [int(line) for line in process.stdout if line.endswith("\n")]
    cache = BucketCache(place)
    assert len(seen) >= 350
    assert all(cache.get(key(n)) == ENTRY for n in seen)
    cache.close()


def test_processes_write_at_once_and_another_reads_along(place: str) -> None:
    clock = Clock()
    reader = BucketCache(place, clock)
    with writer(place, 0, 300) as one, writer(place, 200, 500) as two:
        for process in (one, two):
            assert process.stdout is not None
            for line in process.stdout:
                until_found(reader, key(int(line)), clock)
    assert one.returncode == two.returncode == 0
    assert len(list(reader.entries())) == 600
    reader.close()


def test_32_writers_at_once(place: str) -> None:
    def work(first: int) -> None:
        cache = BucketCache(place)
        put_all(cache, {key(n): ENTRY for n in range(first, first + 40)})
        cache.close()

    threads = [threading.Thread(target=work, args=(20 * n,)) for n in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cache = BucketCache(place)
    assert len(blobs(place)) == 32
    assert all(cache.get(key(n)) == ENTRY for n in range(32 * 20 + 20))
    assert len(list(cache.entries())) == 32 * 40
    cache.close()


def test_threads_and_files_are_given_back(place: str) -> None:
    before = threading.active_count()
    cache = BucketCache(place)
    put(cache, key(1), ENTRY)
    cache.close()
    assert threading.active_count() == before


def test_a_bucket_can_be_checked(place: str) -> None:
    check_cache(place)
    assert blobs(place) == []


@pytest.mark.parametrize("use", [check_cache, open_cache])
def test_a_bucket_that_does_not_exist_is_one_clear_line(server: str, use: Callable[[str], object]) -> None:
    with pytest.raises(CacheError, match=r"'gs://no-such-bucket/cache' \(NotFound: .*make the bucket") as caught:
        use("gs://no-such-bucket/cache")
    assert "\n" not in str(caught.value)


def test_a_bucket_out_of_reach_is_one_clear_line(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setattr("transforms.storage.PATIENCE_S", 1.0)
        with pytest.raises(CacheError, match=r"cannot read .*'gs://bucket/cache'.*check the name and the n") as caught:
            BucketCache("gs://bucket/cache")
    assert "\n" not in str(caught.value)


def test_no_credentials_is_one_clear_line(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "absent.json"))
    with pytest.raises(CacheError, match=r"cannot open .*'gs://bucket/cache'.*gcloud auth application-default login"):
        BucketCache("gs://bucket/cache")


@pytest.mark.parametrize(("status", "remedy"), [(401, "GOOGLE_APPLICATION_CREDENTIALS"), (403, "let this account")])
def test_a_refusal_names_the_remedy(place: str, monkeypatch: pytest.MonkeyPatch, status: int, remedy: str) -> None:
    from google.api_core.exceptions import from_http_status
    from google.cloud.storage import Blob

    def refuse(*_: object, **__: object) -> None:
        raise from_http_status(status, "no")

    cache = BucketCache(place)
    monkeypatch.setattr(Blob, "upload_from_string", refuse)
    with pytest.raises(CacheError, match=rf"cannot write .*'{place}'.*{remedy}"):
        put(cache, key(1), ENTRY)
    cache.close()


@pytest.mark.parametrize("bad", ["gs://", "gs:///cache", "gs://B!/x", "gs://ab"])
def test_an_address_that_is_none(bad: str) -> None:
    with pytest.raises(CacheError, match="write gs://BUCKET/PREFIX"):
        open_cache(bad)
