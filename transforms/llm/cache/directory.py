"""Segments in a directory: files that their writers append to and hold a lock on."""

from __future__ import annotations

import errno
import fcntl
import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from transforms.llm.cache.lines import SUFFIX, CacheError, cannot
from transforms.llm.cache.segments import Segment

_CHUNK_BYTES: Final = 8 * 2**20
_UNFINISHED: Final = ".tmp"


class Directory:
    """The segments of a directory (see `Segments`).

    A writer holds a lock (flock) on its segment for as long as it appends; the lock goes with the process. So a segment
    that nobody locks is never appended to again. Where the filesystem knows no locks every segment counts as in use.
    """

    segment_bytes = 64 * 2**20

    def __init__(self, path: str) -> None:
        self.place = path
        self.path = Path(path)

    def check(self) -> None:
        """Try to make the directory and to write, so that a run that could not keep its answers never asks for them."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe = self.path / f"probe-{uuid.uuid4().hex}"
            probe.write_bytes(b"probe")
            probe.unlink()
        except OSError as error:
            raise self.cannot("write", error) from error

    def listed(self) -> list[Segment]:
        try:
            with os.scandir(self.path) as files:
                return sorted(Segment(file.name, file.stat().st_size) for file in files if file.name.endswith(SUFFIX))
        except FileNotFoundError as error:
            if self.path.is_dir():  # a segment went while they were listed
                return self.listed()
            raise self.cannot("read", error) from error
        except OSError as error:
            raise self.cannot("read", error) from error

    def chunks(self, segment: Segment, offset: int = 0) -> Iterator[bytes]:
        try:
            with (self.path / segment.name).open("rb") as file:
                file.seek(offset)
                while chunk := file.read(_CHUNK_BYTES):
                    yield chunk
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self.cannot("read", error) from error

    def read(self, name: str, length: int, offset: int) -> bytes:
        """Return some bytes of a segment, fewer where it ends.

        Raises:
          FileNotFoundError: it is no longer there.
        """
        try:
            descriptor = os.open(self.path / name, os.O_RDONLY)
            try:
                return os.pread(descriptor, length, offset)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self.cannot("read", error) from error

    def create(self) -> tuple[str, int]:
        """Return the name and the descriptor of a new segment, locked and empty. Raises OSError."""
        while True:
            name = f"{uuid.uuid4().hex}{SUFFIX}"
            descriptor = os.open(self.path / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o666)
            # Between these lines a prune may have found an empty segment that nobody locks.
            if _lock(descriptor) is not False and os.fstat(descriptor).st_nlink:
                return name, descriptor
            os.close(descriptor)

    def in_use(self, segment: Segment) -> bool:
        try:
            descriptor = os.open(self.path / segment.name, os.O_RDWR)
        except FileNotFoundError:
            return False
        except OSError:
            return True  # who may not write it cannot tell
        try:
            return not _lock(descriptor)
        finally:
            os.close(descriptor)

    def add(self, data: bytes) -> Segment:
        name = f"{uuid.uuid4().hex}{SUFFIX}"
        temporary = self.path / f"{name}{_UNFINISHED}"
        try:
            self._sweep()
            with temporary.open("xb") as file:
                _lock(file.fileno())
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(self.path / name)
            self._sync()
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise self.cannot("write", error) from error
        return Segment(name, len(data))

    def remove(self, segments: Sequence[Segment]) -> None:
        for segment in segments:
            try:
                descriptor = os.open(self.path / segment.name, os.O_RDWR)
                try:
                    if _lock(descriptor) and os.fstat(descriptor).st_size == segment.size:
                        (self.path / segment.name).unlink(missing_ok=True)
                finally:
                    os.close(descriptor)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise self.cannot("write", error) from error

    def _sweep(self) -> None:
        """Remove what a killed process left half added."""
        for path in self.path.glob(f"*{SUFFIX}{_UNFINISHED}"):
            with path.open("rb+") as file:
                if _lock(file.fileno()):
                    path.unlink(missing_ok=True)

    def _sync(self) -> None:
        """Force the names in the directory to the disk, so that a new segment outlives those it stands for."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def cannot(self, verb: str, error: OSError) -> CacheError:
        """Return the error of this directory."""
        remedy = "free space there, mend its permissions, or name another directory"
        return cannot(verb, self.place, error.strerror or error, remedy)


def _lock(descriptor: int) -> bool | None:
    """Take a lock until the descriptor is closed: True, False where another holds it, None where there are no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in (errno.EWOULDBLOCK, errno.EACCES) else None
    return True
