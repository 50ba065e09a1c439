"""Compare and swap of a small file: of racing writers one wins, and none is lost, in a directory and in a bucket."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.caches import emulator, needs_emulator
from transforms.swap import ConflictError, SwapError, read, update, write

RACERS = 32


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(tmp_path_factory.mktemp("emulator")) as name:
        yield f"gs://{name}"


@pytest.fixture(params=["directory", pytest.param("bucket", marks=needs_emulator)])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where a file may be that is not there yet."""
    place = tmp_path if request.param == "directory" else request.getfixturevalue("bucket")
    return f"{place}/{tmp_path.name}/catalog.json"


def together(task: Callable[[int], Any]) -> list[Any]:
    """Do something in all racers at once."""
    start = threading.Barrier(RACERS)

    def racer(number: int) -> Any:
        start.wait()
        return task(number)

    with ThreadPoolExecutor(RACERS) as pool:
        return list(pool.map(racer, range(RACERS)))


def test_of_32_commits_on_one_base_exactly_one_wins(path: str) -> None:
    for round_number in range(3):  # the first of them makes the file
        token = read(path).token

        def commit(number: int, token: str = token, round_number: int = round_number) -> str | None:
            try:
                write(path, f"{number} of {round_number}".encode(), token)
            except ConflictError:
                return None
            return f"{number} of {round_number}"

        (winner,) = (each for each in together(commit) if each is not None)
        content = read(path).content
        assert content is not None and content.decode() == winner


def test_of_32_updates_none_is_lost(path: str) -> None:
    def enter(number: int) -> bytes | None:
        def change(content: bytes | None) -> bytes:
            return json.dumps([*json.loads(content or "[]"), number]).encode()

        return update(path, change)

    assert len(set(together(enter))) == RACERS, "each saw what it has written"
    assert sorted(json.loads(read(path).content or "")) == list(range(RACERS))


def test_a_token_is_of_one_content(path: str) -> None:
    absent = read(path)
    assert absent.content is None
    first = write(path, b"1", absent.token)
    assert read(path) == (b"1", first)
    second = write(path, b"2", first)
    for stale in (absent.token, first):
        with pytest.raises(ConflictError):
            write(path, b"3", stale)
    assert read(path) == (b"2", second)


def test_a_change_of_nothing_leaves_the_file_as_it_is(path: str) -> None:
    assert update(path, lambda content: None) is None
    write(path, b"1", read(path).token)
    before = read(path)
    assert update(path, lambda content: None) == b"1"
    assert read(path) == before


@needs_emulator
def test_a_lost_answer_to_an_upload_is_no_conflict(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from google.api_core.exceptions import PreconditionFailed
    from google.cloud.storage import Blob

    upload = Blob.upload_from_string

    def twice(self: Blob, data: bytes, **options: Any) -> None:
        upload(self, data, **options)
        raise PreconditionFailed("as when the client tries an upload again that came through")

    monkeypatch.setattr(Blob, "upload_from_string", twice)
    path = f"{bucket}/lost/catalog.json"
    token = write(path, b"mine", read(path).token)
    assert read(path) == (b"mine", token)


def test_a_directory_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = f"{tmp_path}/file/catalog.json"
    assert read(path).content is None
    with pytest.raises(SwapError, match=f"cannot write {path} .*; mend its permissions") as caught:
        write(path, b"1", read(path).token)
    assert "\n" not in str(caught.value)
    with pytest.raises(SwapError, match=f"cannot read {tmp_path} "):
        read(str(tmp_path))


@needs_emulator
def test_a_bucket_that_is_not_there_is_one_line(bucket: str) -> None:
    path = "gs://no-such-bucket/root/catalog.json"
    with pytest.raises(SwapError, match=f"cannot write {path} .*; make the bucket, or name another") as caught:
        write(path, b"1", read(path).token)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["s3://bucket/catalog.json", "gs://bucket", "gs://no bucket/catalog.json"])
def test_what_is_no_address_is_told(path: str) -> None:
    with pytest.raises(SwapError, match="write gs://BUCKET/NAME"):
        read(path)
