"""The answers a run has paid for, durable and shared: a content-addressed, append-only store in one directory."""

from __future__ import annotations

import dataclasses
import errno
import functools
import hashlib
import json
import os
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from transforms.llm.requests import Completion, Request, Settings

_SUFFIX: Final = ".jsonl"
_CHUNK_BYTES: Final = 8 * 2**20
_LOOK_EVERY_S: Final = 2.0

# A line is {"crc":"........","key":"<64 hex digits>","valid":...}: JSON for those who look with other tools, and of a
# fixed beginning, so that a segment is indexed without parsing its bodies.
_HEAD: Final = b'{"crc":"'
_CRC: Final = slice(len(_HEAD), len(_HEAD) + 8)
_REST: Final = _CRC.stop
_KEY: Final = slice(_REST + len(b'","key":"'), _REST + len(b'","key":"') + 64)
_VALID: Final = slice(_KEY.stop, _KEY.stop + len(b'","valid":true'))


_FEWEST_SORTED: Final = 1 << 16
_PLACES: Final = np.dtype([("segment", np.uint32), ("length", np.uint32), ("offset", np.uint64)])


class CacheError(OSError):
    """The directory of answers cannot be read or written."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One answer as it came.

    Attributes:
      stage: the stage that asked.
      model: the model's name, as configured.
      prompt: the fingerprint of the prompt.
      completion: the text, how it ended, and what it cost.
      valid: whether a stage could use it. The others are kept to be looked at, and never replayed.
    """

    stage: str
    model: str
    prompt: str
    completion: Completion
    valid: bool


def request_key(request: Request, settings: Settings) -> str:
    """Return the name of a request's answer: 64 hexadecimal digits, a hash of all that the answer depends on.

    Where the model is served and with which key it is paid say nothing about the answer and are left out.
    """
    temperature = settings.temperature
    identity = {
        "model": settings.model,
        "messages": [dict(message) for message in request.messages],
        "temperature": None if temperature is None else float(temperature),  # 1 and 1.0 are one temperature
        "max_tokens": settings.max_tokens,
        "extra_body": settings.extra_body,
        "schema": request.schema,
        "sample": request.sample,
    }
    if settings.embedded:
        identity["engine"] = _embedded_version()  # its code is the model
    # ASCII escapes, so that a text with a lone surrogate has a name too.
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


@functools.cache
def _embedded_version() -> str:
    """Return a hash of the embedded engine's sources."""
    from transforms.llm import embedded

    digest = hashlib.sha256()
    for path in sorted(Path(embedded.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a request holds {value!r}, which is not JSON; use strings, numbers, lists and mappings")


def _line(key: str, entry: Entry) -> bytes:
    fields = {"stage": entry.stage, "model": entry.model, "prompt": entry.prompt}
    body = json.dumps({**fields, "completion": dataclasses.asdict(entry.completion)}, separators=(",", ":"))
    valid = "true" if entry.valid else "false"
    rest = f'","key":"{key}","valid":{valid},{body[1:]}'.encode("ascii")
    return _HEAD + f"{zlib.crc32(rest):08x}".encode("ascii") + rest + b"\n"


def _intact(line: bytes) -> bool:
    """Whether a line, without its newline, is one that `_line` made."""
    return line.startswith(_HEAD) and line[_CRC] == f"{zlib.crc32(line[_REST:]):08x}".encode("ascii")


def _entry(line: bytes) -> tuple[str, Entry]:
    fields: dict[str, Any] = json.loads(line)
    completion = Completion(**fields["completion"])
    return fields["key"], Entry(fields["stage"], fields["model"], fields["prompt"], completion, fields["valid"])


class _Place(NamedTuple):
    """Where a line is: in which segment, by the order they were met, and its bytes there."""

    segment: int
    length: int
    offset: int


class _Index:
    """The places of valid answers, in 24 bytes each: the latest in a dictionary, the others in sorted arrays.

    It goes by the first 64 bits of a key, so whoever reads a line has to compare the whole key. In a dictionary alone
    the 8 million answers of a million documents would take 2 to 4 GB of each process.
    """

    def __init__(self) -> None:
        self._latest: dict[int, _Place] = {}
        self._keys = np.empty(0, np.uint64)
        self._places = np.empty(0, _PLACES)

    def get(self, key: str) -> _Place | None:
        name = int(key[:16], 16)
        if name in self._latest:
            return self._latest[name]
        at = int(np.searchsorted(self._keys, np.uint64(name)))
        if at == len(self._keys) or self._keys[at] != name:
            return None
        return _Place(*self._places[at].item())

    def set(self, key: str, place: _Place) -> None:
        self._latest[int(key[:16], 16)] = place
        if len(self._latest) >= max(_FEWEST_SORTED, len(self._keys) // 8):
            self._sort()

    def _sort(self) -> None:
        keys = np.concatenate([np.fromiter(self._latest, np.uint64), self._keys])
        places = np.concatenate([np.array(list(self._latest.values()), _PLACES), self._places])
        # Of equal keys the first is kept, which is the latest.
        self._keys, kept = np.unique(keys, return_index=True)
        self._places = places[kept]
        self._latest = {}


class ResponseCache:
    """Answers by `request_key`, in a directory that any number of processes read and append to at once.

    Each instance appends to a segment of its own, one `write` of one whole line an answer. A line handed to the kernel
    outlives the process, so a killed process loses nothing that `put` returned for and leaves at most a torn last line,
    which no reader takes for an entry. Nothing is forced to the disk: a power cut may lose the last seconds.
    Every instance indexes all segments (bodies stay on the disk), and looks for what the
    others have appended when it misses a key, at most every two seconds. One thread at a time may use an instance.

    Raises:
      CacheError: the directory cannot be made, read or written.
    """

    def __init__(self, directory: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._directory = Path(directory)
        self._clock = clock
        self._looked_at = clock()
        self._index = _Index()
        self._segments: list[Path] = []
        self._indexed: dict[str, tuple[int, int]] = {}  # file name -> (its number in _segments, bytes indexed)
        self._own: int | None = None
        self._own_number = 0
        self._own_size = 0
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._cannot("create", error) from error
        self._look()

    def get(self, key: str) -> Entry | None:
        """Return the valid answer to a request, or None."""
        found = self._read(key)
        if found is None and self._clock() - self._looked_at >= _LOOK_EVERY_S:
            self._look()
            found = self._read(key)
        return found

    def put(self, key: str, entry: Entry) -> None:
        """Append an answer; when this returns, the death of the process does not lose it.

        Raises:
          CacheError: the disk is full, or the directory cannot be written.
        """
        line = _line(key, entry)
        try:
            descriptor = self._open_own() if self._own is None else self._own
            written = os.write(descriptor, line)
            if written != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            # What is left of the line would spoil the next one: that one goes to a new segment.
            self.close()
            raise self._cannot("write", error) from error
        if entry.valid:
            self._index.set(key, _Place(self._own_number, len(line), self._own_size))
        self._own_size += len(line)

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Yield every intact answer with its key, the invalid ones and repetitions included, segment by segment."""
        for path, _ in self._paths():
            for _, line in self._lines(path, 0):
                if _intact(line):
                    yield _entry(line)

    def close(self) -> None:
        """Close the segment that is appended to. A later `put` opens another."""
        if self._own is not None:
            os.close(self._own)
            self._own = None

    def _open_own(self) -> int:
        path = self._directory / f"{uuid.uuid4().hex}{_SUFFIX}"
        self._own = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o666)
        self._own_number = len(self._segments)
        self._own_size = 0
        self._segments.append(path)
        # Never indexed by reading: every line of it is indexed as it is written.
        self._indexed[path.name] = (self._own_number, -1)
        return self._own

    def _read(self, key: str) -> Entry | None:
        place = self._index.get(key)
        if place is None:
            return None
        try:
            descriptor = os.open(self._segments[place.segment], os.O_RDONLY)
            try:
                line = os.pread(descriptor, place.length, place.offset).rstrip(b"\n")
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            line = b""
        except OSError as error:
            raise self._cannot("read", error) from error
        if not _intact(line) or line[_KEY] != key.encode("ascii"):
            return None
        return _entry(line)[1]

    def _look(self) -> None:
        """Index what has been appended to the segments since they were last looked at."""
        for path, size in self._paths():
            number, done = self._indexed.setdefault(path.name, (len(self._segments), 0))
            if number == len(self._segments):
                self._segments.append(path)
            if done < 0 or size <= done:
                continue
            for offset, line in self._lines(path, done):
                done = offset + len(line) + 1
                if line[_VALID].endswith(b"true") and _intact(line):
                    self._index.set(line[_KEY].decode("ascii"), _Place(number, len(line) + 1, offset))
            self._indexed[path.name] = (number, done)
        self._looked_at = self._clock()

    def _paths(self) -> list[tuple[Path, int]]:
        """Return the segments with their sizes in bytes."""
        try:
            with os.scandir(self._directory) as files:
                return sorted((Path(file.path), file.stat().st_size) for file in files if file.name.endswith(_SUFFIX))
        except OSError as error:
            raise self._cannot("read", error) from error

    def _lines(self, path: Path, offset: int) -> Iterator[tuple[int, bytes]]:
        """Yield the complete lines of a segment from an offset on, each with its own offset and without its newline."""
        try:
            with path.open("rb") as file:
                file.seek(offset)
                tail = b""
                while chunk := file.read(_CHUNK_BYTES):
                    *lines, tail = (tail + chunk).split(b"\n")
                    for line in lines:
                        yield offset, line
                        offset += len(line) + 1
        except OSError as error:
            raise self._cannot("read", error) from error

    def _cannot(self, verb: str, error: OSError) -> CacheError:
        return CacheError(
            f"cannot {verb} the cache of model answers {str(self._directory)!r} ({error.strerror or error});"
            " free space there, mend its permissions, or name another directory"
        )
