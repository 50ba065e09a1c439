"""Files on `gs://` as on a disk: whole or not there, sat-out outages, and refusals that name the remedy."""

from __future__ import annotations

import gc
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.caches import ENTRY, emulator, key, leaves_sockets, needs_emulator, put_all
from tests.weather import Weather, numbered_parts, weather
from transforms import storage
from transforms.files import (
    delete,
    delete_tree,
    exists,
    list_files,
    open_parquet,
    read_bytes,
    replacing,
    write_parquet,
    write_text,
)
from transforms.llm.cache.packs import BucketCache
from transforms.storage import StorageError, reaching

pytestmark = [needs_emulator, leaves_sockets]

MB = 1 << 20


@pytest.fixture(scope="module")
def sky() -> Iterator[Weather]:
    with weather() as server:
        yield server


@pytest.fixture(scope="module")
def bucket(sky: Weather, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch, emulator(tmp_path_factory.mktemp("emulator"), sky) as name:
        numbered_parts(patch)
        yield f"gs://{name}"


@pytest.fixture(autouse=True)
def fair(sky: Weather) -> Iterator[None]:
    yield
    sky.clear_up()


@pytest.fixture(params=["disk", "bucket"])
def place(request: pytest.FixtureRequest, bucket: str, tmp_path: Path) -> str:
    return f"{bucket}/{tmp_path.name}" if request.param == "bucket" else str(tmp_path)


def test_a_file_appears_when_it_is_whole(place: str) -> None:
    path = f"{place}/a/whole.txt"
    with replacing(path) as stream:
        stream.write(b"x" * 17 * MB)  # more than the client library sends at once
        assert not exists(path)
        stream.write(b"y")
    assert read_bytes(path) == b"x" * 17 * MB + b"y"
    assert list_files(f"{place}/**") == [path]
    write_text(path, "new")
    assert read_bytes(path) == b"new"


@pytest.mark.parametrize("size", [1, 17 * MB])
def test_a_file_whose_writer_fails_never_appears(place: str, size: int) -> None:
    write_text(f"{place}/old.txt", "old")
    for name in ("old.txt", "new.txt"):
        with pytest.raises(ZeroDivisionError), replacing(f"{place}/{name}") as stream:
            stream.write(b"x" * size)
            raise ZeroDivisionError
    assert list_files(f"{place}/**") == [f"{place}/old.txt"]
    assert read_bytes(f"{place}/old.txt") == b"old"


def test_a_store_needs_no_temporary_name(bucket: str, sky: Weather) -> None:
    sky.seen.clear()
    write_text(f"{bucket}/direct/a.txt", "a")
    assert [method for method, path, _ in sky.seen] == ["POST", "PUT"]


def test_two_stars_are_any_directories_or_none(place: str) -> None:
    paths = [f"{place}/{name}" for name in ("a.parquet", "x/b.parquet", "x/y/c.parquet")]
    for path in [*paths, f"{place}/x/no.txt"]:
        write_text(path, "")
    assert list_files(f"{place}/**/*.parquet") == paths
    assert list_files(f"{place}/*.parquet") == paths[:1]
    assert list_files(f"{place}/x/**") == [*paths[1:2], f"{place}/x/no.txt", paths[2]]
    assert list_files(f"{place}/**/x/**/*.parquet") == paths[1:]
    assert list_files(f"{place}/**/**/*.parquet") == paths
    assert list_files(f"{place}/none/*") == []


def test_a_directory_goes_with_all_that_is_in_it_and_nothing_else(place: str) -> None:
    for name in ("d/1.txt", "d/e/2.txt", "dd.txt"):
        write_text(f"{place}/{name}", "")
    delete_tree(f"{place}/d")
    assert list_files(f"{place}/**") == [f"{place}/dd.txt"]
    delete_tree(f"{place}/d")
    delete([f"{place}/absent", f"{place}/dd.txt"])
    assert list_files(f"{place}/**") == []


def test_what_a_store_keeps_although_it_was_told_to_delete_is_an_error(bucket: str, sky: Weather) -> None:
    write_text(f"{bucket}/stubborn/a.txt", "")
    sky.answer = lambda method, path: 403 if path.startswith("/batch") else None
    with pytest.raises(StorageError, match=r"cannot delete gs://.*let this account"):
        delete_tree(f"{bucket}/stubborn")


def test_what_is_not_there(place: str) -> None:
    assert not exists(f"{place}/absent")
    with pytest.raises(FileNotFoundError, match=r"absent"):
        read_bytes(f"{place}/absent")


class Hours:
    """The clock by which the client libraries wait: whoever sleeps moves it on."""

    def __init__(self) -> None:
        self.now = 0.0
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds


@pytest.fixture
def hours(monkeypatch: pytest.MonkeyPatch) -> Hours:
    clock = Hours()
    for module in ("retry_base", "retry_unary"):
        monkeypatch.setattr(f"google.api_core.retry.{module}.time", clock)
    return clock


def break_off(sky: Weather, hours: Hours, seconds: float) -> None:
    """Let the store answer 503 from now on for a while."""
    until = hours.now + seconds
    sky.answer = lambda method, path: 503 if hours.now < until else None


@pytest.mark.parametrize("attempt", range(3))  # the pauses are drawn
def test_an_outage_of_a_minute_is_sat_out_by_every_use_of_files(
    bucket: str, sky: Weather, hours: Hours, attempt: int
) -> None:
    place = f"{bucket}/minute-{attempt}"
    table = pa.table({"text": ["a", "b"]})
    uses: dict[str, Any] = {
        "write": lambda: write_text(f"{place}/d/a.txt", "a"),
        "read": lambda: read_bytes(f"{place}/d/a.txt"),
        "list": lambda: list_files(f"{place}/d/*"),
        "exists": lambda: exists(f"{place}/d/a.txt"),
        "delete": lambda: delete([f"{place}/d/a.txt"]),
        "parquet": lambda: write_parquet(f"{place}/d/b.parquet", table),
        "delete_tree": lambda: delete_tree(f"{place}/d"),
    }
    for name, use in uses.items():
        break_off(sky, hours, 60)
        sky.seen.clear()
        use()
        assert [status for _, _, status in sky.seen].count(503) >= 3, name
    assert list_files(f"{place}/**") == []


def test_an_outage_between_the_parts_of_a_large_file(bucket: str, sky: Weather, hours: Hours) -> None:
    with replacing(f"{bucket}/large.bin") as stream:
        for part in range(3):
            stream.write(bytes([part]) * 16 * MB)
            break_off(sky, hours, 60)
    assert read_bytes(f"{bucket}/large.bin") == b"".join(bytes([part]) * 16 * MB for part in range(3))


def test_an_outage_while_parquet_is_read(bucket: str, sky: Weather, hours: Hours) -> None:
    table = pa.table({"n": list(range(1000))})
    write_parquet(f"{bucket}/rows.parquet", table, row_group_size=100)
    with open_parquet(f"{bucket}/rows.parquet") as file:
        for group in range(file.num_row_groups):
            break_off(sky, hours, 60)
            assert file.read_row_group(group) == table.slice(group * 100, 100)


def test_answers_outlast_an_outage_of_two_minutes(bucket: str, sky: Weather, hours: Hours) -> None:
    cache = BucketCache(f"{bucket}/answers")
    break_off(sky, hours, 120)
    put_all(cache, {key(n): ENTRY for n in range(300)})
    cache.close()
    break_off(sky, hours, 120)
    again = BucketCache(f"{bucket}/answers")
    assert all(again.get(key(n)) == ENTRY for n in range(300))
    again.close()


def test_a_real_outage_is_over_before_anybody_gives_up(bucket: str, sky: Weather) -> None:
    until = time.monotonic() + 1.5
    sky.answer = lambda method, path: 503 if time.monotonic() < until else None
    write_text(f"{bucket}/patient.txt", "a")
    assert read_bytes(f"{bucket}/patient.txt") == b"a"
    assert time.monotonic() >= until


def test_an_outage_without_an_end_is_one_line(bucket: str, sky: Weather, hours: Hours) -> None:
    break_off(sky, hours, 10_000)
    with pytest.raises(StorageError, match=r"^cannot write gs://.*ServiceUnavailable.*try again$") as caught:
        write_text(f"{bucket}/never.txt", "a")
    assert hours.now >= 60
    assert "\n" not in str(caught.value) and "upload_id" not in str(caught.value)


@pytest.mark.parametrize("size", [1, 17 * MB])
def test_what_could_not_be_written_does_not_appear_later(bucket: str, sky: Weather, size: int) -> None:
    def write() -> None:
        with replacing(f"{bucket}/late.bin") as stream:
            stream.write(b"x" * size)
            sky.answer = lambda method, path: 403

    with pytest.raises(StorageError, match="Forbidden"):
        write()
    sky.clear_up()
    gc.collect()
    assert not exists(f"{bucket}/late.bin")


@pytest.mark.parametrize(("status", "remedy"), [(403, "let this account list, get, create"), (404, "make the bucket")])
def test_a_refusal_is_one_line_with_the_remedy(bucket: str, sky: Weather, status: int, remedy: str) -> None:
    sky.answer = lambda method, path: status
    for verb, use in (("write", lambda: write_text(f"{bucket}/a", "")), ("list", lambda: list_files(f"{bucket}/*"))):
        with pytest.raises(StorageError, match=rf"^cannot {verb} {bucket}/.*as the test wants it.*{remedy}") as caught:
            use()
        assert "\n" not in str(caught.value)


def test_a_bucket_that_does_not_exist(bucket: str) -> None:
    for verb, use in (
        ("write", lambda: write_text("gs://no-such-bucket/a", "")),
        ("list", lambda: list_files("gs://no-such-bucket/*")),
    ):
        with pytest.raises(
            StorageError, match=rf"cannot {verb} gs://no-such-bucket/.*; make the bucket, or name another"
        ):
            use()


def test_credentials_that_are_no_longer_good(bucket: str) -> None:
    from google.auth.exceptions import RefreshError

    said = (
        r"^cannot read gs://b/a \(RefreshError: invalid_grant\); the credentials are .*gcloud auth application-default"
    )
    with pytest.raises(StorageError, match=said), reaching("read", "gs://b/a"):
        raise RefreshError("invalid_grant")


def test_no_credentials_are_noticed_before_beam_waits_for_them(
    bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "absent.json"))
    storage._prepare.cache_clear()
    began = time.monotonic()
    with pytest.raises(StorageError, match=r"cannot list gs://.*absent.json.*set GOOGLE_APPLICATION_CREDENTIALS"):
        list_files(f"{bucket}/*")
    assert time.monotonic() - began < 5


def test_other_errors_stay_what_they_are(bucket: str, tmp_path: Path) -> None:
    for path in (f"{bucket}/a", str(tmp_path)):
        with pytest.raises(ZeroDivisionError), reaching("read", path):
            raise ZeroDivisionError
    error = ValueError("a")
    error.code = 403  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"^a$"), reaching("read", f"{bucket}/a"):
        raise error


def test_the_retries_of_our_own_calls_outlast_two_minutes() -> None:
    policy: Any = SimpleNamespace(**vars(storage.retry()))
    assert policy._timeout - policy._maximum >= 120


def test_little_more_is_fetched_than_what_is_read(bucket: str, sky: Weather) -> None:
    table = pa.table({"text": [random.Random(n).randbytes(1200).hex() for n in range(64 * 200)]})
    write_parquet(f"{bucket}/groups.parquet", table, row_group_size=64)
    sky.sent = 0
    with open_parquet(f"{bucket}/groups.parquet") as file:
        assert file.read_row_group(5) == table.slice(5 * 64, 64)
        assert sky.sent < 2 * MB + file.metadata.serialized_size


def test_parquet_in_a_store_reads_as_on_a_disk(place: str) -> None:
    table = pa.table({"id": ["a", "b"], "text": ["x" * 100, "y"]})
    write_parquet(f"{place}/t.parquet", table)
    with open_parquet(f"{place}/t.parquet") as file:
        assert file.read() == table
    with (
        pytest.raises(pa.ArrowInvalid),
        replacing(f"{place}/bad.parquet") as stream,
        pq.ParquetWriter(stream, table.schema),
    ):
        raise pa.ArrowInvalid("stop")
    assert not exists(f"{place}/bad.parquet")
