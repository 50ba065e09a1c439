"""`webscale-rl cache`: what is held, what is damaged, and a smaller cache that has lost nothing."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.caches import ENTRY, emulator, key, needs_emulator, put
from tests.support import webscale_rl
from transforms.llm.cache import CacheError, Segments, open_cache, open_segments
from transforms.llm.cache.directory import Directory
from transforms.llm.cache.lines import encode
from transforms.llm.cache.local import LocalCache
from transforms.llm.cache.maintain import Damage, Pruned, damages, holdings, prune, remove_answers
from transforms.llm.cache.segments import Segment
from transforms.llm.requests import Completion

INVALID = dataclasses.replace(ENTRY, valid=False)
OTHER = dataclasses.replace(ENTRY, stage="judge", model="other", completion=Completion("x", "stop", 1, 2, 0, 1e-5))
FLIPPED = encode(key(1), ENTRY).replace(b"stop", b"stpo")


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(tmp_path_factory.mktemp("emulator")) as name:
        yield f"gs://{name}"


@pytest.fixture(params=["directory", pytest.param("bucket", marks=needs_emulator)])
def segments(request: pytest.FixtureRequest, tmp_path: Path) -> Segments:
    if request.param == "directory":
        return open_segments(str(tmp_path))
    return open_segments(f"{request.getfixturevalue('bucket')}/{tmp_path.name}")


def lines(*entries: tuple[int, object]) -> bytes:
    return b"".join(entry if isinstance(entry, bytes) else encode(key(n), entry) for n, entry in entries)  # type: ignore[arg-type]


def answers(segments: Segments) -> dict[str, object]:
    cache = open_cache(segments.place)
    found = {n: cache.get(key(n)) for n in range(20)}
    cache.close()
    return {str(n): entry for n, entry in found.items() if entry}


def test_what_a_cache_holds(segments: Segments) -> None:
    segments.add(lines((1, ENTRY), (1, INVALID), (2, OTHER)))
    segments.add(lines((1, ENTRY), (0, FLIPPED), (0, encode(key(3), ENTRY)[:-9])))
    held = holdings(segments)
    assert (held.segments, held.corrupt) == (2, 2)
    assert held.bytes == sum(segment.size for segment in segments.listed())
    assert held.groups == {
        ("generate", "my/model"): {
            "answers": 3, "valid": 2, "prompt_tokens": 30, "completion_tokens": 15, "cost_nano_usd": 45_000
        },
        ("judge", "other"): {
            "answers": 1, "valid": 1, "prompt_tokens": 1, "completion_tokens": 2, "cost_nano_usd": 10_000
        },
    }  # fmt: skip
    assert held.total["answers"] == 4


def test_damage_is_named_by_file_and_offset(segments: Segments) -> None:
    whole = encode(key(1), ENTRY)
    segments.add(whole)
    assert list(damages(segments)) == []
    bad = segments.add(whole + FLIPPED + b"junk\n" + whole + whole[:-1])
    at = len(whole)
    assert list(damages(segments)) == [
        Damage(bad.name, at, "wrong checksum"),
        Damage(bad.name, 2 * at, "wrong checksum"),
        Damage(bad.name, 3 * at + 5, "unfinished line"),
    ]


def test_pruning_drops_what_is_never_replayed_and_nothing_else(segments: Segments) -> None:
    segments.add(lines((1, ENTRY), (1, INVALID), (2, OTHER), (0, b"junk\n")))
    segments.add(lines((1, ENTRY), (3, INVALID), (4, ENTRY), (0, FLIPPED), (0, b"torn")))
    segments.add(lines((5, ENTRY)))
    before = sum(segment.size for segment in segments.listed())
    kept = {"1": ENTRY, "2": OTHER, "4": ENTRY, "5": ENTRY}
    assert answers(segments) == kept
    done = prune(segments)
    (segment,) = segments.listed()
    assert done == Pruned(4, 3, 2, 1, 0, 3, before, segment.size)
    assert answers(segments) == kept
    assert len(b"".join(segments.chunks(segment)).splitlines()) == 4
    assert prune(segments) == Pruned(4, 0, 0, 0, 0, 0, segment.size, segment.size)
    assert segments.listed() == [segment]


def test_pruning_keeps_the_answer_that_is_replayed(segments: Segments) -> None:
    entries = [dataclasses.replace(ENTRY, completion=Completion(f"text {n}", "stop")) for n in range(6)]
    for one, two in zip(entries[::2], entries[1::2], strict=True):
        segments.add(lines((1, one), (1, two)))
    before = answers(segments)
    prune(segments)
    assert answers(segments) == before


def test_pruning_an_empty_cache(segments: Segments) -> None:
    Path(segments.place).mkdir(exist_ok=True) if isinstance(segments, Directory) else None
    assert prune(segments) == Pruned()
    segments.add(lines((1, INVALID)))
    assert prune(segments).invalid == 1
    assert segments.listed() == []


def test_large_segments_stay_and_small_ones_are_put_together(
    segments: Segments, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(encode(key(1), ENTRY))
    monkeypatch.setattr(type(segments), "segment_bytes", 4 * size)
    large = segments.add(lines((1, ENTRY), (2, ENTRY), (3, ENTRY)))
    small = [segments.add(lines((n, ENTRY))) for n in range(4, 10)]
    assert prune(segments).rewritten == len(small)
    assert sorted(segment.size for segment in segments.listed()) == [2 * size, 3 * size, 4 * size]
    assert large in segments.listed()
    assert set(answers(segments)) == {str(n) for n in range(1, 10)}


@pytest.mark.parametrize("moment", range(1, 9))
def test_a_pruning_that_dies_at_any_moment_has_lost_nothing(
    segments: Segments, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    monkeypatch.setattr(type(segments), "segment_bytes", len(encode(key(1), ENTRY)) * 2)
    for first in (0, 3, 6):
        segments.add(lines((first, INVALID), *((n, ENTRY) for n in range(first, first + 3))))
    steps = []

    def dying(step: Callable[..., object]) -> Callable[..., object]:
        def called(self: Segments, argument: object) -> object:
            steps.append(step)
            if len(steps) == moment:
                raise KeyboardInterrupt
            return step(self, argument)

        return called

    def one_by_one(self: Segments, gone: list[Segment]) -> None:
        for segment in gone:
            removing(self, [segment])

    removing = dying(type(segments).remove)
    with monkeypatch.context() as patched:
        patched.setattr(type(segments), "add", dying(type(segments).add))
        patched.setattr(type(segments), "remove", one_by_one)
        with pytest.raises(KeyboardInterrupt):
            prune(segments)
    assert set(answers(segments)) == {str(n) for n in range(9)}
    prune(segments)
    assert set(answers(segments)) == {str(n) for n in range(9)}
    assert sum(segment.size for segment in segments.listed()) == 9 * len(encode(key(1), ENTRY))


def test_two_prunings_at_once_lose_nothing(segments: Segments, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(4):
        segments.add(lines((n, ENTRY), (n, ENTRY)))
    from transforms.llm.cache import maintain

    rewrite = maintain._rewrite

    def late(*arguments: object) -> int:
        monkeypatch.setattr(maintain, "_rewrite", rewrite)
        assert prune(segments).kept == 4
        return rewrite(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(maintain, "_rewrite", late)
    with pytest.raises(CacheError, match="wait until nobody else prunes it"):
        prune(segments)
    assert set(answers(segments)) == {"0", "1", "2", "3"}


def test_a_cache_that_is_open_finds_what_was_moved(segments: Segments) -> None:
    for n in range(4):
        segments.add(lines((n, ENTRY), (n, INVALID)))
    cache = open_cache(segments.place, lambda: 0.0)
    prune(segments)
    assert [cache.get(key(n)) for n in range(4)] == [ENTRY] * 4
    put(cache, key(5), ENTRY)
    cache.close()
    assert set(answers(segments)) == {"0", "1", "2", "3", "5"}


def test_a_segment_that_is_written_stays(tmp_path: Path) -> None:
    cache = LocalCache(str(tmp_path))
    put(cache, key(1), INVALID)
    (path,) = tmp_path.iterdir()
    with path.open("ab") as file:
        file.write(b'{"crc":')  # a line under way
    segments = open_segments(str(tmp_path))
    assert list(damages(segments)) == []
    assert prune(segments).in_use == 1
    segments.remove(segments.listed())
    assert path.exists()
    cache.close()
    assert len(list(damages(segments))) == 1
    assert prune(segments) == Pruned(corrupt=1, invalid=1, rewritten=1, bytes_before=path_size(path), bytes_after=0)
    put(cache, key(1), ENTRY)
    assert LocalCache(str(tmp_path)).get(key(1)) == ENTRY
    cache.close()


def path_size(path: Path) -> int:
    return len(encode(key(1), INVALID)) + len(b'{"crc":')


def test_where_no_file_can_be_locked_nothing_is_pruned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(37, os.strerror(37))

    monkeypatch.setattr("fcntl.flock", no_locks)
    cache = LocalCache(str(tmp_path))
    put(cache, key(1), INVALID)
    cache.close()
    assert prune(open_segments(str(tmp_path))) == Pruned(
        in_use=1, bytes_before=len(encode(key(1), INVALID)), bytes_after=len(encode(key(1), INVALID))
    )


def test_a_cache_that_may_not_be_written_can_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segments = open_segments(str(tmp_path))
    segments.add(lines((1, ENTRY), (2, INVALID)))
    opened = os.open

    def read_only(path: Path, flags: int) -> int:  # the tests may run as root, whom no mode stops
        if flags & os.O_RDWR:
            raise PermissionError(13, os.strerror(13))
        return opened(path, flags)

    monkeypatch.setattr(os, "open", read_only)
    assert holdings(segments).total["answers"] == 2
    assert prune(segments).in_use == 1


PRUNE = """
import os, sys
from transforms.llm.cache import open_segments
from transforms.llm.cache.maintain import prune
write = os.fsync
def hang(descriptor):
    print("half", flush=True)
    sys.stdin.read()
os.fsync = hang
prune(open_segments(sys.argv[1]))
"""


def test_what_a_killed_pruning_leaves_is_swept_up(tmp_path: Path) -> None:
    segments = open_segments(str(tmp_path))
    segments.add(lines((1, ENTRY), (2, INVALID)))
    command = [sys.executable, "-c", PRUNE, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "half\n"
        assert len(list(tmp_path.glob("*.tmp"))) == 1
        assert set(answers(segments)) == {"1"}
        process.send_signal(signal.SIGKILL)
    prune(segments)
    (path,) = tmp_path.iterdir()
    assert path.read_bytes() == lines((1, ENTRY))


def test_the_command(segments: Segments, capsys: pytest.CaptureFixture[str]) -> None:
    segments.add(lines((1, ENTRY), (1, INVALID), (2, OTHER)))
    bad = segments.add(lines((1, ENTRY), (0, FLIPPED)))
    assert webscale_rl("cache", "stats", segments.place) == 0
    table = [re.split(r"\s{2,}", line) for line in capsys.readouterr().out.splitlines()]
    assert table[:4] == [
        ["stage", "model", "answers", "valid", "invalid", "tokens in", "tokens out", "cost"],
        ["generate", "my/model", "3", "2", "1", "30", "15", "$0.00"],
        ["judge", "other", "1", "1", "0", "1", "2", "$0.00"],
        ["all", "4", "3", "1", "31", "17", "$0.00"],
    ]
    assert webscale_rl("cache", "verify", segments.place) == 1
    said = capsys.readouterr().out
    assert f"{bad.name}: byte {len(encode(key(1), ENTRY))}: wrong checksum\n1 corrupt lines" in said
    assert webscale_rl("cache", "prune", segments.place) == 0
    assert capsys.readouterr().out.startswith("2 answers stay; 1 corrupt lines, 1 invalid answers and 1 repetitions")
    assert webscale_rl("cache", "verify", segments.place) == 0
    assert capsys.readouterr().out == f"{segments.place} is whole.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stats", "/no/such/directory"], "there is no directory /no/such/directory"),
        (["stats", "gs://B!"], "write gs://BUCKET/PREFIX"),
        (["stats", "s3://bucket/cache"], "write gs://BUCKET/PREFIX"),
        (["shrink", "."], "invalid choice: 'shrink'"),
        (["stats"], "DIR_OR_GS"),
        (["stats", ".", "--fast"], "--fast"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert webscale_rl("cache", *arguments) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_answers_are_taken_out_by_their_keys(segments: Segments) -> None:
    segments.add(lines((1, ENTRY), (1, INVALID), (2, OTHER), (0, FLIPPED)))
    segments.add(lines((1, ENTRY)))
    untouched = segments.add(lines((3, OTHER), (0, FLIPPED)))
    assert remove_answers(segments, {key(1), key(4)}) == 3
    assert answers(segments) == {"2": OTHER, "3": OTHER}
    assert untouched in segments.listed() and len(segments.listed()) == 2
    assert [damage.segment for damage in damages(segments)] == [untouched.name], "whose line that was nobody can tell"
    assert remove_answers(segments, {key(1), key(4)}) == 0


def test_answers_are_not_taken_out_of_what_a_run_appends_to(tmp_path: Path) -> None:
    cache = LocalCache(str(tmp_path))
    put(cache, key(1), ENTRY)
    with pytest.raises(CacheError, match=r"is in use.*; wait for that process"):
        remove_answers(open_segments(str(tmp_path)), {key(1)})
    assert remove_answers(open_segments(str(tmp_path)), {key(2)}) == 0
    assert cache.get(key(1)) == ENTRY
    cache.close()


def test_what_stays_is_split_as_large_as_a_segment_should_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Directory, "segment_bytes", len(encode(key(1), ENTRY)))
    segments = open_segments(str(tmp_path))
    segments.add(lines(*((number, ENTRY) for number in range(1, 6))))
    assert remove_answers(segments, {key(1)}) == 1
    assert len(segments.listed()) == len(answers(segments)) == 4


def test_a_directory_of_other_things_is_no_cache(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert webscale_rl("cache", "stats", str(tmp_path)) == 0
    (tmp_path / "catalog.json").write_text("{}")
    for action in ("stats", "verify", "prune"):
        assert webscale_rl("cache", action, str(tmp_path)) == 2
        assert f"{tmp_path} holds no answers and is no cache; name OUTPUT/cache" in capsys.readouterr().err


def test_a_run_is_no_cache(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    assert webscale_rl("cache", "stats", str(tmp_path)) == 2
    assert capsys.readouterr().err == (
        f"webscale-rl: {tmp_path} is a run's --output; name its cache, {tmp_path}/cache\n"
    )
