"""The answers in a bucket: gathered into packs, which are written whole and read whole."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final, NamedTuple

from transforms.llm.cache.bucket import Bucket
from transforms.llm.cache.index import Index, Place
from transforms.llm.cache.lines import (
    Entry,
    decode,
    encode,
    is_intact,
    is_valid,
    key_of,
    split_lines,
)
from transforms.llm.cache.scratch import SCRATCH_BYTES, Scratch
from transforms.llm.cache.segments import Segment, lines_of

PACK_ANSWERS: Final = 256
FLUSH_EVERY_S: Final = 2.0
_LOOK_EVERY_S: Final = 5.0
_THREADS: Final = 8  # the client library keeps ten connections


class _Piece(NamedTuple):
    """Whole lines of a segment, few enough to hold in memory: the bytes [start, stop)."""

    segment: Segment
    start: int
    stop: int


class _Line(NamedTuple):
    """Where a valid answer is in a piece."""

    key: str
    length: int
    offset: int


class _Found(NamedTuple):
    """A segment, and its valid answers piece by piece."""

    segment: Segment
    pieces: list[tuple[_Piece, list[_Line]]]


class _Batch:
    """Answers that become one pack."""

    def __init__(self, loop: asyncio.AbstractEventLoop, timer: asyncio.TimerHandle) -> None:
        self.loop = loop
        self.timer = timer
        self.data = bytearray()
        self.answers = 0
        self.valid: list[_Line] = []
        self.kept: asyncio.Future[None] = loop.create_future()

    def append(self, key: str, entry: Entry) -> None:
        line = encode(key, entry)
        if entry.valid:
            self.valid.append(_Line(key, len(line), len(self.data)))
        self.data += line
        self.answers += 1

    def finish(self, error: BaseException | None) -> None:
        """Tell those who wait; some may have been cancelled, and then nobody looks."""
        if error is None:
            self.kept.set_result(None)
        else:
            self.kept.set_exception(error)
            self.kept.exception()


class BucketCache:
    """Answers by `request_key`, below `gs://bucket/prefix`, that any number of processes read and add to at once.

    `put` returns when the pack with its answer is in the bucket; a pack is written when it holds 256 answers (or a
    segment's bytes), or two seconds after its first. Uploads run in threads. All packs are read when the cache is
    opened: their answers are indexed, the bodies stay in a bounded scratch on the disk of this machine, and are read
    from the bucket again where that has lost them. What others add is looked for in the background, after a miss, at
    most every five seconds. One event loop may use an instance.

    Args:
      place: the address.
      clock: seconds, to be replaced in tests.
      scratch_bytes: how much of the local disk to take.

    Raises:
      CacheError: the bucket cannot be reached, read or written.
    """

    def __init__(
        self, place: str, clock: Callable[[], float] = time.monotonic, scratch_bytes: int = SCRATCH_BYTES
    ) -> None:
        self._bucket = Bucket(place)
        self._clock = clock
        self._index = Index()
        self._pieces: list[_Piece] = []
        self._known: dict[str, int] = {}  # the names that are indexed -> their versions
        self._batch: _Batch | None = None
        self._uploads: set[Future[Segment]] = set()
        self._looking: Future[list[_Found]] | None = None
        self._listed_at: float | None = None
        self._scratch = Scratch(scratch_bytes)
        self._threads = ThreadPoolExecutor(_THREADS, "cache")
        try:
            self._look()
        except BaseException:
            self.close()
            raise

    def get(self, key: str) -> Entry | None:
        """Return the valid answer to a request, or None."""
        if self._looking is not None and self._looking.done():
            looked, self._looking = self._looking, None
            self._enter(looked.result())
        try:
            found = self._read(key)
        except FileNotFoundError:  # its pack was pruned: another one has it
            self._look()
            with contextlib.suppress(FileNotFoundError):
                return self._read(key)
            return None
        if found is None and self._looking is None and self._clock() - self._looked_at >= _LOOK_EVERY_S:
            since = self._begin_look()
            self._looking = self._threads.submit(lambda known: list(self._new(known, since)), dict(self._known))
        return found

    async def put(self, key: str, entry: Entry) -> None:
        """Add an answer; when this returns it is in the bucket.

        Raises:
          CacheError: its pack could not be written.
        """
        if self._batch is None:
            loop = asyncio.get_running_loop()
            self._batch = _Batch(loop, loop.call_later(FLUSH_EVERY_S, self._flush))
        batch = self._batch
        batch.append(key, entry)
        if batch.answers >= PACK_ANSWERS or len(batch.data) >= self._bucket.segment_bytes:
            self._flush()
        await asyncio.shield(batch.kept)  # which is the others' too

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Yield every intact answer with its key, the invalid ones and repetitions included, pack by pack."""
        for segment in self._bucket.listed():
            with contextlib.suppress(FileNotFoundError):
                for _, line in lines_of(self._bucket, segment):
                    if is_intact(line):
                        yield decode(line)

    def close(self) -> None:
        """Write what is gathered and wait for what is under way; nothing can be asked of the cache afterwards.

        Raises:
          CacheError: the last answers could not be written; no stage has seen them.
        """
        batch, self._batch = self._batch, None
        try:
            if batch is not None:
                batch.timer.cancel()
                self._bucket.add(bytes(batch.data))
        finally:
            wait(self._uploads)
            self._threads.shutdown(cancel_futures=True)
            self._scratch.close()
            self._bucket.close()

    def _flush(self) -> None:
        """Send what is gathered on its way."""
        batch = self._batch
        if batch is None:
            return
        batch.timer.cancel()
        upload = self._threads.submit(self._upload, bytes(batch.data))
        self._batch = None  # not before: at the interpreter's end threads start no more, and `close` writes it
        self._uploads.add(upload)
        upload.add_done_callback(lambda done: self._report(batch, done))

    def _upload(self, data: bytes) -> Segment:
        segment = self._bucket.add(data)
        self._scratch.put(_Piece(segment, 0, segment.size), data)
        return segment

    def _report(self, batch: _Batch, upload: Future[Segment]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop may be gone, and with it whoever waited
            batch.loop.call_soon_threadsafe(self._landed, batch, upload)

    def _landed(self, batch: _Batch, upload: Future[Segment]) -> None:
        self._uploads.discard(upload)
        error = upload.exception()
        if error is None:
            segment = upload.result()
            self._enter([_Found(segment, [(_Piece(segment, 0, segment.size), batch.valid)])])
        batch.finish(error)

    def _read(self, key: str) -> Entry | None:
        place = self._index.get(key)
        if place is None:
            return None
        piece = self._pieces[place.segment]
        line = self._scratch.read(piece, place.length, place.offset)
        if line is None:
            data = self._bucket.read(*piece)
            self._scratch.put(piece, data)
            line = data[place.offset : place.offset + place.length]
        return decode(line)[1] if is_intact(line) and key_of(line) == key else None

    def _look(self) -> None:
        since = self._begin_look()
        self._enter(self._new(self._known, since))

    def _begin_look(self) -> float | None:
        """Note that a look begins, and return since when, as a Unix time, there may be news; None for ever."""
        since, self._listed_at = self._listed_at, time.time()
        self._looked_at = self._clock()
        return since

    def _new(self, known: Mapping[str, int], since: float | None) -> Iterable[_Found]:
        """Return the segments that are not known, as they are read; in any thread."""
        new = [segment for segment in self._bucket.listed(since) if known.get(segment.name) != segment.version]
        return self._threads.map(self._fetch, new)

    def _fetch(self, segment: Segment) -> _Found:
        found = _Found(segment, [])
        with contextlib.suppress(FileNotFoundError):  # pruned since it was listed
            for start, data in _whole_lines(self._bucket, segment):
                piece = _Piece(segment, start, start + len(data))
                self._scratch.put(piece, data)
                lines = split_lines([data])
                valid = [_Line(key_of(at), len(at), offset) for offset, at in lines if is_valid(at) and is_intact(at)]
                found.pieces.append((piece, valid))
        return found

    def _enter(self, found: Iterable[_Found]) -> None:
        for segment, pieces in found:
            if self._known.get(segment.name) == segment.version:
                continue  # our own, listed before its upload was reported
            self._known[segment.name] = segment.version
            for piece, lines in pieces:
                for line in lines:
                    self._index.set(line.key, Place(len(self._pieces), line.length, line.offset))
                self._pieces.append(piece)


def _whole_lines(bucket: Bucket, segment: Segment) -> Iterator[tuple[int, bytes]]:
    """Yield (offset, bytes) over a segment, cut at the ends of lines."""
    offset, rest = 0, b""
    for chunk in bucket.chunks(segment):
        rest += chunk
        stop = rest.rfind(b"\n") + 1
        if stop:
            yield offset, rest[:stop]
            offset, rest = offset + stop, rest[stop:]
