"""Copies of what was read from a bucket, on a disk of this machine, within a limit."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Hashable
from typing import IO, Final

from transforms.llm.cache.lines import cannot

SCRATCH_BYTES: Final = 8 * 2**30


class _Half:
    """A file without a name, which the system takes back when the process ends, however it ends."""

    def __init__(self) -> None:
        self.file: IO[bytes] = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed when its turn is over
        self.places: dict[Hashable, int] = {}
        self.size = 0


class Scratch:
    """Bytes by name, in two unnamed files in the directory for temporary files (TMPDIR). Any thread may use it.

    When the younger file holds half of the limit it becomes the older one, and the older one is dropped: what is gone
    is read from the bucket again.

    Args:
      limit: bytes at most, but for one piece.
    """

    def __init__(self, limit: int = SCRATCH_BYTES) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._young, self._old = _Half(), _Half()

    def put(self, name: Hashable, data: bytes) -> None:
        """Keep some bytes for a while.

        Raises:
          CacheError: the disk is full.
        """
        with self._lock:
            if self._young.size >= self._limit // 2:
                self._old.file.close()
                self._young, self._old = _Half(), self._young
            half = self._young
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.pwrite(half.file.fileno(), rest, half.size + len(data) - len(rest)) :]
            except OSError as error:
                place = tempfile.gettempdir()
                remedy = "free space there, or set TMPDIR to a directory that has some"
                raise cannot("keep copies of", place, error.strerror or error, remedy) from error
            half.places[name] = half.size
            half.size += len(data)

    def read(self, name: Hashable, length: int, offset: int) -> bytes | None:
        """Return some of the bytes of that name, or None where they are gone."""
        with self._lock:
            for half in (self._young, self._old):
                if name in half.places:
                    return os.pread(half.file.fileno(), length, half.places[name] + offset)
        return None

    def close(self) -> None:
        """Give the disk back."""
        with self._lock:
            for half in (self._young, self._old):
                half.file.close()
                half.places.clear()
