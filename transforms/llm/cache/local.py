"""The answers in a directory: each is appended as it comes."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from typing import Final

from transforms.llm.cache.directory import Directory
from transforms.llm.cache.index import Index, Place
from transforms.llm.cache.lines import Entry, decode, encode, is_intact, is_valid, is_whole, key_of, split_lines

_LOOK_EVERY_S: Final = 2.0


class LocalCache:
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
        self._directory = Directory(directory)
        self._clock = clock
        self._looked_at = clock()
        self._index = Index()
        self._names: list[str] = []
        self._indexed: dict[str, tuple[int, int]] = {}  # name -> (its number in _names, bytes indexed)
        self._own: int | None = None
        self._own_number = 0
        self._own_size = 0
        try:
            self._directory.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._directory.cannot("create", error) from error
        self._look()

    def get(self, key: str) -> Entry | None:
        """Return the valid answer to a request, or None."""
        try:
            found = self._read(key)
        except FileNotFoundError:  # its segment was pruned: another one has it
            self._look()
        else:
            if found is not None or self._clock() - self._looked_at < _LOOK_EVERY_S:
                return found
            self._look()
        try:
            return self._read(key)
        except FileNotFoundError:
            return None

    async def put(self, key: str, entry: Entry) -> None:
        """Append an answer; when this returns, the death of the process does not lose it.

        Raises:
          CacheError: the disk is full, or the directory cannot be written.
        """
        line = encode(key, entry)
        try:
            descriptor = self._open_own() if self._own is None else self._own
            written = os.write(descriptor, line)
            if written != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            # What is left of the line would spoil the next one: that one goes to a new segment.
            self.close()
            raise self._directory.cannot("write", error) from error
        if entry.valid:
            self._index.set(key, Place(self._own_number, len(line), self._own_size))
        self._own_size += len(line)

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Yield every intact answer with its key, the invalid ones and repetitions included, segment by segment."""
        for segment in self._directory.listed():
            for _, line in split_lines(self._directory.chunks(segment)):
                if is_intact(line):
                    yield decode(line)

    def close(self) -> None:
        """Close the segment that is appended to. A later `put` opens another."""
        if self._own is not None:
            os.close(self._own)
            self._own = None

    def _open_own(self) -> int:
        name, self._own = self._directory.create()
        self._own_number = len(self._names)
        self._own_size = 0
        self._names.append(name)
        # Never indexed by reading: every line of it is indexed as it is written.
        self._indexed[name] = (self._own_number, -1)
        return self._own

    def _read(self, key: str) -> Entry | None:
        place = self._index.get(key)
        if place is None:
            return None
        line = self._directory.read(self._names[place.segment], place.length, place.offset)
        return decode(line)[1] if is_intact(line) and key_of(line) == key else None

    def _look(self) -> None:
        """Index what has been appended to the segments since they were last looked at."""
        for segment in self._directory.listed():
            number, done = self._indexed.setdefault(segment.name, (len(self._names), 0))
            if number == len(self._names):
                self._names.append(segment.name)
            if done < 0 or segment.size <= done:
                continue
            try:
                for offset, line in split_lines(self._directory.chunks(segment, done), done):
                    if not is_whole(line):
                        break
                    done = offset + len(line)
                    if is_valid(line) and is_intact(line):
                        self._index.set(key_of(line), Place(number, len(line), offset))
            except FileNotFoundError:
                continue  # pruned meanwhile
            self._indexed[segment.name] = (number, done)
        self._looked_at = self._clock()
